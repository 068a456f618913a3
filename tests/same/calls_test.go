package same_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

func TestACallIsAnswered(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: append([]byte("re:"), req.Body...), Type: req.RoutingKey + "|" + req.Exchange}, nil
		})
		reply, err := w.call(q, warren.Message{Body: []byte("x"), CorrelationId: "mine"})
		require.NoError(w, err)
		require.Equal(w, "re:x", string(reply.Body))
		require.Equal(w, "mine", reply.CorrelationId)
		require.Equal(w, q+"|", reply.Type)
		require.Empty(w, reply.ReplyTo)
		reply, err = w.call(q, warren.Message{})
		require.NoError(w, err)
		require.Equal(w, "re:", string(reply.Body))
		require.NotEmpty(w, reply.CorrelationId)
		sum, err := warren.HandleFor(w.server, w.name("sum"), func(_ context.Context, n []int) (int, error) { return n[0] + n[1], nil })
		require.NoError(w, err)
		n, err := warren.CallFor[int](w.Context(), w.caller, sum.Queue(), []int{40, 2})
		require.NoError(w, err)
		require.Equal(w, 42, n)
		_, err = warren.CallFor[int](w.Context(), w.caller, sum.Queue(), "no numbers")
		require.ErrorIs(w, err, warren.ErrHandlerCodec)
	})
}

func TestFailuresOfHandlers(t *testing.T) {
	own := errors.New("of this program")
	for name, c := range map[string]struct {
		fails      error // nil: a panic
		code, text string
		is         error
		repeatable bool
	}{
		"a code":           {&warren.RemoteError{Code: "sold-out", Text: "come again"}, "sold-out", "come again", &warren.RemoteError{Code: "sold-out"}, false},
		"a code inside":    {fmt.Errorf("around: %w", &warren.RemoteError{Code: "c", Text: "t"}), "c", "t", &warren.RemoteError{Code: "c"}, false},
		"an error":         {own, "error", "the handler returned an error", warren.ErrHandlerFailed, false},
		"a panic":          {nil, "panic", "the handler panicked", warren.ErrHandlerPanicked, false},
		"busy":             {warren.ErrBusy, "busy", "", warren.ErrBusy, true},
		"a late answer":    {context.DeadlineExceeded, "timeout", "the handler ran out of time", warren.ErrHandlerTimeout, false},
		"an end":           {context.Canceled, "cancelled", "the handler was told to stop", warren.ErrHandlerCancelled, false},
		"an unusable code": {&warren.RemoteError{}, "", "", &warren.RemoteError{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(w *world) {
				q := w.handle("fails", func(context.Context, *warren.Request) (warren.Message, error) {
					if c.fails == nil {
						panic("by design")
					}
					return warren.Message{Body: []byte("lost")}, c.fails
				})
				for range 2 {
					reply, err := w.call(q, warren.Message{})
					require.ErrorIs(w, err, c.is)
					require.Empty(w, reply)
					e, ok := errors.AsType[*warren.RemoteError](err)
					require.True(w, ok)
					require.Equal(w, c.code, e.Code)
					require.Equal(w, c.text, e.Text)
					require.Equal(w, c.repeatable, warren.Repeatable(err))
					require.Equal(w, w.inProcess && c.fails == own, errors.Is(err, own), "only in the process the error itself is there")
				}
			})
		})
	}
}

func TestExposedErrors(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.handle("fails", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{}, errors.New("the whole story")
		}, warren.HandleOptions{ExposeErrors: true})
		_, err := w.call(q, warren.Message{})
		require.ErrorIs(w, err, warren.ErrHandlerFailed)
		require.ErrorContains(w, err, "the whole story")
	})
}

