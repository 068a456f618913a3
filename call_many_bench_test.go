package warren_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// BenchmarkCallMany asks the handlers of so many queues and reads all answers. The time
// is that of the whole loop.
func BenchmarkCallMany(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		broker := warren.New(nil)
		b.Cleanup(func() { broker.Close() })
		handlers := make(map[string]warren.HandlerFunc, n)
		for i := range n {
			handlers[fmt.Sprint(i)] = brokertest.Echo
		}
		serveMany(b, broker, handlers)
		msg := warren.Message{Body: body16}
		b.Run(fmt.Sprint("handlers=", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				answers := 0
				for _, err := range broker.CallMany(context.Background(), "amq.fanout", "", msg) {
					if err != nil {
						b.Fatal(err)
					}
					answers++
				}
				if answers != n {
					b.Fatal(answers)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/answer")
		})
	}
}
