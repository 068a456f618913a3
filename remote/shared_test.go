package remote_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/remote"
)

// A caller and its handler may share a connection: what one says to the other comes back
// to where it came from, under the same correlation id.
func TestACallerAndItsHandlerShareAConnection(t *testing.T) {
	with(t, func(t *testing.T, _ *warren.Broker, both, _ *remote.Broker) {
		_, err := warren.HandleFor(both, "double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })
		require.NoError(t, err)
		_, err = warren.HandleBothFor(both, "doubles", func(ctx context.Context, in iter.Seq2[int, error]) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for n, err := range in {
					if err == nil {
						n, err = warren.CallFor[int](ctx, both, "double", n)
					}
					if !yield(n, err) {
						return
					}
				}
			}
		})
		require.NoError(t, err)
		in := func(yield func(int, error) bool) {
			for n := 1; n <= 10 && yield(n, nil); n++ {
			}
		}
		var got []int
		for n, err := range warren.CallBothFor[int](t.Context(), both, "doubles", in, warren.CallOptions{Window: 2}) {
			require.NoError(t, err)
			got = append(got, n)
		}
		require.Equal(t, []int{2, 4, 6, 8, 10, 12, 14, 16, 18, 20}, got)
	})
}
