package amqp_test

import (
	"context"
	"encoding/binary"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// BenchmarkItems compares, over TCP, what a client consumes from a queue with the items
// that it gets from a handler, and what it publishes with the items that it sends to a
// caller.
func BenchmarkItems(b *testing.B) {
	const window = 10_000 // how far the sender may be ahead
	b.Run("consume", func(b *testing.B) { benchmarkConsumed(b, window) })
	b.Run("to-client", func(b *testing.B) { benchmarkItemsToClient(b, window) })
	b.Run("publish", func(b *testing.B) { benchmarkPublished(b, window, nil) })
	b.Run("publish-headers", func(b *testing.B) {
		benchmarkPublished(b, window, &wire.Properties{
			ReplyTo: warren.DirectReplyTo, CorrelationId: "1", Headers: wire.Table{"x-warren-item": int64(1)},
		})
	})
	b.Run("from-client", func(b *testing.B) { benchmarkItemsFromClient(b, window) })
}

// serveItems answers one request with items for ever: half a window for each message that
// comes.
func (c *benchClient) serveItems(b *testing.B, window int) {
	to := benchReplyAddress(b, c)
	const number = 0x0102030405060708
	p := wire.Properties{ReplyTo: warren.DirectReplyTo, CorrelationId: "1", Headers: wire.Table{"x-warren-item": int64(number)}}
	frames := publishFrames(window/2, 16, to, &p)
	var places []int
	for i := range len(frames) - 8 {
		if binary.BigEndian.Uint64(frames[i:]) == number {
			places = append(places, i)
		}
	}
	next := uint64(0)
	half := func() bool {
		for _, at := range places {
			next++
			binary.BigEndian.PutUint64(frames[at:], next)
		}
		_, err := c.Write(frames)
		return err == nil
	}
	for half() && c.frame() != 0 { // credit has no body frame
		if next == uint64(window/2) {
			half()
		}
		c.frame()
	}
}

// body reads up to the end of a message with a body.
func (c *benchClient) body() {
	for c.frame() != wire.FrameBody {
	}
}

// benchmarkPublished is a client that publishes, and a consumer in this process.
func benchmarkPublished(b *testing.B, window int, props *wire.Properties) {
	broker, srv := benchBroker(b)
	ch, err := broker.Channel()
	require.NoError(b, err)
	consumer, err := ch.Consume("q", warren.ConsumeOptions{NoAck: true})
	require.NoError(b, err)
	c := benchDial(b, srv)
	c.call(&wire.BasicConsume{Queue: []byte(warren.DirectReplyTo), NoAck: true})
	half := publishFrames(window/2, 16, "q", props)
	room := make(chan struct{}, 2)
	room <- struct{}{}
	room <- struct{}{}
	go func() {
		for range room {
			c.Write(half)
		}
	}()
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for range consumer.Deliveries(b.Context()) {
		if n++; n == b.N {
			break
		}
		if n%(window/2) == 0 {
			room <- struct{}{}
		}
	}
	close(room)
}

// benchmarkConsumed is a client that consumes, and a publisher in this process.
func benchmarkConsumed(b *testing.B, window int) {
	broker, srv := benchBroker(b)
	ch, err := broker.Channel()
	require.NoError(b, err)
	c := benchDial(b, srv)
	c.call(&wire.BasicConsume{Queue: []byte("q"), NoAck: true})
	room := make(chan struct{}, 2) // for half a window each
	room <- struct{}{}
	room <- struct{}{}
	go func() {
		body := make([]byte, 16)
		for range room {
			for range window / 2 {
				ch.Publish(b.Context(), "", "q", warren.Message{Body: body}, warren.PublishOptions{})
			}
		}
	}()
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		c.body()
		if n%(window/2) == window/2-1 {
			room <- struct{}{}
		}
	}
	close(room)
}

func benchmarkItemsToClient(b *testing.B, window int) {
	broker, srv := benchBroker(b)
	_, err := broker.HandleStream("stream", func(context.Context, *warren.Request, iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
		return func(yield func(warren.Message, error) bool) {
			body := make([]byte, 16)
			for yield(warren.Message{Body: body}, nil) {
			}
		}
	})
	require.NoError(b, err)
	c := benchDial(b, srv)
	c.call(&wire.BasicConsume{Queue: []byte(warren.DirectReplyTo), NoAck: true})
	c.Write(publishFrames(1, 0, "stream", &wire.Properties{
		ReplyTo: warren.DirectReplyTo, CorrelationId: "1", Headers: wire.Table{"x-warren-stream": int64(0)},
	}))
	credit := publishFrames(1, 0, benchReplyAddress(b, c), &wire.Properties{
		ReplyTo: warren.DirectReplyTo, CorrelationId: "1", Headers: wire.Table{"x-warren-credit": int64(window / 2)},
	})
	c.Write(credit)
	c.Write(credit)
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		c.body()
		if n%(window/2) == window/2-1 {
			c.Write(credit)
		}
	}
}

func benchmarkItemsFromClient(b *testing.B, window int) {
	broker, srv := benchBroker(b)
	c := benchDial(b, srv)
	c.call(&wire.BasicConsume{Queue: []byte(warren.DirectReplyTo), NoAck: true})
	c.call(&wire.BasicConsume{Queue: []byte("q"), NoAck: true})
	go c.serveItems(b, window)
	b.ReportAllocs()
	n := 0
	for _, err := range broker.CallStream(b.Context(), "q", warren.Message{}, nil, warren.CallOptions{Window: window}) {
		if err != nil {
			b.Fatal(err)
		}
		if n++; n == 1 {
			b.ResetTimer()
		}
		if n > b.N {
			break
		}
	}
}
