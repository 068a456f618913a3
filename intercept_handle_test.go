package warren_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

// odd is an interceptor of handlers that does what the request's Type says.
func odd(next warren.HandlerFunc) warren.HandlerFunc {
	return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		switch req.Type {
		case "panic":
			panic("oops")
		case "panic after":
			_, _ = next(ctx, req)
			panic("oops")
		case "exit":
			runtime.Goexit()
		case "refuse":
			return warren.Message{}, &warren.RemoteError{Code: "refused", Text: "not today", Err: errRefused}
		case "answer":
			return warren.Message{Body: []byte("from the interceptor")}, nil
		case "twice":
			_, _ = next(ctx, req)
		}
		return next(ctx, req)
	}
}

// handleWith are options with one interceptor of handlers.
func handleWith(f ...func(next warren.HandlerFunc) warren.HandlerFunc) *warren.Options {
	return &warren.Options{Intercept: warren.Interceptors{Handle: f}}
}

func TestInterceptorOfAHandlerFailsAndAnswersAsTheHandler(t *testing.T) {
	brokertest.RunWith(t, handleWith(odd), func(t *testing.T, b *warren.Broker) {
		served := 0
		brokertest.Handle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			served++
			require.Same(t, req, warren.RequestFrom(ctx))
			return warren.Message{Body: req.Body}, nil
		})
		call := func(kind string) (string, error) {
			reply, err := b.Call(t.Context(), "q", warren.Message{Type: kind, Body: []byte("x")})
			return string(reply.Body), err
		}
		for _, c := range []struct {
			kind, reply, code string
			served            int
		}{
			{"", "x", "", 1},
			{"panic", "", warren.CodePanic, 0},
			{"panic after", "", warren.CodePanic, 1},
			{"exit", "", warren.CodePanic, 0},
			{"refuse", "", "refused", 0},
			{"answer", "from the interceptor", "", 0},
			{"twice", "x", "", 2},
		} {
			before := served
			reply, err := call(c.kind)
			require.Equal(t, c.reply, reply, c.kind)
			require.Equal(t, c.served, served-before, c.kind)
			if c.code == "" {
				require.NoError(t, err, c.kind)
			} else {
				require.ErrorIs(t, err, &warren.RemoteError{Code: c.code}, c.kind)
			}
		}
		_, err := call("refuse")
		require.ErrorIs(t, err, errRefused)
		brokertest.Clean(t, b)
	})
}

func TestInterceptorsOfAHandlerServeClientsOfTheListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := brokertest.Serve(t, handleWith(odd), &amqp.Options{})
		brokertest.Handle(t, b, "q", brokertest.Echo)
		ch := brokertest.ClientChannel(t, brokertest.Dial(t, s.Dial, amqp091.Config{}))
		replies, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		require.NoError(t, err)
		ask := func(kind string) amqp091.Delivery {
			require.NoError(t, ch.PublishWithContext(t.Context(), "", "q", true, false, amqp091.Publishing{
				ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: kind, Type: kind, Body: []byte("x"),
			}))
			return <-replies
		}
		require.Equal(t, "x", string(ask("").Body))
		require.Equal(t, "from the interceptor", string(ask("answer").Body))
		require.Equal(t, "refused", ask("refuse").Headers[warren.ErrorCodeHeader])
		require.Equal(t, "not today", ask("refuse").Headers[warren.ErrorTextHeader])
		panicked := ask("panic")
		require.Equal(t, "panic", panicked.CorrelationId)
		require.Equal(t, warren.CodePanic, panicked.Headers[warren.ErrorCodeHeader])
	})
}

func TestInterceptorsOfOneHandlerAreOfNoOther(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := warren.HandleFor(b, "with", func(context.Context, int) (int, error) { return 1, nil },
			warren.HandleOptions{Intercept: []func(warren.HandlerFunc) warren.HandlerFunc{odd}}, warren.HandleOptions{Concurrency: 2})
		require.NoError(t, err)
		_, err = warren.HandleFor(b, "without", func(context.Context, int) (int, error) { return 1, nil })
		require.NoError(t, err)
		refuse := warren.CallOptions{Properties: warren.Message{Type: "refuse"}}
		_, err = warren.CallFor[int](t.Context(), b, "with", 1, refuse)
		require.ErrorIs(t, err, errRefused)
		_, err = warren.CallFor[int](t.Context(), b, "without", 1, refuse)
		require.NoError(t, err)
	})
}

func TestInterceptorsOfADeliveryFunctionSettleByWhatTheyReturn(t *testing.T) {
	outer := func(next warren.DeliveryFunc) warren.DeliveryFunc {
		return func(ctx context.Context, d warren.Delivery) error {
			switch string(d.Body) {
			case "drop":
				return nil
			case "reject":
				return errRefused
			case "panic":
				panic("oops")
			}
			return next(ctx, d)
		}
	}
	var s steps
	o := &warren.Options{Intercept: warren.Interceptors{Consume: []func(warren.DeliveryFunc) warren.DeliveryFunc{outer}}}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		ch, err := b.Channel()
		require.NoError(t, err)
		brokertest.Queue(t, ch, "dead", warren.QueueOptions{})
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})
		c, err := ch.ConsumeFunc("q", warren.ConsumeOptions{
			Intercept: []func(warren.DeliveryFunc) warren.DeliveryFunc{s.consume("mine")},
		}, func(_ context.Context, d warren.Delivery) error {
			s = append(s, string(d.Body))
			return nil
		})
		require.NoError(t, err)
		for _, body := range []string{"drop", "reject", "panic", "work"} {
			brokertest.Put(t, ch, "", "q", body)
		}
		synctest.Wait()
		require.Equal(t, steps{"mine", "work", "/mine"}, s)
		require.Equal(t, []string{"reject", "panic"}, brokertest.Drain(t, ch, "dead"))
		require.EqualValues(t, 2, b.Stats().Failed)
		require.NoError(t, c.Cancel())
	})
}
