package amqp_test

import (
	"context"
	"iter"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

type items = iter.Seq2[warren.Message, error]

const (
	bigItems = 500
	bigItem  = 64 << 10

	// mostAhead is more than the items that fill a connection's buffer, and what it is
	// writing meanwhile.
	mostAhead = 30
)

// bigStream serves a queue with a stream of much more than a connection's buffer takes.
type bigStream struct {
	yielded atomic.Int32
	left    atomic.Bool // yield has returned false
	ended   chan error  // why the context had ended by then
}

func serveBigStream(t *env, n int) *bigStream {
	s := &bigStream{ended: make(chan error, 1)}
	_, err := t.broker.HandleStream("big", func(ctx context.Context, _ *warren.Request, _ items) items {
		return func(yield func(warren.Message, error) bool) {
			body := make([]byte, bigItem)
			for range n {
				if s.yielded.Add(1); !yield(warren.Message{Body: body}, nil) {
					s.left.Store(true)
					break
				}
			}
			s.ended <- ctx.Err()
		}
	})
	require.NoError(t, err)
	return s
}

// says publishes a message with headers and the client's reply address.
func (r *rawClient) says(key string, headers wire.Table) {
	r.t.Helper()
	p := wire.Properties{ReplyTo: warren.DirectReplyTo, CorrelationId: "1", Headers: headers}
	r.write(wire.AppendPublish(nil, 1, &wire.BasicPublish{RoutingKey: []byte(key)}, p.Append(nil), nil, 4096))
}

// asks sends a request for a stream of n items, and returns the server's address.
func (r *rawClient) asks(queue string, n int) string {
	r.t.Helper()
	r.send(1, &wire.BasicConsume{Queue: []byte(warren.DirectReplyTo), NoAck: true, ConsumerTag: []byte("items")})
	expect[*wire.BasicConsumeOk](r)
	r.says(queue, wire.Table{"x-warren-stream": int64(n)})
	p, _, _ := r.delivery()
	return p.ReplyTo
}

// delivery reads a delivery.
func (r *rawClient) delivery() (p wire.Properties, size int, tag string) {
	r.t.Helper()
	tag = string(expect[*wire.BasicDeliver](r).ConsumerTag)
	h, err := wire.ParseContentHeader(r.nextFrame().Payload)
	require.NoError(r.t, err)
	require.NoError(r.t, p.Parse(h.Properties))
	for uint64(size) < h.BodySize {
		size += len(r.nextFrame().Payload)
	}
	return p, size, tag
}

// A client may give credit for more than a connection's buffer takes, and need not read
// at once. The handler waits, and the connection stays.
func TestAStreamWaitsForRoomInTheConnection(t *testing.T) {
	withServer(t, func(t *env) {
		s := serveBigStream(t, bigItems)
		r := t.raw()
		t.queue(t.open(), "q")
		r.send(1, &wire.BasicConsume{Queue: []byte("q"), NoAck: true, ConsumerTag: []byte("queue")})
		expect[*wire.BasicConsumeOk](r)
		r.asks("big", bigItems)
		synctest.Wait()
		require.LessOrEqual(t, s.yielded.Load(), int32(mostAhead))
		ch := t.native()
		for range 3 {
			require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte("x")}, warren.PublishOptions{}))
		}
		fromQueue := 0
		for n := int64(1); n <= bigItems; {
			p, size, tag := r.delivery()
			if tag == "queue" {
				require.Less(t, n, int64(bigItems/2), "the queue's consumer has its turns, too")
				fromQueue++
				continue
			}
			require.Equal(t, wire.Table{"x-warren-item": n}, p.Headers)
			require.Equal(t, bigItem, size)
			n++
		}
		require.Equal(t, 3, fromQueue)
		p, _, _ := r.delivery()
		require.Equal(t, wire.Table{"x-warren-end": int64(bigItems)}, p.Headers)
		require.NoError(t, <-s.ended)
		require.False(t, s.left.Load())
	})
}

