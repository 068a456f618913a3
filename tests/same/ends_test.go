package same_test

import (
	"context"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// waits serves a queue by a handler that works until its context ends, and tells why that
// was.
func (w *world) waits(opts ...warren.HandleOptions) (queue string, begun <-chan context.Context, ended <-chan error) {
	b, e := make(chan context.Context, 1), make(chan error, 1)
	queue = w.handle("waits", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		b <- ctx
		<-ctx.Done()
		e <- ctx.Err()
		return warren.Message{}, ctx.Err()
	}, opts...)
	return queue, b, e
}

func TestADeadlineIsTheHandlersToo(t *testing.T) {
	everywhere(t, func(w *world) {
		q, begun, ended := w.waits()
		for _, d := range []time.Duration{500 * time.Millisecond, time.Second} {
			ctx, cancel := context.WithTimeout(w.Context(), d)
			defer cancel()
			called := make(chan error, 1)
			go func() {
				_, err := w.caller.Call(ctx, q, warren.Message{})
				called <- err
			}()
			want, _ := ctx.Deadline()
			has, ok := receive(w, begun).Deadline()
			require.True(w, ok)
			require.WithinDuration(w, want, has, time.Millisecond)
			require.ErrorIs(w, receive(w, called), context.DeadlineExceeded)
			require.ErrorIs(w, receive(w, ended), context.DeadlineExceeded)
			require.False(w, time.Now().Before(want))
		}
	})
}

func TestNobodyWorksOnWhatIsTooLate(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		q := w.queue(ch, "unserved", nil)
		ctx, cancel := context.WithTimeout(w.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := w.caller.Call(ctx, q, warren.Message{Body: []byte("late")})
		require.ErrorIs(w, err, context.DeadlineExceeded)
		require.False(w, warren.Repeatable(err))
		_, err = w.caller.Call(ctx, q, warren.Message{Body: []byte("not sent")})
		require.ErrorIs(w, err, context.DeadlineExceeded)
		got := make(chan string, 3)
		_, err = w.server.Handle(q, func(_ context.Context, req *warren.Request) (warren.Message, error) {
			got <- string(req.Body)
			return warren.Message{}, nil
		})
		require.NoError(w, err)
		_, err = w.call(q, warren.Message{Body: []byte("in time")})
		require.NoError(w, err)
		require.Equal(w, "in time", receive(w, got))
	})
}

func TestADeadlineByHeader(t *testing.T) {
	everywhere(t, func(w *world) {
		q, begun, ended := w.waits()
		_, ch := w.client()
		answers, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		require.NoError(w, err)
		at := time.Now().Add(500 * time.Millisecond)
		ask := func() {
			require.NoError(w, ch.Publish("", q, false, false, amqp091.Publishing{
				ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "1", Headers: amqp091.Table{"x-warren-deadline": at.UnixMilli()},
			}))
		}
		ask()
		d, _ := receive(w, begun).Deadline()
		require.WithinDuration(w, at, d, time.Millisecond)
		require.ErrorIs(w, receive(w, ended), context.DeadlineExceeded)
		require.Equal(w, "timeout", receive(w, answers).Headers["x-warren-error"])
		ask() // too late, so that it is not served
		require.Equal(w, "timeout", receive(w, answers).Headers["x-warren-error"])
		require.Empty(w, begun)
	})
}

func TestACallerGivesUp(t *testing.T) {
	everywhere(t, func(w *world) {
		q, begun, ended := w.waits(warren.HandleOptions{Concurrency: 1})
		for range 3 {
			ctx, cancel := context.WithCancel(w.Context())
			called := make(chan error, 1)
			go func() {
				_, err := w.caller.Call(ctx, q, warren.Message{})
				called <- err
			}()
			receive(w, begun)
			cancel()
			require.ErrorIs(w, receive(w, called), context.Canceled)
			require.ErrorIs(w, receive(w, ended), context.Canceled)
		}
	})
}

