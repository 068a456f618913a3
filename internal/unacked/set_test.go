package unacked

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnackedSetAgreesWithAMap adds and removes at random, single tags and all
// up to one.
func TestUnackedSetAgreesWithAMap(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var s Set[uint64]
		model := map[uint64]uint64{} // tag: position
		next := uint64(0)
		for range 1000 {
			switch n := rng.IntN(20); {
			case n < 12:
				next += 1 + uint64(rng.IntN(3)) // deliveries without ack have tags, too
				position := next * 7
				s.Add(next, &position)
				model[next] = next * 7
			case n < 18:
				tag := uint64(rng.Int64N(int64(next + 2)))
				pos, ok := model[tag]
				require.Equal(t, ok, s.Has(tag))
				var d uint64
				removed := s.Remove(tag, &d)
				require.Equal(t, ok, removed)
				require.Equal(t, pos, d)
				delete(model, tag)
				if ok && rng.IntN(4) == 0 { // as a rollback does
					s.Add(tag, &d)
					model[tag] = pos
				}
			case n == 18:
				tag := uint64(rng.Int64N(int64(next + 2)))
				var want []uint64
				for _, have := range slices.Sorted(maps.Keys(model)) {
					if have <= tag {
						want = append(want, have)
						delete(model, have)
					}
				}
				var got []uint64
				for _, d := range s.RemoveTo(tag, nil) {
					require.Equal(t, d.Tag*7, d.Delivery)
					got = append(got, d.Tag)
				}
				require.Equal(t, want, got, "oldest first")
			}
			require.Equal(t, len(model), s.Len())
			require.Len(t, slices.Collect(s.All()), len(model))
			require.LessOrEqual(t, len(s.blocks), len(model), "no empty block stays")
		}
	}
}

// TestOldUnackedDeliveryKeepsNoOthers: one delivery that is never settled must
// not make the set grow with all that come after.
func TestOldUnackedDeliveryKeepsNoOthers(t *testing.T) {
	var s Set[uint64]
	s.Add(1, new(uint64))
	for tag := uint64(2); tag < 100_000; tag++ {
		s.Add(tag, new(uint64))
		ok := s.Remove(tag, new(uint64))
		require.True(t, ok)
	}
	require.LessOrEqual(t, len(s.blocks), 2)
	require.True(t, s.Has(1))
}
