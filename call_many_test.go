package warren_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// serveMany makes handlers whose queues get what is published to amq.fanout.
func serveMany(t testing.TB, b *warren.Broker, handlers map[string]warren.HandlerFunc) {
	ch := brokertest.Channel(t, b)
	for queue, h := range handlers {
		brokertest.Handle(t, b, queue, h)
		require.NoError(t, ch.QueueBind(queue, "", "amq.fanout", nil))
	}
}

// gather runs a whole loop, and tells for each queue what it has answered or its error.
func gather(many iter.Seq2[warren.Answer, error]) (answers map[string]string, failed map[string]error) {
	answers, failed = map[string]string{}, map[string]error{}
	for a, err := range many {
		if err != nil {
			failed[a.Queue] = errors.Join(failed[a.Queue], err)
		} else {
			answers[a.Queue] += string(a.Body) // a second answer would show
		}
	}
	return answers, failed
}

var aRequest = warren.Message{Body: []byte("x")}

func TestManyAnswer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		correlated := map[string]bool{}
		note := func(_ context.Context, req *warren.Request) (warren.Message, error) {
			correlated[req.CorrelationId] = true
			return warren.Message{Body: fmt.Append(nil, string(req.Body), " ", req.Exchange, " ", req.RoutingKey, " ", req.Headers["h"])}, nil
		}
		serveMany(t, b, map[string]warren.HandlerFunc{"a": note})
		serveMany(t, b, map[string]warren.HandlerFunc{"b": brokertest.Reply("from b"), "c": brokertest.Echo})
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.QueueBind("c", "again", "amq.fanout", nil)) // still one answer

		msg := warren.Message{Body: []byte("x"), Headers: warren.Table{"h": "v"}}
		many := b.CallMany(t.Context(), "amq.fanout", "key", msg)
		synctest.Wait()
		require.Empty(t, correlated, "the loop has not begun")
		for range 2 {
			answers, failed := gather(many)
			require.Empty(t, failed)
			require.Equal(t, map[string]string{"a": "x amq.fanout key v", "b": "from b", "c": "x"}, answers)
			brokertest.Clean(t, b)
		}
		require.Len(t, correlated, 2, "each loop sends")
		require.NotContains(t, correlated, "")

		t.Log("The default exchange has one queue for a key, and CC more of them.")
		answers, failed := gather(b.CallMany(t.Context(), "", "b", warren.Message{CorrelationId: "own", Headers: warren.Table{"CC": []any{"a"}}}))
		require.Empty(t, failed)
		require.ElementsMatch(t, []string{"a", "b"}, slices.Collect(maps.Keys(answers)))
		require.Contains(t, correlated, "own")
	})
}

// Each queue says for itself why it has no answer, and whether a repeat is safe.
func TestManyFailEachForItself(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		own := errors.New("own")
		serveMany(t, b, map[string]warren.HandlerFunc{
			"fine":  brokertest.Echo,
			"fails": func(context.Context, *warren.Request) (warren.Message, error) { return warren.Message{}, own },
			"busy": func(context.Context, *warren.Request) (warren.Message, error) {
				return warren.Message{}, warren.ErrBusy
			},
			"panic": func(context.Context, *warren.Request) (warren.Message, error) { panic("x") },
		})
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "full", warren.QueueOptions{MaxLength: 1, Overflow: warren.RejectPublish})
		brokertest.Fill(t, ch, "full", "first")
		brokertest.Queue(t, ch, "rejects", warren.QueueOptions{})
		for _, q := range []string{"full", "rejects"} {
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		_, err := ch.ConsumeFunc("rejects", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error { return errors.New("no") })
		require.NoError(t, err)

		answers, failed := gather(b.CallMany(t.Context(), "amq.fanout", "", aRequest))
		require.Equal(t, map[string]string{"fine": "x"}, answers)
		require.Len(t, failed, 5)
		for queue, want := range map[string]struct {
			err        error
			repeatable bool
		}{
			"fails":   {own, false},
			"busy":    {warren.ErrBusy, true},
			"panic":   {warren.ErrHandlerPanicked, false},
			"full":    {warren.ErrNacked, true},
			"rejects": {warren.ErrRequestDropped, false},
		} {
			err := failed[queue]
			require.ErrorIs(t, err, want.err)
			require.Equal(t, want.repeatable, warren.Repeatable(err), "%v", err)
			one, ok := errors.AsType[*warren.AnswerError](err)
			require.True(t, ok)
			require.Equal(t, queue, one.Queue)
			require.ErrorContains(t, err, "no answer from queue '"+queue+"': ")
		}
		require.Zero(t, b.Stats().Requesters)

		_, failed = gather(b.CallMany(t.Context(), "amq.fanout", "", aRequest, warren.CallManyOptions{RequireConsumer: true}))
		require.ErrorIs(t, failed["full"], warren.ErrNoConsumers)
		require.Len(t, failed, 5)
	})
}

