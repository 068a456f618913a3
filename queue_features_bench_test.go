package warren_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func benchPut(b *testing.B, ch *warren.Channel, queue string, msg warren.Message) {
	if err := ch.Publish(context.Background(), "", queue, msg, warren.PublishOptions{}); err != nil {
		b.Fatal(err)
	}
}

func benchGet(b *testing.B, ch *warren.Channel, queue string) {
	if _, ok, err := ch.Get(queue, true); !ok || err != nil {
		b.Fatal(ok, err)
	}
}

// BenchmarkExpiry tells what a deadline costs each of a million messages, and
// how fast a backlog goes when it has expired: it lies behind a message that
// lives, and goes with that at once.
func BenchmarkExpiry(b *testing.B) {
	const messages = 1_000_000
	backlog := func(b *testing.B, o warren.QueueOptions) uint64 {
		ch := brokertest.Channel(b, brokertest.New(b, nil))
		brokertest.Queue(b, ch, "q", o)
		defer runtime.KeepAlive(ch)
		return heapOf(func() {
			for range messages {
				benchPut(b, ch, "q", warren.Message{Body: body16})
			}
		})
	}
	var plain, timed uint64
	var went time.Duration
	for b.Loop() {
		plain = backlog(b, warren.QueueOptions{})
		timed = backlog(b, warren.QueueOptions{MessageTTL: 24 * time.Hour})

		ch := brokertest.Channel(b, brokertest.New(b, nil))
		brokertest.Queue(b, ch, "q", warren.QueueOptions{})
		benchPut(b, ch, "q", warren.Message{})
		for range messages {
			benchPut(b, ch, "q", warren.Message{Body: body16, Expiration: "1"})
		}
		time.Sleep(2 * time.Millisecond)
		start := time.Now()
		benchGet(b, ch, "q")
		went = time.Since(start)
		if _, ok, _ := ch.Get("q", true); ok {
			b.Fatal("a message has survived")
		}
	}
	b.ReportMetric(float64(timed)/messages, "heapB/msg")
	b.ReportMetric(float64(plain)/messages, "plain-heapB/msg")
	b.ReportMetric(messages/went.Seconds(), "expired/s")
}

// BenchmarkPriorityQueue puts messages of ten priorities into a queue that
// holds a thousand, and takes as many out: beside one that knows no priority.
func BenchmarkPriorityQueue(b *testing.B) {
	for name, most := range map[string]uint8{"plain": 0, "10 levels": 9} {
		b.Run(name, func(b *testing.B) {
			ch := brokertest.Channel(b, brokertest.New(b, nil))
			brokertest.Queue(b, ch, "q", warren.QueueOptions{MaxPriority: most})
			msg := warren.Message{Body: body16}
			put := func(i int) {
				msg.Priority = uint8(i % 10)
				benchPut(b, ch, "q", msg)
			}
			for i := range 1000 {
				put(i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				put(i)
				benchGet(b, ch, "q")
				i++
			}
		})
	}
}

// BenchmarkDeadLetter moves each message by a queue that is too short for it
// to another one, and takes it there: beside one that is published there.
func BenchmarkDeadLetter(b *testing.B) {
	for name, queue := range map[string]string{"plain": "dead", "dead-lettered": "short"} {
		b.Run(name, func(b *testing.B) {
			ch := brokertest.Channel(b, brokertest.New(b, nil))
			brokertest.Queue(b, ch, "dead", warren.QueueOptions{})
			brokertest.Queue(b, ch, "short", warren.QueueOptions{MaxLength: 1, DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})
			msg := warren.Message{Body: body16}
			benchPut(b, ch, "short", msg) // each pushes the one before out
			b.ReportAllocs()
			for b.Loop() {
				benchPut(b, ch, queue, msg)
				benchGet(b, ch, "dead")
			}
		})
	}
}

// BenchmarkConsumerTimeout delivers and settles with a timeout, and without.
func BenchmarkConsumerTimeout(b *testing.B) {
	for name, timeout := range map[string]time.Duration{"none": 0, "30m": 30 * time.Minute} {
		b.Run(name, func(b *testing.B) {
			ch := brokertest.Channel(b, brokertest.New(b, nil))
			brokertest.Queue(b, ch, "q", warren.QueueOptions{ConsumerTimeout: timeout})
			c, err := ch.Consume("q", warren.ConsumeOptions{Prefetch: 10})
			if err != nil {
				b.Fatal(err)
			}
			msg := warren.Message{Body: body16}
			b.ReportAllocs()
			for b.Loop() {
				benchPut(b, ch, "q", msg)
				d, err := c.Next(context.Background())
				if err == nil {
					err = d.Ack(false)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
