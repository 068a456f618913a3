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
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestCallGetsTheReplyOfTheHandler(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "double", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			n, err := strconv.Atoi(string(req.Body))
			return warren.Message{Type: "answer", Body: []byte(strconv.Itoa(2 * n))}, err
		})
		reply, err := b.Call(t.Context(), "double", warren.Message{Body: []byte("21")})
		require.NoError(t, err)
		require.Equal(t, "42", string(reply.Body))
		require.Equal(t, "answer", reply.Type)
		brokertest.Clean(t, b)
		require.EqualValues(t, 1, b.Stats().Replies)
	})
}

func TestHandlerSeesTheRequestAsItWasSent(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var got warren.Message
		var exchange, key string
		var redelivered bool
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
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
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		seen := make(map[string]bool)
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
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
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{CorrelationId: "the handler's"}, nil
		})
		reply, err := b.Call(t.Context(), "q", warren.Message{CorrelationId: "the caller's"})
		require.NoError(t, err)
		require.Equal(t, "the handler's", reply.CorrelationId)
	})
}

func TestRepliesAreNeverCrossed(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "echo", brokertest.Echo)
		brokertest.Handle(t, b, "shout", func(_ context.Context, req *warren.Request) (warren.Message, error) {
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
		brokertest.Clean(t, b)
		s := b.Stats()
		require.EqualValues(t, 2000, s.Replies)
		require.EqualValues(t, 2000, s.Acked)
		require.Zero(t, s.RepliesTooLate)
	})
}

func TestCallFailsAtOnceWhenNobodyIsBound(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
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
		brokertest.Clean(t, b)
	})
}

func TestRequireConsumerNeedsOneWithRoom(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := b.Call(t.Context(), "q", warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(t, err, warren.ErrNoConsumers, "no queue")

		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		_, err = b.Call(t.Context(), "q", warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(t, err, warren.ErrNoConsumers, "no consumer")
		require.NotErrorIs(t, err, warren.ErrNoRoute)
		var returned *warren.Return
		require.ErrorAs(t, err, &returned)
		require.EqualValues(t, 313, returned.Code)

		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve, warren.HandleOptions{Concurrency: 1})
		first := brokertest.Call(t.Context(), b, "q", "first", warren.CallOptions{RequireConsumer: true})
		<-gate.Entered
		_, err = b.Call(t.Context(), "q", warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(t, err, warren.ErrNoConsumers, "the only consumer is busy")
		close(gate.Release)
		require.NoError(t, (<-first).Err)
		synctest.Wait()
		_, err = b.Call(t.Context(), "q", warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.NoError(t, err)
		brokertest.Clean(t, b)
	})
}

func TestCallViaDirectExchangeFollowsBindings(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var exchange string
		brokertest.Handle(t, b, "prices.eu", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			exchange = req.Exchange
			return warren.Message{Body: []byte(req.RoutingKey)}, nil
		})
		ch := brokertest.Channel(t, b)
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
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		slow, calls := brokertest.NewGate(), atomic.Int32{}
		for _, name := range []string{"slow1", "fast", "slow2"} {
			h := slow.Serve
			if name == "fast" {
				h = brokertest.Reply("fast")
			}
			brokertest.Handle(t, b, name, func(ctx context.Context, req *warren.Request) (warren.Message, error) {
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
		close(slow.Release)
		synctest.Wait()
		require.EqualValues(t, 2, b.Stats().RepliesTooLate)
		brokertest.Handle(t, b, "other", brokertest.Reply("other"))
		reply, err = b.Call(ctx, "other", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "other", string(reply.Body))
		brokertest.Clean(t, b)
	})
}

func TestAnyConsumerCanAnswerACall(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		_, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(_ context.Context, d warren.Delivery) error {
			reply := warren.Message{CorrelationId: d.CorrelationId, Body: append([]byte("re: "), d.Body...)}
			if string(d.Body) == "fail" {
				reply.Headers = warren.Table{warren.ErrorCodeHeader: "sold-out", warren.ErrorTextHeader: "nothing left"}
			}
			return ch.Publish(context.Background(), "", d.ReplyTo, reply, warren.PublishOptions{})
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
		brokertest.Clean(t, b)
	})
}

// The workflow of the AMQP model: a callback queue and correlation ids.
func TestCallbackQueueWorkflow(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		serve := brokertest.Channel(t, b)
		brokertest.Queues(t, serve, "rpc_queue")
		_, err := serve.ConsumeFunc("rpc_queue", warren.ConsumeOptions{Prefetch: 1}, func(_ context.Context, d warren.Delivery) error {
			n, _ := strconv.Atoi(string(d.Body))
			return serve.Publish(context.Background(), "", d.ReplyTo, warren.Message{
				CorrelationId: d.CorrelationId, Body: []byte(strconv.Itoa(n * n)),
			}, warren.PublishOptions{})
		})
		require.NoError(t, err)
		// The same requests can be served by a Handler.
		brokertest.Handle(t, b, "rpc_handler", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			n, err := strconv.Atoi(string(req.Body))
			return warren.Message{Body: []byte(strconv.Itoa(n * n))}, err
		})

		for _, queue := range []string{"rpc_queue", "rpc_handler"} {
			client := brokertest.Channel(t, b)
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
			_, err = brokertest.Channel(t, b).QueueDeclarePassive(callback.Name)
			require.ErrorIs(t, err, warren.ErrNotFound, "the callback queue ends with its session")
		}
	})
}

func TestHandlerServesMessagesThatWantNoReply(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var n atomic.Int32
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			n.Add(1)
			return warren.Message{Body: []byte("nobody hears of this")}, nil
		})
		brokertest.Fill(t, brokertest.Channel(t, b), "q", brokertest.Numbers(0, 9)...)
		brokertest.Clean(t, b)
		require.EqualValues(t, 10, n.Load())
		require.EqualValues(t, 10, b.Stats().Acked)
	})
}

func TestThirdPartyAnswersForAHandler(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Handle(t, b, "expert", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: append([]byte("expert on "), req.Body...)}, nil
		})
		brokertest.Handle(t, b, "front", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			err := ch.Publish(ctx, "", "expert", req.Message, warren.PublishOptions{Mandatory: true})
			return warren.Message{}, errors.Join(err, warren.ErrNoReply)
		})
		reply, err := b.Call(t.Context(), "front", warren.Message{Body: []byte("rabbits"), CorrelationId: "7"})
		require.NoError(t, err)
		require.Equal(t, "expert on rabbits", string(reply.Body))
		require.Equal(t, "7", reply.CorrelationId)
		brokertest.Clean(t, b)
	})
}

func TestCallsOfVirtualHostsStayApart(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		other, err := b.VirtualHostDeclare("other")
		require.NoError(t, err)
		brokertest.Handle(t, b, "q", brokertest.Reply("root"))
		_, err = other.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		brokertest.Handle(t, other, "q", brokertest.Reply("other"))
		reply, err := other.Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "other", string(reply.Body))
		reply, err = b.Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "root", string(reply.Body))
	})
}
