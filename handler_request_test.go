package warren_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// What a handler has left behind in a goroutine reads its own request, whatever
// is called later.
func TestARequestIsItsHandlersForEver(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var kept []*warren.Request
		var contexts []context.Context
		brokertest.Handle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			kept, contexts = append(kept, req), append(contexts, ctx)
			return warren.Message{}, nil
		}, warren.HandleOptions{Concurrency: 1})
		for i := range 20 {
			ctx := context.WithValue(t.Context(), contextKey{}, i)
			_, err := b.Call(ctx, "q", warren.Message{Body: fmt.Append(nil, i), Type: fmt.Sprint(i), Headers: warren.Table{"i": int64(i)}})
			require.NoError(t, err)
		}
		for i, req := range kept {
			require.Equal(t, fmt.Sprint(i), string(req.Body))
			require.Equal(t, fmt.Sprint(i), req.Type)
			require.Equal(t, warren.Table{"i": int64(i)}, req.Headers)
			later := context.WithoutCancel(contexts[i])
			require.Same(t, req, warren.RequestFrom(later))
			require.Equal(t, i, later.Value(contextKey{}), "the values stay, for work that goes on")
		}
	})
}

func TestRequestFromContext(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		require.Nil(t, warren.RequestFrom(t.Context()))
		inner := func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			same := warren.RequestFrom(ctx) == req
			return warren.Message{Body: fmt.Append(nil, same, " ", req.RoutingKey)}, nil
		}
		brokertest.Handle(t, b, "inner", inner)
		brokertest.Handle(t, b, "outer", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			reply, err := b.Call(context.WithValue(ctx, contextKey{}, "x"), "inner", warren.Message{})
			same := warren.RequestFrom(ctx) == req
			return warren.Message{Body: fmt.Append(reply.Body, " ", same, " ", req.RoutingKey)}, err
		})
		reply, err := b.Call(t.Context(), "outer", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "true inner true outer", string(reply.Body), "each has its own")
	})
}

func TestTypedCallsHaveHeaders(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := warren.HandleFor(b, "q", func(ctx context.Context, n int) (string, error) {
			req := warren.RequestFrom(ctx)
			return fmt.Sprintf("%d %v %d %s %s %s %s", n, req.Headers["tenant"], req.Priority, req.MessageId, req.ContentType, req.RoutingKey, req.Exchange), nil
		})
		require.NoError(t, err)
		require.NoError(t, brokertest.Channel(t, b).QueueBind("q", "key", "amq.direct", nil))
		properties := warren.Message{Headers: warren.Table{"tenant": "ann"}, Priority: 7, MessageId: "id", Body: []byte("not sent")}
		got, err := warren.CallFor[string](t.Context(), b, "key", 42,
			warren.CallOptions{Properties: properties}, warren.CallOptions{Exchange: "amq.direct"})
		require.NoError(t, err)
		require.Equal(t, "42 ann 7 id application/json key amq.direct", got)

		properties = warren.Message{ContentType: "application/vnd.quote+json"}
		brokertest.Handle(t, b, "raw", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: fmt.Appendf(nil, "%q", req.ContentType)}, nil
		})
		got, err = warren.CallFor[string](t.Context(), b, "raw", 1, warren.CallOptions{Properties: properties})
		require.NoError(t, err)
		require.Equal(t, "application/vnd.quote+json", got)
	})
}

// A handler that returns its request whole would ask its own queue again and
// again if the reply kept the request's ReplyTo.
func TestAReplyLosesTheRequestsReplyTo(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		served := 0
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			if served++; served > 10 {
				return warren.Message{}, warren.ErrNoReply // the test has failed, and ends
			}
			return req.Message, nil
		}, warren.HandleOptions{Concurrency: 1})
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "replies")
		require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{ReplyTo: "q"}, warren.PublishOptions{}))
		synctest.Wait()
		require.Equal(t, 2, served, "the request, and its reply")

		require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{ReplyTo: "replies", Type: "t"}, warren.PublishOptions{}))
		synctest.Wait()
		d := brokertest.Take(t, ch, "replies")
		require.Equal(t, warren.Message{Type: "t"}, d.Message)
		require.NoError(t, d.Ack(false))

		reply, err := b.Call(t.Context(), "q", warren.Message{Type: "t", CorrelationId: "c"})
		require.NoError(t, err)
		require.Equal(t, warren.Message{Type: "t", CorrelationId: "c"}, reply)
		brokertest.Clean(t, b)
	})
}

func TestAReplyMayAskForAnAnswer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{ReplyTo: "more"}, nil
		})
		reply, err := b.Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "more", reply.ReplyTo)
	})
}

// A reply is for its requester alone: CC and BCC are headers like any other. In a
// queue it expires as it says.
func TestWhatAReplyMaySay(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "replies", "copies")
		headers := warren.Table{"CC": []any{"copies"}, "BCC": []any{"copies"}}
		expiration := "1000"
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{Headers: headers, Expiration: expiration}, nil
		})
		ask := func() {
			require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{ReplyTo: "replies"}, warren.PublishOptions{}))
			synctest.Wait()
		}
		ask()
		require.Equal(t, headers, brokertest.Take(t, ch, "replies").Headers)
		require.Zero(t, brokertest.Ready(t, ch, "copies"))
		require.NoError(t, ch.Ack(0, true))
		ask()
		brokertest.Later(1001e6)
		require.Zero(t, brokertest.Ready(t, ch, "replies"))
		expiration = "soon"
		ask()
		require.Equal(t, warren.CodeError, brokertest.Take(t, ch, "replies").Headers[warren.ErrorCodeHeader])
		_, err := b.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrPreconditionFailed)
	})
}

// The identity of an error is kept for a call that a third party answers, too.
func TestAForwardedCallGetsTheErrorItself(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Handle(t, b, "expert", waysToFail["error"])
		brokertest.Handle(t, b, "front", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			if err := ch.Publish(ctx, "", "expert", req.Message, warren.PublishOptions{}); err != nil {
				return warren.Message{}, err
			}
			return warren.Message{}, warren.ErrNoReply
		})
		_, err := b.Call(t.Context(), "front", warren.Message{})
		require.ErrorIs(t, err, errWork)

		brokertest.Handle(t, b, "chain", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			return b.Call(ctx, "expert", warren.Message{})
		})
		_, err = b.Call(t.Context(), "chain", warren.Message{})
		require.ErrorIs(t, err, errWork, "through a chain of calls")
		brokertest.Clean(t, b)
	})
}
