package warren

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
		var s unackedSet
		model := map[uint64]uint64{} // tag: position
		next := uint64(0)
		for range 1000 {
			switch n := rng.IntN(20); {
			case n < 12:
				next += 1 + uint64(rng.IntN(3)) // deliveries without ack have tags, too
				s.add(next, &delivered{item: item{pos: next * 7}})
				model[next] = next * 7
			case n < 18:
				tag := uint64(rng.Int64N(int64(next + 2)))
				pos, ok := model[tag]
				require.Equal(t, ok, s.has(tag))
				var d delivered
				removed := s.remove(tag, &d)
				require.Equal(t, ok, removed)
				require.Equal(t, pos, d.pos)
				delete(model, tag)
				if ok && rng.IntN(4) == 0 { // as a rollback does
					s.add(tag, &d)
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
				for _, d := range s.removeTo(tag, nil) {
					require.Equal(t, d.tag*7, d.pos)
					got = append(got, d.tag)
				}
				require.Equal(t, want, got, "oldest first")
			}
			require.Equal(t, len(model), s.len)
			require.LessOrEqual(t, len(s.blocks), len(model), "no empty block stays")
		}
	}
}

// TestOldUnackedDeliveryKeepsNoOthers: one delivery that is never settled must
// not make the set grow with all that come after.
func TestOldUnackedDeliveryKeepsNoOthers(t *testing.T) {
	var s unackedSet
	s.add(1, &delivered{})
	for tag := uint64(2); tag < 100_000; tag++ {
		s.add(tag, &delivered{})
		ok := s.remove(tag, new(delivered))
		require.True(t, ok)
	}
	require.LessOrEqual(t, len(s.blocks), 2)
	require.True(t, s.has(1))
}
