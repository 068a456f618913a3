package warren_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// BenchmarkDiskOthers does what has to do with very many messages on disk at once. It shows
// how long that took, and for how long it held up at most somebody else, who declares
// queues and publishes to them and to the queue with the messages: stall-ms. Idle is what
// that somebody sees when nothing is done. Run it with -benchtime 1x.
func BenchmarkDiskOthers(b *testing.B) {
	for _, c := range []struct {
		name string
		work func(b *testing.B, ch *warren.Channel, v *warren.VirtualHost)
	}{
		{"Idle", func(*testing.B, *warren.Channel, *warren.VirtualHost) { time.Sleep(time.Second) }},
		{"Delete", func(b *testing.B, ch *warren.Channel, _ *warren.VirtualHost) {
			_, err := ch.QueueDelete("busy", warren.QueueDeleteOptions{})
			must(b, err)
		}},
		{"Purge", func(b *testing.B, ch *warren.Channel, _ *warren.VirtualHost) {
			_, err := ch.QueuePurge("busy")
			must(b, err)
		}},
		{"Limit1", func(b *testing.B, _ *warren.Channel, v *warren.VirtualHost) {
			must(b, v.PolicySet(warren.Policy{Name: "one", Pattern: "^busy$", Definition: warren.Table{"max-length": 1}}))
		}},
	} {
		for _, n := range []int{1_000_000, 10_000_000} {
			b.Run(fmt.Sprint(c.name, "/", n), func(b *testing.B) {
				var total, stall time.Duration
				for range b.N {
					b.StopTimer()
					broker := openBroker(b)
					ch := brokertest.Channel(b, broker)
					brokertest.Queue(b, ch, "busy", warren.QueueOptions{Durable: true})
					msg := warren.Message{Body: make([]byte, 100), DeliveryMode: warren.Persistent}
					for range n {
						must(b, ch.Publish(context.Background(), "", "busy", msg, warren.PublishOptions{}))
					}
					time.Sleep(2 * time.Second) // page files are written
					v, err := broker.VirtualHost("")
					must(b, err)
					b.StartTimer()
					took, longest := beside(b, broker, func() { c.work(b, ch, v) })
					total, stall = total+took, max(stall, longest)
				}
				b.ReportMetric(float64(total.Microseconds())/1000/float64(b.N), "total-ms")
				b.ReportMetric(float64(stall.Microseconds())/1000, "stall-ms")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