func TestACallerGivesUpLate(t *testing.T) {
	everywhere(t, func(w *world) {
		q, begun, ended := w.waits()
		ctx, cancel := context.WithCancel(w.Context())
		called := make(chan error, 1)
		go func() {
			_, err := w.caller.Call(ctx, q, warren.Message{})
			called <- err
		}()
		receive(w, begun)
		<-time.After(time.Second) // the caller knows where the handler is
		cancel()
		require.ErrorIs(w, receive(w, called), context.Canceled)
		require.ErrorIs(w, receive(w, ended), context.Canceled)
	})
}

func TestACallerCloses(t *testing.T) {
	everywhere(t, func(w *world) {
		q, begun, ended := w.waits()
		called := make(chan error, 1)
		go func() {
			_, err := w.call(q, warren.Message{})
			called <- err
		}()
		receive(w, begun)
		require.NoError(w, w.caller.Close())
		require.ErrorIs(w, receive(w, called), warren.ErrClosed)
		require.ErrorIs(w, receive(w, ended), context.Canceled)
		_, err := w.call(q, warren.Message{})
		require.ErrorIs(w, err, warren.ErrClosed)
		_, err = w.caller.Handle(q, echo)
		require.ErrorIs(w, err, warren.ErrClosed)
	})
}

func TestAClientThatCallsGoes(t *testing.T) {
	everywhere(t, func(w *world) {
		q, begun, ended := w.waits()
		conn, ch := w.client()
		_, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		require.NoError(w, err)
		require.NoError(w, ch.Publish("", q, false, false, amqp091.Publishing{ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "1"}))
		receive(w, begun)
		require.NoError(w, conn.Close())
		require.ErrorIs(w, receive(w, ended), context.Canceled)
	})
}

func TestAServerDies(t *testing.T) {
	everywhere(t, func(w *world) {
		conn, ch := w.client()
		q := w.queue(ch, "shared", nil)
		requests, err := ch.Consume(q, "", false, false, false, false, nil)
		require.NoError(w, err)
		type answer struct {
			reply warren.Message
			err   error
		}
		called := make(chan answer, 1)
		go func() {
			reply, err := w.call(q, warren.Message{Body: []byte("x")})
			called <- answer{reply, err}
		}()
		d := receive(w, requests)
		require.Equal(w, "x", string(d.Body))
		again := make(chan bool, 1)
		_, err = w.server.Handle(q, func(_ context.Context, req *warren.Request) (warren.Message, error) {
			again <- req.Redelivered
			return req.Message, nil
		})
		require.NoError(w, err)
		require.NoError(w, conn.Close())
		require.True(w, receive(w, again))
		a := receive(w, called)
		require.NoError(w, a.err)
		require.Equal(w, "x", string(a.reply.Body))
	})
}

// A handler that is being closed finishes what it has, and leaves the rest to others.
func TestAHandlerCloses(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		q := w.queue(ch, "shared", nil)
		begun, release := make(chan struct{}, 10), make(chan struct{})
		h, err := w.server.Handle(q, func(_ context.Context, req *warren.Request) (warren.Message, error) {
			begun <- struct{}{}
			<-release
			return warren.Message{Body: []byte("first")}, nil
		})
		require.NoError(w, err)
		called := make(chan string, 4)
		call := func() {
			reply, err := w.call(q, warren.Message{})
			if err != nil {
				reply.Body = []byte(err.Error())
			}
			called <- string(reply.Body)
		}
		go call()
		receive(w, begun)
		h.Stop()
		_, err = w.server.Handle(q, func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{Body: []byte("second")}, nil
		})
		require.NoError(w, err)
		for range 3 {
			go call()
		}
		for range 3 {
			require.Equal(w, "second", receive(w, called))
		}
		close(release)
		require.Equal(w, "first", receive(w, called))
		receive(w, h.Done())
	})
}
