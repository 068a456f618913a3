package warren_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// rpBubble runs f with a broker in a bubble of its own, and closes the broker:
// a goroutine that is left fails the test.
func rpBubble(t *testing.T, o *warren.Options, f func(t *testing.T, b *warren.Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(o)
		defer func() { require.NoError(t, b.Close()) }()
		f(t, b)
	})
}

func rpChannel(t *testing.T, b *warren.Broker) *warren.Channel {
	t.Helper()
	ch, err := b.Channel()
	require.NoError(t, err)
	return ch
}

func rpQueue(t *testing.T, ch *warren.Channel, name string) {
	t.Helper()
	_, err := ch.QueueDeclare(name, warren.QueueOptions{})
	require.NoError(t, err)
}

func rpPublish(t *testing.T, ch *warren.Channel, queue string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		require.NoError(t, ch.Publish(t.Context(), "", queue, warren.Message{Body: []byte(body)}, warren.PublishOptions{Mandatory: true}))
	}
}

// rpNumbers publishes the bodies "0" to n-1.
func rpNumbers(t *testing.T, ch *warren.Channel, queue string, n int) {
	t.Helper()
	for i := range n {
		rpPublish(t, ch, queue, strconv.Itoa(i))
	}
}

func rpHandle(t *testing.T, s warren.Responder, queue string, h warren.HandlerFunc, opts ...warren.HandleOptions) *warren.Handler {
	t.Helper()
	handler, err := s.Handle(queue, h, opts...)
	require.NoError(t, err)
	return handler
}

// rpReply answers every request with a fixed body.
func rpReply(body string) warren.HandlerFunc {
	return func(context.Context, *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte(body)}, nil
	}
}

// rpGate is a handler that tells of each request and answers when it is let go
// or its context ends.
type rpGate struct {
	entered chan string // bodies
	release chan struct{}
}

func rpNewGate() *rpGate {
	return &rpGate{entered: make(chan string, 1000), release: make(chan struct{})}
}

func (g *rpGate) serve(ctx context.Context, req *warren.Request) (warren.Message, error) {
	g.entered <- string(req.Body)
	select {
	case <-g.release:
		return warren.Message{Body: req.Body}, nil
	case <-ctx.Done():
		return warren.Message{}, context.Cause(ctx)
	}
}

// rpResult is how a Call ended.
type rpResult struct {
	reply warren.Message
	err   error
}

// rpGo calls in a goroutine.
func rpGo(ctx context.Context, c warren.Caller, queue, body string, opts ...warren.CallOptions) <-chan rpResult {
	result := make(chan rpResult, 1)
	go func() {
		reply, err := c.Call(ctx, queue, warren.Message{Body: []byte(body)}, opts...)
		result <- rpResult{reply, err}
	}()
	return result
}

// rpClean requires that nothing is left of any call.
func rpClean(t *testing.T, b *warren.Broker) {
	t.Helper()
	synctest.Wait()
	s := b.Stats()
	require.Zero(t, s.Requesters, "requesters")
	require.Zero(t, s.Ready, "ready")
	require.Zero(t, s.Unacked, "unacked")
	require.Zero(t, s.Bytes, "bytes")
}

func TestCallGetsTheReplyOfTheHandler(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		rpHandle(t, b, "double", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			n, err := strconv.Atoi(string(req.Body))
			return warren.Message{Type: "answer", Body: []byte(strconv.Itoa(2 * n))}, err
		})
		reply, err := b.Call(t.Context(), "double", warren.Message{Body: []byte("21")})
		require.NoError(t, err)
		require.Equal(t, "42", string(reply.Body))
		require.Equal(t, "answer", reply.Type)
		rpClean(t, b)
		require.EqualValues(t, 1, b.Stats().Replies)
	})
}