func TestNobodyServesTheQueue(t *testing.T) {
	everywhere(t, func(w *world) {
		_, err := w.call(w.name("none"), warren.Message{Body: []byte("x"), Type: "t"})
		require.ErrorIs(w, err, warren.ErrNoRoute)
		require.True(w, warren.Repeatable(err))
		r, ok := errors.AsType[*warren.Return](err)
		require.True(w, ok)
		require.Equal(w, [4]string{"NO_ROUTE", "", w.name("none"), "x"}, [4]string{r.Text, r.Exchange, r.RoutingKey, string(r.Body)})
		require.Equal(w, "t", r.Type)
		require.Empty(w, r.Headers)
		_, err = w.call(w.name("none"), warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.True(w, errors.Is(err, warren.ErrNoRoute) || errors.Is(err, warren.ErrNoConsumers), "%v", err)

		h, err := w.server.Handle(w.name("none"), echo)
		require.NoError(w, err)
		_, err = w.call(h.Queue(), warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.NoError(w, err)
		require.NoError(w, h.Close())
		w.eventually(func() bool { return !w.exists(h.Queue()) }) // a call that comes before waits for another handler
		_, err = w.call(h.Queue(), warren.Message{})
		require.ErrorIs(w, err, warren.ErrNoRoute)

		_, ch := w.client()
		_, err = w.call(w.queue(ch, "unserved", nil), warren.Message{}, warren.CallOptions{RequireConsumer: true})
		require.ErrorIs(w, err, warren.ErrNoConsumers)
		require.True(w, warren.Repeatable(err))
	})
}

func TestACallByAnExchange(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		x, q := w.name("x"), w.handle("q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: []byte(req.RoutingKey), Type: req.Exchange}, nil
		})
		slow, release := make(chan error, 1), make(chan struct{})
		begun := make(chan struct{})
		other := w.handle("other", func(context.Context, *warren.Request) (warren.Message, error) {
			close(begun)
			<-release
			return warren.Message{}, nil
		})
		go func() {
			_, err := w.call(other, warren.Message{})
			slow <- err
		}()
		receive(w, begun)
		by := warren.CallOptions{Exchange: x}
		_, err := w.call("a.b", warren.Message{}, by)
		require.ErrorIs(w, err, warren.ErrNotFound)
		require.True(w, warren.Repeatable(err))
		require.NoError(w, ch.ExchangeDeclare(x, "topic", false, true, false, false, nil))
		_, err = w.call("a.b", warren.Message{}, by)
		require.ErrorIs(w, err, warren.ErrNoRoute)
		require.NoError(w, ch.QueueBind(q, "a.*", x, false, nil))
		reply, err := w.call("a.b", warren.Message{}, by)
		require.NoError(w, err)
		require.Equal(w, "a.b", string(reply.Body))
		require.Equal(w, x, reply.Type)
		close(release)
		require.NoError(w, receive(w, slow), "the others' calls go on")
	})
}

func TestBodiesOfAllSizes(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.handle("echo", echo)
		for _, n := range []int{0, 1, 4087, 4088, 4089, 131063, 131064, 131065, 1 << 20, 10 << 20} {
			body := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
			reply, err := w.call(q, warren.Message{Body: body})
			require.NoError(w, err)
			require.True(w, bytes.Equal(body, reply.Body), "%d", n)
		}
	})
}

func TestQueuesThatExist(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		q := w.queue(ch, "limited", amqp091.Table{"x-max-length": int32(10)})
		_, err := w.server.Handle(q, echo)
		require.NoError(w, err)
		_, err = w.call(q, warren.Message{})
		require.NoError(w, err)

		temporary := w.name("temporary")
		_, err = ch.QueueDeclare(temporary, false, true, false, false, nil)
		require.NoError(w, err)
		_, err = w.server.Handle(temporary, echo, warren.HandleOptions{Durable: true})
		require.ErrorIs(w, err, warren.ErrPreconditionFailed)
		_, err = w.server.Handle(temporary, echo)
		require.NoError(w, err)
		_, err = w.call(temporary, warren.Message{})
		require.NoError(w, err)

		_, err = w.server.Handle(w.name("q"), echo, warren.HandleOptions{Concurrency: -1})
		require.ErrorIs(w, err, warren.ErrPreconditionFailed)
		_, err = w.server.Handle(w.name("q"), nil)
		require.ErrorIs(w, err, warren.ErrPreconditionFailed)
		h, err := w.server.Handle("", echo)
		require.NoError(w, err)
		_, err = w.call(h.Queue(), warren.Message{})
		require.NoError(w, err)
	})
}

