package warren_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// BenchmarkStreamReaders gives each message to 10 consumers that ack: by a
// stream, and by a fanout exchange to a queue for each.
func BenchmarkStreamReaders(b *testing.B) {
	const width = 10
	for _, c := range []struct {
		name    string
		options warren.QueueOptions
		queues  int
	}{
		{"ten-queues", warren.QueueOptions{}, width},
		{"stream", warren.QueueOptions{Type: warren.Stream, Durable: true, MaxLength: 10_000}, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			ch := brokertest.Channel(b, brokertest.New(b, nil))
			var read atomic.Int64
			done := make(chan struct{})
			total := int64(-1)
			for i := range width {
				name := fmt.Sprint("q", i%c.queues)
				if _, err := ch.QueueDeclare(name, c.options); err != nil {
					b.Fatal(err)
				}
				if err := ch.QueueBind(name, "", "amq.fanout", nil); err != nil {
					b.Fatal(err)
				}
				reader, err := ch.Session().Channel()
				if err != nil {
					b.Fatal(err)
				}
				_, err = reader.ConsumeFunc(name, warren.ConsumeOptions{Prefetch: 256}, func(context.Context, warren.Delivery) error {
					if read.Add(1) == atomic.LoadInt64(&total) {
						close(done)
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			ctx := context.Background()
			msg := warren.Message{Body: body16}
			published := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				for published*width-read.Load() > 2_000 { // readers keep up
					runtime.Gosched()
				}
				if err := ch.Publish(ctx, "amq.fanout", "", msg, warren.PublishOptions{}); err != nil {
					b.Fatal(err)
				}
				published++
			}
			atomic.StoreInt64(&total, published*width)
			if read.Load() < published*width {
				<-done
			}
		})
	}
}

// BenchmarkStreamHeap tells how much heap a stored message of 16 bytes costs.
func BenchmarkStreamHeap(b *testing.B) {
	for name, o := range map[string]warren.QueueOptions{"queue": {}, "stream": {Type: warren.Stream, Durable: true}} {
		b.Run(name, func(b *testing.B) {
			ch := brokertest.Channel(b, brokertest.New(b, &warren.Options{MemoryLimit: -1}))
			if _, err := ch.QueueDeclare("q", o); err != nil {
				b.Fatal(err)
			}
			ctx := context.Background()
			before, n := benchHeap(), 0
			for b.Loop() {
				msg := warren.Message{Body: make([]byte, 16)}
				if err := ch.Publish(ctx, "", "q", msg, warren.PublishOptions{}); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64(int64(benchHeap())-int64(before))/float64(n), "heap-B/msg")
			runtime.KeepAlive(ch)
		})
	}
}

func benchHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkStreamFilter reads what a filter lets through of 100,000 messages
// with 1,000 values.
func BenchmarkStreamFilter(b *testing.B) {
	ch := brokertest.Channel(b, brokertest.New(b, &warren.Options{MemoryLimit: -1}))
	if _, err := ch.QueueDeclare("s", warren.QueueOptions{Type: warren.Stream, Durable: true}); err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	for i := range 100_000 {
		msg := warren.Message{Headers: warren.Table{"x-stream-filter-value": fmt.Sprint(i / 100)}}
		if err := ch.Publish(ctx, "", "s", msg, warren.PublishOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		c, err := ch.Consume("s", warren.ConsumeOptions{Offset: warren.StreamFirst(), Prefetch: 100, Filter: []string{"500"}})
		if err != nil {
			b.Fatal(err)
		}
		for range 100 {
			d, err := c.Next(ctx)
			if err != nil {
				b.Fatal(err)
			}
			d.Ack(false)
		}
		c.Cancel()
	}
}