func TestAStreamThatWaitsForRoomEnds(t *testing.T) {
	for name, end := range map[string]func(t *env, r *rawClient, server string){
		"cancelled":      func(_ *env, r *rawClient, server string) { r.says(server, wire.Table{"x-warren-cancel": true}) },
		"consumer gone":  func(_ *env, r *rawClient, _ string) { r.send(1, &wire.BasicCancel{ConsumerTag: []byte("items")}) },
		"channel closed": func(_ *env, r *rawClient, _ string) { r.send(1, &wire.ChannelClose{ReplyCode: 200}) },
		"client gone":    func(_ *env, r *rawClient, _ string) { r.conn.Close() },
		"broker closed":  func(t *env, _ *rawClient, _ string) { require.NoError(t, t.broker.Close()) },
		"server closed":  func(t *env, _ *rawClient, _ string) { require.NoError(t, t.server.Close()) },
		"shutdown": func(t *env, _ *rawClient, _ string) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, t.server.Shutdown(ctx), "a client that does not answer is cut off")
		},
		"session closed": func(t *env, _ *rawClient, _ string) {
			for _, s := range t.broker.Sessions() {
				if s.Remote {
					require.NoError(t, t.broker.SessionClose(s.ID, "by hand"))
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				s := serveBigStream(t, math.MaxInt)
				r := t.raw()
				server := r.asks("big", math.MaxInt)
				synctest.Wait()
				require.Less(t, s.yielded.Load(), int32(mostAhead))
				end(t, r, server)
				require.Equal(t, context.Canceled, <-s.ended)
				require.True(t, s.left.Load())
			})
		})
	}
}

// A client that wants no deliveries (channel.flow) gets no items.
func TestAStreamWaitsForFlow(t *testing.T) {
	withServer(t, func(t *env) {
		s := serveBigStream(t, bigItems)
		r := t.raw()
		server := r.asks("big", 1)
		r.delivery()
		r.send(1, &wire.ChannelFlow{Active: false})
		expect[*wire.ChannelFlowOk](r)
		r.says(server, wire.Table{"x-warren-credit": int64(1)})
		synctest.Wait()
		require.Equal(t, int32(2), s.yielded.Load(), "the second waits, although there is credit")
		r.send(1, &wire.ChannelFlow{Active: true})
		came := map[wire.MethodID]int{}
		for range 2 { // in any order
			m, _ := r.next()
			if came[m.ID()]++; m.ID() == wire.BasicDeliverID {
				r.content()
			}
		}
		require.Equal(t, map[wire.MethodID]int{wire.BasicDeliverID: 1, wire.ChannelFlowOkID: 1}, came)
	})
}

// The items of a caller wait for room in the connection of the server.
func TestItemsOfACallerWaitForRoomInTheConnection(t *testing.T) {
	withServer(t, func(t *env) {
		t.queue(t.open(), "q")
		r := t.raw()
		r.send(1, &wire.BasicConsume{Queue: []byte(warren.DirectReplyTo), NoAck: true})
		expect[*wire.BasicConsumeOk](r)
		r.send(1, &wire.BasicConsume{Queue: []byte("q"), NoAck: true})
		expect[*wire.BasicConsumeOk](r)
		sent, left := atomic.Int32{}, make(chan struct{})
		in := func(yield func(warren.Message, error) bool) {
			defer close(left)
			for sent.Add(1); yield(warren.Message{Body: []byte(strings.Repeat("x", bigItem))}, nil); sent.Add(1) {
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			for _, err := range t.broker.CallStream(ctx, "q", warren.Message{}, in) {
				done <- err
			}
		}()
		p, _, _ := r.delivery()
		r.says(p.ReplyTo, wire.Table{"x-warren-credit": int64(bigItems)})
		synctest.Wait()
		require.LessOrEqual(t, sent.Load(), int32(mostAhead))
		for n := range int64(100) {
			p, size, _ := r.delivery()
			require.Equal(t, wire.Table{"x-warren-item": n + 1}, p.Headers)
			require.Equal(t, bigItem, size)
		}
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
		<-left
	})
}

// Many streams that wait at once take turns: the connection stays, and each gets on.
func TestManyStreamsWaitForRoomInOneConnection(t *testing.T) {
	withServer(t, func(t *env) {
		const streams, each = 1000, 3
		body := make([]byte, 16<<10)
		h, err := t.broker.HandleStream("many", func(context.Context, *warren.Request, items) items {
			return func(yield func(warren.Message, error) bool) {
				for n := 0; n < each && yield(warren.Message{Body: body}, nil); n++ {
				}
			}
		}, warren.HandleOptions{Concurrency: streams})
		require.NoError(t, err)
		r := t.raw()
		r.asks("many", each)
		for range streams - 1 {
			r.says("many", wire.Table{"x-warren-stream": int64(each)})
		}
		synctest.Wait()
		came := make(map[string]int) // items of each stream
		for ended := 0; ended < streams; {
			p, size, _ := r.delivery()
			switch {
			case p.Headers["x-warren-item"] != nil:
				came[p.ReplyTo]++
				require.Equal(t, int64(came[p.ReplyTo]), p.Headers["x-warren-item"])
				require.Equal(t, len(body), size)
			case p.Headers["x-warren-end"] != nil:
				require.Equal(t, int64(each), p.Headers["x-warren-end"])
				ended++
			}
		}
		require.Len(t, came, streams)
		require.NoError(t, h.Close())
	})
}
