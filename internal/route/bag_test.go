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
			got := slices.Clone(b.items.list)
			slices.Sort(got)
			require.Equal(t, want, append([]int(nil), got...), "seed %d", seed)
		}
	}
}

// TestWhatIsLentStaysAsItWas changes lists while readers hold earlier states of them.
func TestWhatIsLentStaysAsItWas(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var b bag[int]
		var lent, copies [][]int
		for range 2000 {
			switch n := rng.IntN(200); {
			case rng.IntN(20) == 0:
				lent = append(lent, b.items.lend())
				copies = append(copies, append([]int{}, b.items.list...))
			case b.find(n) < 0:
				b.add(n)
			default:
				b.remove(n)
			}
		}
		for i := range lent {
			require.Equal(t, copies[i], append([]int{}, lent[i]...), "seed %d", seed)
		}
	}
}

// TestALongListIsEmptiedInLinearTime counts what is copied when many are taken out of
// a list, which nobody reads meanwhile or somebody has read once.
func TestALongListIsEmptiedInLinearTime(t *testing.T) {
	const many = 1 << 15
	for name, read := range map[string]bool{"unread": false, "read once": true} {
		t.Run(name, func(t *testing.T) {
			var b bag[int]
			for i := range many {
				b.add(i)
			}
			if read {
				b.items.lend()
			}
			copied := 0
			for i := range many {
				at := firstOf(b.items.list)
				b.remove((i * 7919) % many)
				if at != firstOf(b.items.list) {
					copied += len(b.items.list)
				}
			}
			require.Empty(t, b.items.list)
			require.LessOrEqual(t, copied, 2*many)
		})
	}
}

// firstOf returns where a list is kept.
func firstOf(list []int) *int {
	if cap(list) == 0 {
		return nil
	}
	return &list[:1][0]
}
