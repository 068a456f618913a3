package warren_test

import (
	"context"
	"fmt"
	"os"
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

// BenchmarkDiskOld passes messages of 100 bytes through a queue, of which a consumer holds
// the first one unsettled. It shows how much of the disk that takes.
func BenchmarkDiskOld(b *testing.B) {
	const n, lag = 2_000_000, 200_000
	for range b.N {
		dir := b.TempDir()
		broker, err := warren.Open(dir, nil)
		must(b, err)
		ch := brokertest.Channel(b, broker)
		brokertest.Queue(b, ch, "q", warren.QueueOptions{Durable: true})
		msg := warren.Message{Body: make([]byte, 100), DeliveryMode: warren.Persistent}
		largest := int64(0)
		for i := range n + lag {
			if i < n {
				must(b, ch.Publish(context.Background(), "", "q", msg, warren.PublishOptions{}))
			}
			if i >= lag {
				d, ok, err := ch.Get("q", false)
				if err != nil || !ok {
					b.Fatal(err)
				}
				if i > lag {
					must(b, d.Ack(false))
				}
			}
			if i%50_000 == 0 {
				largest = max(largest, sizeOf(b, dir))
			}
		}
		b.ReportMetric(float64(largest)/1e6, "largest-MB")
		time.Sleep(2 * time.Second)
		b.ReportMetric(float64(sizeOf(b, dir))/1e6, "end-MB")
		b.ReportMetric(float64(n)*125/1e6, "passed-MB")
		must(b, broker.Close())
	}
	b.ReportMetric(0, "ns/op")
}

// sizeOf returns how many bytes the files of a directory have.
func sizeOf(b *testing.B, dir string) (n int64) {
	entries, err := os.ReadDir(dir)
	must(b, err)
	for _, e := range entries {
		if i, err := e.Info(); err == nil { // it may have been removed
			n += i.Size()
		}
	}
	return n
}