func TestHandlerSeesTheRequestAsItWasSent(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		var got warren.Message
		var exchange, key string
		var redelivered bool
		rpHandle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			got, exchange, key, redelivered = req.Message, req.Exchange, req.RoutingKey, req.Redelivered
			return warren.Message{}, nil
		})
		msg := warren.Message{
			Headers: warren.Table{"k": "v"}, ContentType: "text/plain", Priority: 3,
			CorrelationId: "mine", ReplyTo: "not what the caller chooses", MessageId: "id", Type: "t", AppId: "app",
			Body: []byte("body"),
		}
		reply, err := b.Call(t.Context(), "q", msg)
		require.NoError(t, err)
		require.Equal(t, "mine", reply.CorrelationId)
		require.Equal(t, "not what the caller chooses", msg.ReplyTo, "the caller's message stays as it is")

		require.Regexp(t, `^amq\.direct\.reply-to\..{22,}$`, got.ReplyTo)
		require.Equal(t, "", exchange)
		require.Equal(t, "q", key)
		require.False(t, redelivered)
		msg.ReplyTo = got.ReplyTo
		require.Equal(t, msg, got)
	})
}

func TestCallWithoutCorrelationIdGetsOneOfItsOwn(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		seen := make(map[string]bool)
		rpHandle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: []byte(req.CorrelationId)}, nil
		})
		for range 100 {
			reply, err := b.Call(t.Context(), "q", warren.Message{})
			require.NoError(t, err)
			require.NotEmpty(t, reply.CorrelationId)
			require.Equal(t, reply.CorrelationId, string(reply.Body))
			require.False(t, seen[reply.CorrelationId], "used twice")
			seen[reply.CorrelationId] = true
		}
	})
}

func TestReplyKeepsItsOwnCorrelationId(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		rpHandle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{CorrelationId: "the handler's"}, nil
		})
		reply, err := b.Call(t.Context(), "q", warren.Message{CorrelationId: "the caller's"})
		require.NoError(t, err)
		require.Equal(t, "the handler's", reply.CorrelationId)
	})
}

func TestRepliesAreNeverCrossed(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		rpHandle(t, b, "echo", echo)
		rpHandle(t, b, "shout", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: append([]byte("!"), req.Body...)}, nil
		}, warren.HandleOptions{Concurrency: 3})
		var wg sync.WaitGroup
		var wrong atomic.Int64
		for caller := range 50 {
			wg.Go(func() {
				for i := range 40 {
					queue, want := "echo", fmt.Sprintf("%d/%d", caller, i)
					body := []byte(want)
					if i%2 == 1 {
						queue, want = "shout", "!"+want
					}
					// One CorrelationId for all: it has no part in the matching.
					reply, err := b.Call(t.Context(), queue, warren.Message{Body: body, CorrelationId: "same"})
					if err != nil || string(reply.Body) != want || reply.CorrelationId != "same" {
						wrong.Add(1)
					}
				}
			})
		}
		wg.Wait()
		require.Zero(t, wrong.Load())
		rpClean(t, b)
		s := b.Stats()
		require.EqualValues(t, 2000, s.Replies)
		require.EqualValues(t, 2000, s.Acked)
		require.Zero(t, s.RepliesTooLate)
	})
}

func TestCallFailsAtOnceWhenNobodyIsBound(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		_, err := b.Call(t.Context(), "nobody", warren.Message{Body: []byte("x")})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		var returned *warren.Return
		require.ErrorAs(t, err, &returned)
		require.EqualValues(t, 312, returned.Code)
		require.Equal(t, "NO_ROUTE", returned.Text)
		require.Equal(t, "nobody", returned.RoutingKey)
		require.Equal(t, "x", string(returned.Body))

		_, err = b.Call(t.Context(), "nobody", warren.Message{}, warren.CallOptions{Exchange: "amq.topic"})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		_, err = b.Call(t.Context(), "nobody", warren.Message{}, warren.CallOptions{Exchange: "missing"})
		require.ErrorIs(t, err, warren.ErrNotFound)
		require.ErrorContains(t, err, "NOT_FOUND - no exchange 'missing' in vhost '/'")
		rpClean(t, b)
	})
}

