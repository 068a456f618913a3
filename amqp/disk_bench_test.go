package amqp_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/wire"
)

// ack reads frames up to the next basic.ack and returns its delivery tag.
func (c *benchClient) ack() uint64 {
	for {
		head, err := c.in.Peek(7)
		if err != nil {
			return ^uint64(0)
		}
		size := int(binary.BigEndian.Uint32(head[3:]))
		frame, err := c.in.Peek(8 + size)
		if err != nil {
			return ^uint64(0)
		}
		var tag uint64
		if binary.BigEndian.Uint32(frame[7:]) == 60<<16|80 {
			tag = binary.BigEndian.Uint64(frame[11:])
		}
		c.in.Discard(len(frame))
		if tag != 0 {
			return tag
		}
	}
}

// publishConfirmed publishes n messages with confirms, of which at most a window wait for
// theirs.
func (c *benchClient) publishConfirmed(n, window int, frames []byte, batch int) {
	sent, acked := 0, 0
	for acked < n {
		for sent < n && sent+batch-acked <= window {
			c.Write(frames) // more than n in the end
			sent += batch
		}
		acked = int(c.ack())
	}
}

// BenchmarkDiskListenerConfirmed publishes persistent messages with confirms over TCP by a
// pipelined client, to a durable queue of an opened broker and to one in memory. The floor
// appends to a file what a message takes in the broker's log, and syncs it, as often as a
// broker does that has half of the window in each sync.
func BenchmarkDiskListenerConfirmed(b *testing.B) {
	const window, batch = 4096, 256
	persistent := &wire.Properties{DeliveryMode: 2}
	run := func(b *testing.B, broker *warren.Broker, size int) {
		srv := amqp.NewServer(broker, nil)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(b, err)
		go srv.Serve(l)
		b.Cleanup(func() {
			srv.Close()
			broker.Close()
		})
		for srv.Addr() == nil {
			runtime.Gosched()
		}
		c := benchDial(b, srv)
		c.call(&wire.QueueDeclare{Queue: "q", Durable: true})
		c.call(&wire.ConfirmSelect{})
		frames := publishFrames(batch, size, "q", persistent)
		b.SetBytes(int64(size))
		b.ReportAllocs()
		b.ResetTimer()
		c.publishConfirmed(b.N, window, frames, batch)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
	}
	for _, size := range []int{16, 1024} {
		b.Run(fmt.Sprint(size, "/disk"), func(b *testing.B) {
			broker, err := warren.Open(b.TempDir(), nil)
			require.NoError(b, err)
			run(b, broker, size)
		})
		b.Run(fmt.Sprint(size, "/memory"), func(b *testing.B) { run(b, warren.New(nil), size) })
		b.Run(fmt.Sprint(size, "/floor"), func(b *testing.B) {
			dir, err := files.Open(b.TempDir())
			require.NoError(b, err)
			f, err := dir.Create("floor")
			require.NoError(b, err)
			message, all := make([]byte, size+25), make([]byte, 0, window/2*(size+25))
			for b.Loop() {
				if all = append(all, message...); len(all) < cap(all)-len(message) {
					continue
				}
				_, err := f.Write(all)
				require.NoError(b, err)
				require.NoError(b, f.Sync())
				all = all[:0]
			}
			require.NoError(b, f.Close())
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}
