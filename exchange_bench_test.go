package warren_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// BenchmarkHash100 publishes to a consistent hash exchange with 100 bindings,
// to queues that keep one message.
func BenchmarkHash100(b *testing.B) {
	const bindings = 100
	for name, o := range map[string]warren.ExchangeOptions{"key": {}, "header": {HashHeader: "h"}} {
		b.Run(name, func(b *testing.B) {
			ch := benchChannel(b)
			if err := ch.ExchangeDeclare("x", warren.ConsistentHash, o); err != nil {
				b.Fatal(err)
			}
			for i := range bindings {
				q := fmt.Sprint("q", i)
				if _, err := ch.QueueDeclare(q, warren.QueueOptions{MaxLength: 1}); err != nil {
					b.Fatal(err)
				}
				if err := ch.QueueBind(q, fmt.Sprint(1+i%10), "x", nil); err != nil {
					b.Fatal(err)
				}
			}
			keys := make([]string, 1000)
			messages := make([]warren.Message, len(keys))
			for i := range keys {
				keys[i] = fmt.Sprintf("customer-%d", i)
				messages[i] = warren.Message{Body: body16}
				if o.HashHeader != "" {
					messages[i].Headers = warren.Table{o.HashHeader: keys[i]}
				}
			}
			ctx := context.Background()
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := ch.Publish(ctx, "x", keys[i], messages[i], warren.PublishOptions{}); err != nil {
					b.Fatal(err)
				}
				if i++; i == len(keys) {
					i = 0
				}
			}
		})
	}
}

// BenchmarkDelay publishes to a delayed exchange that keeps 100,000 messages
// back, then lets all of them go.
func BenchmarkDelay(b *testing.B) {
	const pending = 100_000
	delays := make([]warren.Message, 1000)
	for i := range delays {
		delays[i] = warren.Message{Body: body16, Headers: warren.Table{warren.DelayHeader: int64(3_600_000 + rand.IntN(3_600_000))}}
	}
	fill := func(b *testing.B, ch *warren.Channel, n int, message func(i int) warren.Message) {
		ctx := context.Background()
		for i := range n {
			if err := ch.Publish(ctx, "x", "", message(i), warren.PublishOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	open := func(b *testing.B) *warren.Channel {
		ch := brokertest.Channel(b, brokertest.New(b, &warren.Options{MemoryLimit: -1}))
		if err := ch.ExchangeDeclare("x", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Fanout}); err != nil {
			b.Fatal(err)
		}
		brokertest.Queues(b, ch, "q")
		if err := ch.QueueBind("q", "", "x", nil); err != nil {
			b.Fatal(err)
		}
		return ch
	}
	far := func(i int) warren.Message { return delays[i%len(delays)] }

	b.Run("publish", func(b *testing.B) {
		ch := open(b)
		held := heapOf(func() { fill(b, ch, pending, far) })
		b.ReportAllocs()
		b.ResetTimer()
		fill(b, ch, b.N, far)
		b.ReportMetric(float64(held)/pending, "heapB/msg")
		runtime.KeepAlive(ch)
	})
	// A message waits for a moment in the middle of 100,000 others.
	b.Run("wait", func(b *testing.B) {
		ch := open(b)
		fill(b, ch, pending, far)
		soon := warren.Message{Body: body16, Headers: warren.Table{warren.DelayHeader: warren.Delay(time.Millisecond)}}
		b.ReportAllocs()
		b.ResetTimer()
		for n := b.N; n > 0; {
			some := min(n, 10_000)
			fill(b, ch, some, func(int) warren.Message { return soon })
			for got := 0; got < some; runtime.Gosched() {
				m, err := ch.QueuePurge("q")
				if err != nil {
					b.Fatal(err)
				}
				got += m
			}
			n -= some
		}
	})
}

// BenchmarkDeduplicate publishes to a queue that remembers 1,000 messages: half
// of what comes are duplicates.
func BenchmarkDeduplicate(b *testing.B) {
	ch := benchChannel(b)
	if _, err := ch.QueueDeclare("q", warren.QueueOptions{Deduplicate: &warren.Deduplication{CacheSize: 1000}}); err != nil {
		b.Fatal(err)
	}
	if _, err := ch.ConsumeFunc("q", warren.ConsumeOptions{NoAck: true}, func(context.Context, warren.Delivery) error { return nil }); err != nil {
		b.Fatal(err)
	}
	messages := make([]warren.Message, 4000)
	for i := range messages {
		messages[i] = warren.Message{Body: body16, Headers: warren.Table{warren.DeduplicationHeader: fmt.Sprint("order-", i/2)}}
	}
	ctx := context.Background()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := ch.Publish(ctx, "", "q", messages[i], warren.PublishOptions{}); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(messages) {
			i = 0
		}
	}
}
