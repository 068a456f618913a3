package warren_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// BenchmarkDiskShort publishes to queues that nobody consumes from, half of them durable,
// with 64 MiB for messages. It shows how long a publisher waited at most: longest-ms.
func BenchmarkDiskShort(b *testing.B) {
	for _, c := range []struct{ queues, size int }{{4, 1 << 20}, {1, 1 << 10}, {100, 1 << 10}, {10_000, 1 << 10}} {
		b.Run(fmt.Sprint("queues=", c.queues, "/", c.size), func(b *testing.B) {
			broker, err := warren.Open(b.TempDir(), &warren.Options{MemoryLimit: 64 << 20})
			must(b, err)
			defer broker.Close()
			ch := brokertest.Channel(b, broker)
			for i := range c.queues {
				brokertest.Queue(b, ch, fmt.Sprint(i), warren.QueueOptions{Durable: i%2 == 0})
			}
			m := warren.Message{Body: make([]byte, c.size), DeliveryMode: warren.Persistent}
			longest := time.Duration(0)
			b.SetBytes(int64(c.size))
			for i := 0; b.Loop(); i++ {
				begin := time.Now()
				must(b, ch.Publish(b.Context(), "", fmt.Sprint(i%c.queues), m, warren.PublishOptions{}))
				longest = max(longest, time.Since(begin))
			}
			b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
		})
	}
}
