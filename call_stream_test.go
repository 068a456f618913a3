package warren_test

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// numbers is a stream function that yields so many items.
func numbers(n int) warren.StreamFunc {
	return func(_ context.Context, req *warren.Request, _ iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
		return func(yield func(warren.Message, error) bool) {
			for i := range n {
				if !yield(warren.Message{Body: fmt.Append(nil, i)}, nil) {
					return
				}
			}
		}
	}
}

func TestAStreamOfAnswersComesInOrder(t *testing.T) {
	for _, n := range []int{0, 1, 2, 255, 256, 257, 1000} {
		for _, window := range []int{0, 1, 2, 3, 100_000} {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				_, err := b.HandleStream("count", numbers(n))
				require.NoError(t, err)
				i := 0
				for m, err := range b.CallStream(t.Context(), "count", warren.Message{}, nil, warren.CallOptions{Window: window}) {
					require.NoError(t, err)
					require.Equal(t, fmt.Sprint(i), string(m.Body))
					i++
				}
				require.Equal(t, n, i)
				brokertest.Clean(t, b)
			})
		}
	}
}

func BenchmarkStream(b *testing.B) {
	broker := warren.New(nil)
	defer broker.Close()
	body := []byte("sixteen byte msg")
	_, err := broker.HandleStream("q", func(context.Context, *warren.Request, iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
		return func(yield func(warren.Message, error) bool) {
			for yield(warren.Message{Body: body}, nil) {
			}
		}
	})
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for _, err := range broker.CallStream(b.Context(), "q", warren.Message{}, nil) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; n >= b.N {
			break
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mitems/s")
}
