package route

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A set that was reset has forgotten all, however long it was, and whether or not a
// duplicate came last.
func TestSetForgetsAll(t *testing.T) {
	for _, n := range []int{0, 1, manyItems - 1, manyItems, manyItems + 1, 3 * manyItems, mostKept, mostKept + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			var s set[int]
			addTwice := func(items []int) {
				for _, i := range append(items, items...) {
					s.add(i)
				}
			}
			first, others := make([]int, n), make([]int, n)
			for i := range n {
				first[i], others[i] = i, n+i
			}
			addTwice(first)
			require.Equal(t, first, append([]int{}, s.items...))
			s.reset()
			require.Empty(t, s.items)
			addTwice(others)
			addTwice(first) // they meet a set that is long
			require.Equal(t, append(others, first...), append([]int{}, s.items...))
		})
	}
}
