package warren_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files"
)

// These measure an opened broker on the disk that has the temporary directory. A floor is
// a plain program that appends the same bytes to a file and syncs it, in batches of the
// size that the broker's had in the run before.

func openBroker(b *testing.B) *warren.Broker {
	broker, err := warren.Open(b.TempDir(), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, broker.Close()) })
	return broker
}

// written is what a broker has written for a message, and how many of these a sync.
type written struct{ bytes, perSync float64 }

// measure runs f for messages, and tells what the log has written for each.
func measure(b *testing.B, broker *warren.Broker, f func()) (w written) {
	bytes, syncs := warren.LogWritten(broker)
	f()
	n := float64(b.N)
	bytesNow, syncsNow := warren.LogWritten(broker)
	w = written{float64(bytesNow-bytes) / n, n / max(1, float64(syncsNow-syncs))}
	b.ReportMetric(w.bytes, "written/op")
	b.ReportMetric(w.perSync, "msgs/sync")
	b.ReportMetric(n/b.Elapsed().Seconds(), "msgs/s")
	return w
}

// floor appends and syncs batches.
func (w written) floor(b *testing.B) {
	dir, err := files.Open(b.TempDir())
	require.NoError(b, err)
	f, err := dir.Create("floor")
	require.NoError(b, err)
	message := make([]byte, max(1, int(w.bytes)))
	batch, size := make([]byte, 0, len(message)*(int(w.perSync)+1)), len(message)*max(1, int(w.perSync))
	files, inFile := 1, 0
	for b.Loop() {
		if batch = append(batch, message...); len(batch) < size {
			continue
		}
		_, err := f.Write(batch)
		require.NoError(b, err)
		require.NoError(b, f.Sync())
		if inFile += len(batch); inFile > 32<<20 {
			require.NoError(b, f.Close())
			f, err = dir.Create(fmt.Sprint("floor", files))
			require.NoError(b, err)
			inFile = 0
			files++
		}
		batch = batch[:0]
	}
	require.NoError(b, f.Close())
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

// publishConfirmed publishes n messages in confirm mode, of which at most window wait for their
// confirms.
func publishConfirmed(b *testing.B, ch *warren.Channel, n, window int, msg warren.Message) {
	publishConfirmedTo(b, ch, "", "q", n, window, msg)
}

func publishConfirmedTo(b *testing.B, ch *warren.Channel, exchange, key string, n, window int, msg warren.Message) {
	ctx := context.Background()
	waiting := make([]*warren.Confirmation, min(n, window))
	for i := range n + len(waiting) {
		c := &waiting[i%len(waiting)]
		if *c != nil {
			if err := (*c).Wait(ctx); err != nil {
				b.Error(err)
				return
			}
		}
		if i < n {
			var err error
			if *c, err = ch.PublishConfirm(ctx, exchange, key, msg, warren.PublishOptions{}); err != nil {
				b.Error(err)
				return
			}
		}
	}
}

// BenchmarkConfirmed publishes persistent messages with confirms from several goroutines,
// each of which has at most a window of them unconfirmed.
func BenchmarkConfirmed(b *testing.B) {
	for _, c := range []struct{ goroutines, window, size int }{
		{1, 1, 16}, {8, 1, 16}, {64, 1, 16}, {1, 1000, 16}, {1, 1000, 1024}, {8, 1000, 16}, {64, 1000, 16},
	} {
		var w written
		name := fmt.Sprintf("goroutines=%d/window=%d/%dB", c.goroutines, c.window, c.size)
		b.Run(name+"/disk", func(b *testing.B) {
			broker := openBroker(b)
			brokertest.Queue(b, brokertest.Channel(b, broker), "q", warren.QueueOptions{Durable: true})
			msg := warren.Message{Body: make([]byte, c.size), DeliveryMode: warren.Persistent}
			b.ReportAllocs()
			b.ResetTimer()
			w = measure(b, broker, func() {
				var group sync.WaitGroup
				for i := range c.goroutines {
					ch := brokertest.Channel(b, broker)
					require.NoError(b, ch.Confirm())
					n := (b.N + i) / c.goroutines
					group.Go(func() { publishConfirmed(b, ch, n, c.window, msg) })
				}
				group.Wait()
			})
		})
		b.Run(name+"/floor", w.floor)
	}
}

// BenchmarkKeep publishes a 16-byte message, gets it and acks it, in one goroutine: a
// transient message in memory, the same in an opened broker, and one that is kept on disk
// as long as it is there.
func BenchmarkKeep(b *testing.B) {
	run := func(b *testing.B, broker *warren.Broker, msg warren.Message) {
		ch := brokertest.Channel(b, broker)
		brokertest.Queue(b, ch, "q", warren.QueueOptions{Durable: true})
		b.ReportAllocs()
		for b.Loop() {
			if err := ch.Publish(b.Context(), "", "q", msg, warren.PublishOptions{}); err != nil {
				b.Fatal(err)
			}
			d, ok, err := ch.Get("q", false)
			if err != nil || !ok {
				b.Fatal(err)
			}
			if err := d.Ack(false); err != nil {
				b.Fatal(err)
			}
		}
	}
	transient := warren.Message{Body: body16}
	b.Run("memory", func(b *testing.B) { run(b, brokertest.New(b, nil), transient) })
	b.Run("transient", func(b *testing.B) { run(b, openBroker(b), transient) })
	b.Run("persistent", func(b *testing.B) {
		run(b, openBroker(b), warren.Message{Body: body16, DeliveryMode: warren.Persistent})
	})
}

// BenchmarkDiskPublishConsume is PublishConsume in an opened broker: of transient messages,
// of persistent ones, and of transient ones in memory.
func BenchmarkDiskPublishConsume(b *testing.B) {
	run := func(b *testing.B, broker *warren.Broker, noAck bool, mode uint8) {
		ch := brokertest.Channel(b, broker)
		brokertest.Queue(b, ch, "q", warren.QueueOptions{Durable: true})
		publishConsumeOn(b, ch, noAck, warren.Message{Body: body16, DeliveryMode: mode})
	}
	for _, noAck := range []bool{true, false} {
		name := "no-ack/"
		if !noAck {
			name = "ack/"
		}
		b.Run(name+"memory", func(b *testing.B) { run(b, brokertest.New(b, nil), noAck, 0) })
		b.Run(name+"transient", func(b *testing.B) { run(b, openBroker(b), noAck, 0) })
		b.Run(name+"persistent", func(b *testing.B) { run(b, openBroker(b), noAck, warren.Persistent) })
	}
}

// BenchmarkDiskFanout publishes persistent messages of 1 KiB to an exchange with 10 durable
// queues, each of which has a consumer that acks meanwhile. Written/op shows that the body
// is written once. The floor writes as much.
func BenchmarkDiskFanout(b *testing.B) {
	const width = 10
	var w written
	b.Run("disk", func(b *testing.B) {
		broker := openBroker(b)
		ch := brokertest.Channel(b, broker)
		var group sync.WaitGroup
		for i := range width {
			name := fmt.Sprint("q", i)
			brokertest.Queue(b, ch, name, warren.QueueOptions{Durable: true})
			must(b, ch.QueueBind(name, "", "amq.fanout", nil))
		}
		publisher := brokertest.Channel(b, broker)
		require.NoError(b, publisher.Confirm())
		msg := warren.Message{Body: make([]byte, 1024), DeliveryMode: warren.Persistent}
		b.ReportAllocs()
		b.ResetTimer()
		w = measure(b, broker, func() {
			n := b.N
			for i := range width {
				group.Go(func() { consume(b, broker, fmt.Sprint("q", i), n) })
			}
			publishConfirmedTo(b, publisher, "amq.fanout", "", n, 1000, msg)
			group.Wait()
		})
	})
	b.Run("floor", w.floor)
}

// BenchmarkDiskConsume consumes messages of 16 bytes that are on disk, with acks.
func BenchmarkDiskConsume(b *testing.B) {
	broker := openBroker(b)
	ch := brokertest.Channel(b, broker)
	brokertest.Queue(b, ch, "q", warren.QueueOptions{Durable: true})
	require.NoError(b, ch.Confirm())
	publishConfirmed(b, ch, b.N, 1000, warren.Message{Body: body16, DeliveryMode: warren.Persistent})
	b.ReportAllocs()
	b.ResetTimer()
	consume(b, broker, "q", b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

// consume takes n messages from a queue, and acks them.
func consume(b *testing.B, broker *warren.Broker, queue string, n int) {
	ch, err := broker.Channel()
	if err != nil {
		b.Error(err)
		return
	}
	defer ch.Close()
	got := 0
	for d, err := range ch.Deliveries(context.Background(), queue, warren.ConsumeOptions{Prefetch: 1000}) {
		if err == nil {
			err = d.Ack(false)
		}
		if err != nil {
			b.Error(err)
			return
		}
		if got++; got == n {
			return
		}
	}
}
