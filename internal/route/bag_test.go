package route

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBagCounts adds and removes few and many items, each several times.
func TestBagCounts(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var b bag[int]
		count := map[int]int{}
		kinds := 1 + rng.IntN(3*bagIndexed)
		for range 500 {
			n := rng.IntN(kinds)
			if count[n] > 0 && rng.IntN(2) == 0 {
				b.remove(n)
				count[n]--
			} else {
				b.add(n)
				count[n]++
			}
			var want []int
			for n, c := range count {
				if c > 0 {
					want = append(want, n)
				}
			}
			slices.Sort(want)
			got := slices.Clone(b.items)
			slices.Sort(got)
			require.Equal(t, want, append([]int(nil), got...), "seed %d", seed)
		}
	}
}