func TestRequireConsumerNeedsOneWithRoom(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		_, err := b.Call(t.Context(), "q", warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(t, err, warren.ErrNoConsumers, "no queue")

		ch := rpChannel(t, b)
		rpQueue(t, ch, "q")
		_, err = b.Call(t.Context(), "q", warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(t, err, warren.ErrNoConsumers, "no consumer")
		require.NotErrorIs(t, err, warren.ErrNoRoute)
		var returned *warren.Return
		require.ErrorAs(t, err, &returned)
		require.EqualValues(t, 313, returned.Code)

		gate := rpNewGate()
		rpHandle(t, b, "q", gate.serve, warren.HandleOptions{Concurrency: 1})
		first := rpGo(t.Context(), b, "q", "first", warren.CallOptions{RequireConsumer: true})
		<-gate.entered
		_, err = b.Call(t.Context(), "q", warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(t, err, warren.ErrNoConsumers, "the only consumer is busy")
		close(gate.release)
		require.NoError(t, (<-first).err)
		synctest.Wait()
		_, err = b.Call(t.Context(), "q", warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.NoError(t, err)
		rpClean(t, b)
	})
}

func TestCallViaDirectExchangeFollowsBindings(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		var exchange string
		rpHandle(t, b, "prices.eu", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			exchange = req.Exchange
			return warren.Message{Body: []byte(req.RoutingKey)}, nil
		})
		ch := rpChannel(t, b)
		require.NoError(t, ch.QueueBind("prices.eu", "eu", "amq.direct", nil))
		reply, err := b.Call(t.Context(), "eu", warren.Message{}, warren.CallOptions{Exchange: "amq.direct"})
		require.NoError(t, err)
		require.Equal(t, "eu", string(reply.Body))
		require.Equal(t, "amq.direct", exchange)
		_, err = b.Call(t.Context(), "us", warren.Message{}, warren.CallOptions{Exchange: "amq.direct"})
		require.ErrorIs(t, err, warren.ErrNoRoute)
	})
}

func TestFirstReplyOfSeveralHandlersWins(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		ch := rpChannel(t, b)
		slow, calls := rpNewGate(), atomic.Int32{}
		for _, name := range []string{"slow1", "fast", "slow2"} {
			h := slow.serve
			if name == "fast" {
				h = rpReply("fast")
			}
			rpHandle(t, b, name, func(ctx context.Context, req *warren.Request) (warren.Message, error) {
				calls.Add(1)
				return h(ctx, req)
			})
			require.NoError(t, ch.QueueBind(name, "", "amq.fanout", nil))
		}
		ctx := t.Context()
		reply, err := b.Call(ctx, "", warren.Message{Body: []byte("x")}, warren.CallOptions{Exchange: "amq.fanout"})
		require.NoError(t, err)
		require.Equal(t, "fast", string(reply.Body))
		synctest.Wait()
		require.EqualValues(t, 3, calls.Load())

		// A reply that comes too late hurts nobody, least of all the next call.
		close(slow.release)
		synctest.Wait()
		require.EqualValues(t, 2, b.Stats().RepliesTooLate)
		rpHandle(t, b, "other", rpReply("other"))
		reply, err = b.Call(ctx, "other", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "other", string(reply.Body))
		rpClean(t, b)
	})
}

func TestAnyConsumerCanAnswerACall(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		ch := rpChannel(t, b)
		rpQueue(t, ch, "q")
		_, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(d warren.Delivery) {
			reply := warren.Message{CorrelationId: d.CorrelationId, Body: append([]byte("re: "), d.Body...)}
			if string(d.Body) == "fail" {
				reply.Headers = warren.Table{warren.ErrorCodeHeader: "sold-out", warren.ErrorTextHeader: "nothing left"}
			}
			ch.Publish(context.Background(), "", d.ReplyTo, reply, warren.PublishOptions{})
			d.Ack(false)
		})
		require.NoError(t, err)
		reply, err := b.Call(t.Context(), "q", warren.Message{Body: []byte("x"), CorrelationId: "1"})
		require.NoError(t, err)
		require.Equal(t, "re: x", string(reply.Body))
		require.Equal(t, "1", reply.CorrelationId)

		_, err = b.Call(t.Context(), "q", warren.Message{Body: []byte("fail")})
		var remote *warren.RemoteError
		require.ErrorAs(t, err, &remote)
		require.Equal(t, warren.RemoteError{Code: "sold-out", Text: "nothing left"}, *remote)
		rpClean(t, b)
	})
}