// If nothing can be sent, the loop has one error.
func TestManyAreNotThere(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Fanout}))
		require.NoError(t, ch.QueueBind("q", "", "later", nil))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		over, stop := context.WithTimeout(t.Context(), 0)
		defer stop()
		for _, test := range []struct {
			ctx      context.Context
			exchange string
			msg      warren.Message
			err      error
		}{
			{t.Context(), "amq.fanout", aRequest, warren.ErrNoRoute},
			{t.Context(), "", aRequest, warren.ErrNoRoute},
			{t.Context(), "unknown", aRequest, warren.ErrNotFound},
			{t.Context(), "later", warren.Message{Headers: warren.Table{warren.DelayHeader: int64(1000)}}, warren.ErrPreconditionFailed},
			{t.Context(), "later", warren.Message{Expiration: "soon"}, warren.ErrPreconditionFailed},
			{ended, "later", aRequest, context.Canceled},
			{over, "later", aRequest, context.DeadlineExceeded},
		} {
			for _, o := range []warren.CallManyOptions{{}, {RequireConsumer: true}} {
				n := 0
				for a, err := range b.CallMany(test.ctx, test.exchange, "", test.msg, o) {
					n++
					require.ErrorIs(t, err, test.err)
					require.Zero(t, a)
					_, of := errors.AsType[*warren.AnswerError](err)
					require.False(t, of)
				}
				require.Equal(t, 1, n)
				brokertest.Clean(t, b)
			}
		}
		b.Close()
		_, failed := gather(b.CallMany(t.Context(), "later", "", aRequest))
		require.ErrorIs(t, failed[""], warren.ErrClosed)
	})
}

func TestManyWithValues(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		serveMany(t, b, map[string]warren.HandlerFunc{"garbage": brokertest.Reply("{")})
		ch := brokertest.Channel(t, b)
		for _, rate := range []float64{1, 2} {
			queue := fmt.Sprint("shop ", rate)
			h, err := warren.HandleFor(b, queue, func(ctx context.Context, q quoteRequest) (quotePrice, error) {
				if warren.RequestFrom(ctx).AppId != "app" {
					return quotePrice{}, errors.New("no properties")
				}
				return quotePrice{q.Item, float64(q.Count) * rate}, nil
			})
			require.NoError(t, err)
			defer h.Close()
			require.NoError(t, ch.QueueBind(queue, "", "amq.fanout", nil))
		}
		got := map[string]quotePrice{}
		o := warren.CallManyOptions{Properties: warren.Message{AppId: "app"}}
		for a, err := range warren.CallManyFor[quotePrice](t.Context(), b, "amq.fanout", "", quoteRequest{"leek", 3}, o) {
			if a.Queue == "garbage" {
				_, of := errors.AsType[*warren.AnswerError](err)
				require.True(t, of)
				_, syntax := errors.AsType[*json.SyntaxError](err)
				require.True(t, syntax)
				require.Equal(t, "{", string(a.Body))
				continue
			}
			require.NoError(t, err)
			require.Equal(t, "application/json", a.ContentType)
			got[a.Queue] = a.Value
		}
		require.Equal(t, map[string]quotePrice{"shop 1": {"leek", 3}, "shop 2": {"leek", 6}}, got)
		for range warren.CallManyFor[quotePrice](t.Context(), b, "amq.fanout", "", quoteRequest{"leek", 3}, o) {
			break
		}
		brokertest.Clean(t, b)

		n := 0
		for _, err := range warren.CallManyFor[int](t.Context(), b, "amq.fanout", "", func() {}) {
			n++
			require.ErrorContains(t, err, "encode the request to exchange 'amq.fanout'")
		}
		require.Equal(t, 1, n)
	})
}

// After so many answers the rest is told to stop. Errors are no answers.
func TestManyButEnough(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		stopped := make(chan error, 3)
		hang := func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			<-ctx.Done()
			stopped <- ctx.Err()
			return warren.Message{}, ctx.Err()
		}
		serveMany(t, b, map[string]warren.HandlerFunc{
			"h1": hang, "h2": hang, "h3": hang,
			"fails": func(context.Context, *warren.Request) (warren.Message, error) {
				return warren.Message{}, warren.ErrBusy
			},
			"soon": brokertest.Echo,
			"later": func(context.Context, *warren.Request) (warren.Message, error) {
				time.Sleep(time.Minute)
				return warren.Message{}, nil
			},
		})
		began := time.Now()
		answers, failed := gather(b.CallMany(t.Context(), "amq.fanout", "", aRequest, warren.CallManyOptions{Count: 2}))
		require.Equal(t, map[string]string{"soon": "x", "later": ""}, answers)
		require.Len(t, failed, 1)
		require.ErrorIs(t, failed["fails"], warren.ErrBusy)
		require.Equal(t, time.Minute, time.Since(began))
		for range 3 {
			require.ErrorIs(t, <-stopped, context.Canceled)
		}
		brokertest.Clean(t, b)
	})
}
