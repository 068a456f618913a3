package queue

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTurnsComeByPriorityThenInOrder compares random turns with a sorted list.
func TestTurnsComeByPriorityThenInOrder(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var turns turns
		var out, in []*Consumer
		for range 60 {
			c := &Consumer{priority: rng.IntN(1+int(seed)) - int(seed)/2}
			turns.join(c)
			out = append(out, c)
		}
		for range 1500 {
			if len(out) > 0 && rng.IntN(2) == 0 {
				i := rng.IntN(len(out))
				c := out[i]
				out = slices.Delete(out, i, i+1)
				turns.add(c)
				at, _ := slices.BinarySearchFunc(in, c.priority, func(have *Consumer, p int) int {
					if have.priority >= p {
						return -1
					}
					return 1
				})
				in = slices.Insert(in, at, c)
			} else if len(in) > 0 {
				i := rng.IntN(len(in))
				out = append(out, in[i])
				turns.remove(in[i])
				in = slices.Delete(in, i, i+1)
			}
			if len(in) == 0 {
				require.Nil(t, turns.next())
				continue
			}
			require.Same(t, in[0], turns.next(), "seed %d", seed)
			priorities := map[int]bool{}
			for _, c := range in {
				priorities[c.priority] = true
			}
			require.Len(t, turns.busy(), len(priorities), "a turn is found among priorities, not among consumers")
		}
		for _, c := range in {
			turns.remove(c)
		}
		for _, c := range append(in, out...) {
			turns.leave(c)
		}
		require.Nil(t, turns.ranked, "nothing is left of priorities that nobody has")
	}
}
