package warren_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// benchChannel is a channel of a broker that holds publishers back at about
// 2,000 messages of 16 bytes, as the floors' channels do at their capacity.
func benchChannel(b *testing.B) *warren.Channel {
	return brokertest.Channel(b, brokertest.New(b, &warren.Options{MemoryLimit: 256 << 10}))
}

// BenchmarkPublishConsume moves 16-byte messages from one goroutine to
// another.
func BenchmarkPublishConsume(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		c := make(chan []byte, 256)
		done := make(chan struct{})
		go func() {
			for range c {
			}
			close(done)
		}()
		b.ReportAllocs()
		for b.Loop() {
			c <- body16
		}
		close(c)
		<-done
	})
	b.Run("warren", func(b *testing.B) { publishConsume(b, true) })
	b.Run("floor-ack", func(b *testing.B) {
		type delivery struct {
			body []byte
			tag  uint64
		}
		c, acks := make(chan delivery, 256), make(chan uint64, 256)
		go func() {
			for d := range c {
				acks <- d.tag
			}
			close(acks)
		}()
		b.ReportAllocs()
		tag, acked := uint64(0), uint64(0)
		for b.Loop() {
			tag++
			for sent := false; !sent; {
				select {
				case c <- delivery{body16, tag}:
					sent = true
				case acked = <-acks:
				}
			}
		}
		close(c)
		for acked < tag {
			acked = <-acks
		}
	})
	b.Run("warren-ack", func(b *testing.B) { publishConsume(b, false) })
}

func publishConsume(b *testing.B, noAck bool) {
	ch := benchChannel(b)
	brokertest.Queues(b, ch, "q")
	publishConsumeOn(b, ch, noAck, warren.Message{Body: body16})
}

// publishConsumeOn moves messages through the queue q.
func publishConsumeOn(b *testing.B, ch *warren.Channel, noAck bool, msg warren.Message) {
	ctx := context.Background()
	published := make(chan int, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, want := 0, -1
		for d, err := range ch.Deliveries(ctx, "q", warren.ConsumeOptions{NoAck: noAck, Prefetch: 256}) {
			if err != nil {
				b.Error(err)
				return
			}
			if !noAck {
				if err := d.Ack(false); err != nil {
					b.Error(err)
					return
				}
			}
			n++
			if len(d.Body) == 0 {
				want = <-published
			}
			if n == want {
				return
			}
		}
	}()
	b.ReportAllocs()
	n := 1
	for b.Loop() {
		if err := ch.Publish(ctx, "", "q", msg, warren.PublishOptions{}); err != nil {
			b.Fatal(err)
		}
		n++
	}
	published <- n
	if err := ch.Publish(ctx, "", "q", warren.Message{}, warren.PublishOptions{}); err != nil {
		b.Fatal(err)
	}
	<-done
}

// BenchmarkFanout publishes to an exchange with 10 queues, each with a
// consumer.
func BenchmarkFanout(b *testing.B) {
	const width = 10
	b.Run("floor", func(b *testing.B) {
		var channels [width]chan []byte
		for i := range channels {
			channels[i] = make(chan []byte, 256)
			go func() {
				for range channels[i] {
				}
			}()
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, c := range channels {
				c <- body16
			}
		}
		for _, c := range channels {
			close(c)
		}
	})
	b.Run("warren", func(b *testing.B) {
		ch := benchChannel(b)
		for i := range width {
			name := fmt.Sprint("q", i)
			brokertest.Queues(b, ch, name)
			if err := ch.QueueBind(name, "", "amq.fanout", nil); err != nil {
				b.Fatal(err)
			}
			if _, err := ch.ConsumeFunc(name, warren.ConsumeOptions{NoAck: true}, func(context.Context, warren.Delivery) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		ctx := context.Background()
		msg := warren.Message{Body: body16}
		b.ReportAllocs()
		for b.Loop() {
			if err := ch.Publish(ctx, "amq.fanout", "", msg, warren.PublishOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTopic10k publishes to a topic exchange with 10,000 bindings.
func BenchmarkTopic10k(b *testing.B) {
	const bindings = 10_000
	keys := make([]string, bindings)
	for i := range keys {
		keys[i] = fmt.Sprintf("device.%d.temperature", i)
	}
	b.Run("floor", func(b *testing.B) {
		c := make(chan []byte, 256)
		routes := make(map[string]chan []byte)
		for _, k := range keys {
			routes[k] = c
		}
		go func() {
			for range c {
			}
		}()
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			routes[keys[i]] <- body16
			if i++; i == bindings {
				i = 0
			}
		}
		close(c)
	})
	b.Run("warren", func(b *testing.B) { topicRouting(b, benchChannel(b), keys, keys) })
	b.Run("warren-patterns", func(b *testing.B) {
		patterns := make([]string, bindings)
		for i := range patterns {
			patterns[i] = fmt.Sprintf("device.%d.*", i)
		}
		// The patterns take more memory than benchChannel's limit leaves to topology.
		ch := brokertest.Channel(b, brokertest.New(b, &warren.Options{MemoryLimit: 64 << 20}))
		topicRouting(b, ch, patterns, keys)
	})
}

// topicRouting publishes with keys to a queue that is bound by all patterns.
func topicRouting(b *testing.B, ch *warren.Channel, patterns, keys []string) {
	brokertest.Queues(b, ch, "q")
	for _, p := range patterns {
		if err := ch.QueueBind("q", p, "amq.topic", nil); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := ch.ConsumeFunc("q", warren.ConsumeOptions{NoAck: true}, func(context.Context, warren.Delivery) error { return nil }); err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	msg := warren.Message{Body: body16}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if err := ch.Publish(ctx, "amq.topic", keys[i], msg, warren.PublishOptions{}); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(keys) {
			i = 0
		}
	}
}

// heapOf tells how many bytes of heap f's result holds.
func heapOf(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	return after.HeapAlloc - before.HeapAlloc
}

func BenchmarkQueueDeclare(b *testing.B) {
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprint("queue-", i)
	}
	b.ReportAllocs()
	var held uint64
	for b.Loop() {
		ch := brokertest.Channel(b, brokertest.New(b, nil))
		held = heapOf(func() {
			for _, n := range names {
				ch.QueueDeclare(n, warren.QueueOptions{})
			}
		})
		runtime.KeepAlive(ch)
	}
	b.ReportMetric(float64(held)/float64(len(names)), "B/queue")
}

func BenchmarkDeclareOne(b *testing.B) {
	ch := brokertest.Channel(b, brokertest.New(b, nil))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ch.QueueDeclare(fmt.Sprint("queue-", i), warren.QueueOptions{})
		i++
	}
}

// BenchmarkNewClose makes and ends a broker.
func BenchmarkNewClose(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		warren.New(nil).Close()
	}
}

// BenchmarkBacklog fills a queue with a million 16-byte messages, each with a
// body of its own.
func BenchmarkBacklog(b *testing.B) {
	const messages = 1_000_000
	var held uint64
	for b.Loop() {
		ch := brokertest.Channel(b, brokertest.New(b, nil))
		brokertest.Queues(b, ch, "q")
		ctx := context.Background()
		held = heapOf(func() {
			for range messages {
				body := append(make([]byte, 0, 16), body16...)
				if err := ch.Publish(ctx, "", "q", warren.Message{Body: body}, warren.PublishOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		runtime.KeepAlive(ch)
	}
	b.ReportMetric(float64(held)/messages, "heapB/msg")
}