func TestConcurrency(t *testing.T) {
	everywhere(t, func(w *world) {
		var now, most atomic.Int32
		var once sync.Once
		three, release := make(chan struct{}), make(chan struct{})
		q := w.handle("slow", func(context.Context, *warren.Request) (warren.Message, error) {
			n := now.Add(1)
			defer now.Add(-1)
			for {
				m := most.Load()
				if n <= m || most.CompareAndSwap(m, n) {
					break
				}
			}
			if n == 3 {
				once.Do(func() { close(three) })
			}
			<-release
			return warren.Message{}, nil
		}, warren.HandleOptions{Concurrency: 3})
		done := make(chan error, 12)
		for range 12 {
			go func() {
				_, err := w.call(q, warren.Message{})
				done <- err
			}()
		}
		receive(w, three)
		close(release)
		for range 12 {
			require.NoError(w, receive(w, done))
		}
		require.EqualValues(w, 3, most.Load())
	})
}

func TestManyCallsAtOnce(t *testing.T) {
	everywhere(t, func(w *world) {
		q := w.handle("echo", echo)
		var all sync.WaitGroup
		for c := range 20 {
			all.Go(func() {
				for i := range 50 {
					want := fmt.Sprint(c, i)
					reply, err := w.call(q, warren.Message{Body: []byte(want), CorrelationId: "all the same"})
					if err != nil || string(reply.Body) != want || reply.CorrelationId != "all the same" {
						w.Errorf("%v: %q for %q", err, reply.Body, want)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

func TestWhoCalls(t *testing.T) {
	everywhere(t, func(w *world) {
		who := make(chan warren.Requester, 1)
		q := w.handle("who", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			who <- warren.RequesterFrom(ctx)
			return warren.Message{}, nil
		})
		_, err := w.call(q, warren.Message{})
		require.NoError(w, err)
		require.Equal(w, warren.Requester{InProcess: w.inProcess}, receive(w, who))
		_, err = w.call(q, warren.Message{UserId: "guest"})
		require.NoError(w, err)
		require.Equal(w, warren.Requester{InProcess: w.inProcess, User: "guest"}, receive(w, who))
		if w.inProcess {
			return // a program may say of itself what it likes
		}
		_, err = w.call(q, warren.Message{UserId: "somebody"})
		require.ErrorIs(w, err, warren.ErrPreconditionFailed)
		_, err = w.call(q, warren.Message{})
		require.NoError(w, err)
	})
}

func TestInterceptors(t *testing.T) {
	i := warren.Interceptors{
		Call: []func(warren.CallFunc) warren.CallFunc{func(next warren.CallFunc) warren.CallFunc {
			return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
				msg.Type += "call"
				reply, err := next(ctx, queue, msg, opts...)
				reply.Type += " call"
				return reply, err
			}
		}},
		Handle: []func(warren.HandlerFunc) warren.HandlerFunc{func(next warren.HandlerFunc) warren.HandlerFunc {
			return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
				if string(req.Body) == "refuse" {
					return warren.Message{}, warren.ErrBusy
				}
				reply, err := next(ctx, req)
				reply.Type += " handle"
				return reply, err
			}
		}},
	}
	everywhereWith(t, i, func(w *world) {
		q := w.handle("echo", echo, warren.HandleOptions{Intercept: []func(warren.HandlerFunc) warren.HandlerFunc{
			func(next warren.HandlerFunc) warren.HandlerFunc {
				return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
					reply, err := next(ctx, req)
					reply.Type += " own"
					return reply, err
				}
			},
		}})
		reply, err := w.call(q, warren.Message{})
		require.NoError(w, err)
		require.Equal(w, "call own handle call", reply.Type)
		_, err = w.call(q, warren.Message{Body: []byte("refuse")})
		require.ErrorIs(w, err, warren.ErrBusy)
	})
}
