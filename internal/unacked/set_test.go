package unacked

import (
	"maps"
	"math"
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
		s := New(NewShared[uint64](&counted{}))
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
				for _, d := range s.RemoveTo(tag, nil, math.MaxInt) {
					require.Equal(t, d.Tag*7, d.Delivery)
					got = append(got, d.Tag)
				}
				require.Equal(t, want, got, "oldest first")
			}
			require.Equal(t, len(model), s.Len())
			require.Len(t, slices.Collect(s.All()), len(model))
			require.LessOrEqual(t, len(s.blocks), len(model)+1, "no empty block stays but the newest")
		}
	}
}

// TestOldUnackedDeliveryKeepsNoOthers: one delivery that is never settled must
// not make the set grow with all that come after.
func TestOldUnackedDeliveryKeepsNoOthers(t *testing.T) {
	s := New(NewShared[uint64](&counted{}))
	s.Add(1, new(uint64))
	for tag := uint64(2); tag < 100_000; tag++ {
		s.Add(tag, new(uint64))
		ok := s.Remove(tag, new(uint64))
		require.True(t, ok)
	}
	require.LessOrEqual(t, len(s.blocks), 2)
	require.True(t, s.Has(1))
}

// counted is a Memory that only counts.
type counted struct{ bytes int64 }

func (c *counted) Keep(n int64) { c.bytes += n }

// TestASparseSetCountsItsBlocks settles all but a few deliveries: what their blocks
// take counts on, and nothing when they are gone, too.
func TestASparseSetCountsItsBlocks(t *testing.T) {
	var memory counted
	s := New(NewShared[[100]byte](&memory))
	const n = 100 * blockSize
	var d [100]byte
	for tag := range uint64(n) {
		s.Add(tag, &d)
	}
	require.Greater(t, memory.bytes, int64(n*100))
	full := memory.bytes
	for tag := range uint64(n) {
		if tag%blockSize != 7 {
			require.True(t, s.Remove(tag, &d))
		}
	}
	require.Equal(t, full, memory.bytes, "100 deliveries keep 100 blocks")
	require.Len(t, s.RemoveTo(math.MaxUint64, nil, 10), 10, "as many as are wanted at a time")
	require.Len(t, s.RemoveTo(math.MaxUint64, nil, math.MaxInt), 90)
	require.Zero(t, memory.bytes)
	require.Less(t, s.most, 100, "the map is made anew")
}