// The workflow of the AMQP model: a callback queue and correlation ids.
func TestCallbackQueueWorkflow(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		serve := rpChannel(t, b)
		rpQueue(t, serve, "rpc_queue")
		_, err := serve.ConsumeFunc("rpc_queue", warren.ConsumeOptions{Prefetch: 1}, func(d warren.Delivery) {
			n, _ := strconv.Atoi(string(d.Body))
			serve.Publish(context.Background(), "", d.ReplyTo, warren.Message{
				CorrelationId: d.CorrelationId, Body: []byte(strconv.Itoa(n * n)),
			}, warren.PublishOptions{})
			d.Ack(false)
		})
		require.NoError(t, err)
		// The same requests can be served by a Handler.
		rpHandle(t, b, "rpc_handler", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			n, err := strconv.Atoi(string(req.Body))
			return warren.Message{Body: []byte(strconv.Itoa(n * n))}, err
		})

		for _, queue := range []string{"rpc_queue", "rpc_handler"} {
			client := rpChannel(t, b)
			callback, err := client.QueueDeclare("", warren.QueueOptions{Exclusive: true})
			require.NoError(t, err)
			require.Regexp(t, "^amq.gen-", callback.Name)
			replies, err := client.Consume(callback.Name, warren.ConsumeOptions{NoAck: true})
			require.NoError(t, err)
			for i := range 20 {
				require.NoError(t, client.Publish(t.Context(), "", queue, warren.Message{
					ReplyTo: callback.Name, CorrelationId: "id-" + strconv.Itoa(i), Body: []byte(strconv.Itoa(i)),
				}, warren.PublishOptions{Mandatory: true}))
			}
			squares := make(map[string]string)
			for range 20 {
				d, err := replies.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, callback.Name, d.RoutingKey)
				squares[d.CorrelationId] = string(d.Body)
			}
			require.Len(t, squares, 20)
			for i := range 20 {
				require.Equal(t, strconv.Itoa(i*i), squares["id-"+strconv.Itoa(i)])
			}
			require.NoError(t, client.Close())
			_, err = rpChannel(t, b).QueueDeclarePassive(callback.Name)
			require.ErrorIs(t, err, warren.ErrNotFound, "the callback queue ends with its session")
		}
	})
}

func TestHandlerServesMessagesThatWantNoReply(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		var n atomic.Int32
		rpHandle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			if n.Add(1)%2 == 0 {
				return warren.Message{}, errors.New("nobody hears of this")
			}
			return warren.Message{Body: []byte("nor of this")}, nil
		})
		rpNumbers(t, rpChannel(t, b), "q", 10)
		rpClean(t, b)
		require.EqualValues(t, 10, n.Load())
		require.EqualValues(t, 10, b.Stats().Acked)
	})
}

func TestThirdPartyAnswersForAHandler(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		ch := rpChannel(t, b)
		rpHandle(t, b, "expert", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: append([]byte("expert on "), req.Body...)}, nil
		})
		rpHandle(t, b, "front", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			err := ch.Publish(ctx, "", "expert", req.Message, warren.PublishOptions{Mandatory: true})
			return warren.Message{}, errors.Join(err, warren.ErrNoReply)
		})
		reply, err := b.Call(t.Context(), "front", warren.Message{Body: []byte("rabbits"), CorrelationId: "7"})
		require.NoError(t, err)
		require.Equal(t, "expert on rabbits", string(reply.Body))
		require.Equal(t, "7", reply.CorrelationId)
		rpClean(t, b)
	})
}

func TestCallsOfVirtualHostsStayApart(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		other, err := b.VirtualHostDeclare("other")
		require.NoError(t, err)
		rpHandle(t, b, "q", rpReply("root"))
		_, err = other.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		rpHandle(t, other, "q", rpReply("other"))
		reply, err := other.Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "other", string(reply.Body))
		reply, err = b.Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "root", string(reply.Body))
	})
}
