package warren

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStoreKeepsOrder does random things with a store and with a sorted list
// of positions: they must agree on what comes next.
func TestStoreKeepsOrder(t *testing.T) {
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := store{pool: &sync.Pool{}}
		var ready, out []uint64 // positions
		items := map[uint64]item{}
		next := uint64(0)
		for range 1000 {
			switch n := rng.IntN(10); {
			case n < 5: // often more come in than go out, so that chunks fill
				for range rng.IntN(20) {
					s.push(&entry{key: string(rune(next))})
					ready = append(ready, next)
					next++
				}
			case n < 8:
				for range min(rng.IntN(40), len(ready)) {
					it := s.shift()
					require.Equal(t, ready[0], it.pos, "seed %d", seed)
					require.Equal(t, string(rune(it.pos)), it.key)
					items[it.pos] = it
					out = append(out, it.pos)
					ready = ready[1:]
				}
			case len(out) > 0:
				i := rng.IntN(len(out))
				it := items[out[i]]
				s.requeue(&it)
				at, _ := slices.BinarySearch(ready, it.pos)
				ready = slices.Insert(ready, at, it.pos)
				out = slices.Delete(out, i, i+1)
			case len(ready) == 0:
				require.Equal(t, next, s.pass())
				next++
			}
			require.Equal(t, len(ready), s.len())
		}
	}
}

func TestEmptyStoreIsSmall(t *testing.T) {
	s := store{pool: &sync.Pool{}}
	for range 10_000 {
		s.push(&entry{body: []byte("x")})
	}
	for range 10_000 {
		s.shift()
	}
	require.True(t, s.head == nil || s.head == s.small && s.head.next == nil, "an empty store keeps one small chunk at most")
	require.Len(t, s.small.entries, smallChunk)
	require.Equal(t, make([]entry, smallChunk), s.small.entries, "and no message")
	require.Empty(t, s.returned)
}
