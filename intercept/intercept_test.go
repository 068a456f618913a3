package intercept_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/intercept"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestRecoverMakesAnErrorOfAPanic(t *testing.T) {
	var stack string
	with := intercept.Join(
		warren.Interceptors{Handle: []func(warren.HandlerFunc) warren.HandlerFunc{func(next warren.HandlerFunc) warren.HandlerFunc {
			return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
				reply, err := next(ctx, req)
				require.True(t, err != nil || req.Type == "", "an interceptor outside sees the error")
				return reply, err
			}
		}}},
		intercept.Recover(func(ctx context.Context, p any) error {
			stack = string(debug.Stack())
			switch warren.RequestFrom(ctx).Type {
			case "own":
				return &warren.RemoteError{Code: "own", Text: p.(string)}
			case "again":
				panic("again")
			}
			return nil
		}))
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			switch req.Type {
			case "":
				return warren.Message{Body: []byte("done")}, nil
			case "exit":
				runtime.Goexit()
			case "error":
				panic(errOther)
			}
			panicsHere()
			return warren.Message{}, nil
		}, warren.HandleOptions{Intercept: with.Handle[1:]})
		call := func(kind string) error {
			_, err := b.Call(t.Context(), "q", warren.Message{Type: kind})
			return err
		}
		require.NoError(t, call(""))
		require.EqualError(t, call("own"), "warren: the handler failed: own: oops")
		require.Contains(t, stack, "panicsHere")
		require.EqualError(t, call("nil"), "warren: the handler failed: panic: oops")
		require.ErrorIs(t, call("error"), errOther)
		require.ErrorIs(t, call("error"), warren.ErrHandlerPanicked)
		require.EqualError(t, call("again"), "warren: the handler failed: panic: again")
		require.ErrorIs(t, call("exit"), warren.ErrHandlerPanicked)

		brokertest.Handle(t, b, "outside", func(context.Context, *warren.Request) (warren.Message, error) {
			panic("oops")
		}, warren.HandleOptions{Intercept: intercept.Join(with, intercept.Recover(nil)).Handle})
		_, err := b.Call(t.Context(), "outside", warren.Message{Type: "x"})
		require.ErrorIs(t, err, warren.ErrHandlerPanicked)
		brokertest.Clean(t, b)
	})
}

func panicsHere() { panic("oops") }

func TestRecoverAndTimeoutStandAroundFunctionsThatConsume(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		var errs []error
		seen := warren.Interceptors{Consume: []func(warren.DeliveryFunc) warren.DeliveryFunc{func(next warren.DeliveryFunc) warren.DeliveryFunc {
			return func(ctx context.Context, d warren.Delivery) error {
				err := next(ctx, d)
				errs = append(errs, err)
				return err
			}
		}}}
		_, err := ch.ConsumeFunc("q", warren.ConsumeOptions{
			Intercept: intercept.Join(seen, intercept.Recover(nil), intercept.Timeout(time.Second)).Consume,
		}, func(ctx context.Context, d warren.Delivery) error {
			if string(d.Body) == "panic" {
				panic(errOther)
			}
			<-ctx.Done()
			return ctx.Err()
		})
		require.NoError(t, err)
		brokertest.Put(t, ch, "", "q", "panic", "slow")
		brokertest.Later(2 * time.Second)
		require.Len(t, errs, 2)
		require.ErrorIs(t, errs[0], warren.ErrHandlerPanicked)
		require.ErrorIs(t, errs[0], errOther)
		require.ErrorIs(t, errs[1], warren.ErrHandlerTimeout)
	})
}

func TestTimeoutEndsTheContextOfAHandler(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			require.Same(t, req, warren.RequestFrom(ctx))
			switch req.Type {
			case "fast":
				return warren.Message{}, errOther
			case "deaf":
				time.Sleep(2 * time.Second)
				return warren.Message{Body: []byte("late")}, nil
			}
			<-ctx.Done()
			if req.Type == "own" {
				return warren.Message{}, &warren.RemoteError{Code: "own"}
			}
			return warren.Message{}, errors.Join(errOther, ctx.Err())
		}, warren.HandleOptions{Intercept: intercept.Timeout(time.Second).Handle})
		call := func(ctx context.Context, kind string) (time.Duration, error) {
			began := time.Now()
			_, err := b.Call(ctx, "q", warren.Message{Type: kind})
			return time.Since(began), err
		}
		took, err := call(t.Context(), "")
		require.EqualError(t, err, "warren: the handler failed: timeout: the handler took longer than 1s: another error\ncontext deadline exceeded")
		require.ErrorIs(t, err, warren.ErrHandlerTimeout)
		require.ErrorIs(t, err, errOther)
		require.Equal(t, time.Second, took)
		_, err = call(t.Context(), "own")
		require.ErrorIs(t, err, &warren.RemoteError{Code: "own"})
		_, err = call(t.Context(), "fast")
		require.ErrorIs(t, err, warren.ErrHandlerFailed)
		took, err = call(t.Context(), "deaf")
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, took)

		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		took, err = call(ctx, "")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 300*time.Millisecond, took, "the caller's deadline counts, too")
		brokertest.Clean(t, b)
	})
}

func TestLimitPerCallerRefusesWhoHasTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := brokertest.Serve(t, nil, &amqp.Options{})
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve, warren.HandleOptions{Intercept: intercept.LimitPerCaller(2).Handle})

		first, second := brokertest.Call(t.Context(), b, "q", "a"), brokertest.Call(t.Context(), b, "q", "b")
		synctest.Wait()
		_, err := b.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrBusy)
		require.True(t, warren.Repeatable(err))
		require.EqualError(t, err, "warren: the handler failed: busy: the caller has 2 requests here already")

		// Each client is a caller of its own.
		for range 2 {
			ch := brokertest.ClientChannel(t, brokertest.Dial(t, s.Dial, amqp091.Config{}))
			replies, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
			require.NoError(t, err)
			for range 3 {
				require.NoError(t, ch.PublishWithContext(t.Context(), "", "q", true, false, amqp091.Publishing{ReplyTo: "amq.rabbitmq.reply-to"}))
				synctest.Wait() // so that they are served in their order
			}
			require.Equal(t, warren.CodeBusy, (<-replies).Headers[warren.ErrorCodeHeader])
			require.Empty(t, replies)
		}
		// Nobody waits for these.
		ch := brokertest.Channel(t, b)
		brokertest.Put(t, ch, "", "q", "1", "2", "3")
		synctest.Wait()
		require.Len(t, gate.Entered, 2+2*2+3)
		close(gate.Release)
		for _, c := range []<-chan brokertest.CallResult{first, second} {
			_, err = brokertest.Answer(t, c)
			require.NoError(t, err)
		}
		_, err = b.Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err, "there is room again")
	})
}

func TestLimitPerCallerCountsPanicsOut(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) { panic("bug") },
			warren.HandleOptions{Intercept: intercept.LimitPerCaller(1).Handle})
		for range 3 {
			_, err := b.Call(t.Context(), "q", warren.Message{})
			require.ErrorIs(t, err, warren.ErrHandlerPanicked)
		}
	})
}

func TestZeroLimitsAreNone(t *testing.T) {
	require.Zero(t, len(intercept.LimitPerCaller(0).Handle))
	require.Zero(t, len(intercept.Timeout(0).Handle))
}

func TestLogTellsWhatWasDone(t *testing.T) {
	var b strings.Builder
	logger := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "correlation" {
				return slog.Attr{}
			}
			return a
		},
	}))
	lines := func() []string {
		synctest.Wait()
		defer b.Reset()
		return strings.Split(strings.TrimSpace(b.String()), "\n")
	}
	o := &warren.Options{Intercept: intercept.Log(logger, intercept.LogOptions{Failed: slog.LevelError})}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			time.Sleep(time.Second)
			switch req.Type {
			case "fail":
				return warren.Message{}, &warren.RemoteError{Code: "sold-out", Text: "none"}
			case "panic":
				panic("bug")
			case "silent":
				return warren.Message{}, warren.ErrNoReply
			}
			return warren.Message{}, nil
		})
		_, err := b.Call(t.Context(), "q", warren.Message{MessageId: "m1"})
		require.NoError(t, err)
		require.Equal(t, []string{
			`level=DEBUG msg=request queue=q redelivered=false took=1s message=m1`,
			`level=DEBUG msg=call queue=q took=1s message=m1`,
		}, lines())
		_, err = b.Call(t.Context(), "q", warren.Message{Type: "fail"})
		require.Error(t, err)
		require.Equal(t, []string{
			`level=ERROR msg=request queue=q redelivered=false took=1s code=sold-out error="warren: the handler failed: sold-out: none"`,
			`level=ERROR msg=call queue=q took=1s code=sold-out error="warren: the handler failed: sold-out: none"`,
		}, lines())
		_, err = b.Call(t.Context(), "q", warren.Message{Type: "panic"})
		require.Error(t, err)
		require.Equal(t, `level=ERROR msg=request queue=q redelivered=false took=1s error="it panicked or ended its goroutine"`, lines()[0])

		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "jobs")
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Type: "silent"}, warren.PublishOptions{}))
		time.Sleep(2 * time.Second)
		require.Equal(t, []string{
			`level=DEBUG msg=publish exchange="" key=q took=0s`,
			`level=DEBUG msg=request queue=q redelivered=false took=1s`,
		}, lines())
		require.Error(t, ch.Publish(t.Context(), "x", "", warren.Message{}, warren.PublishOptions{}))
		require.Contains(t, lines()[0], `level=ERROR msg=publish exchange=x key="" took=0s error=`)
		_, err = ch.ConsumeFunc("jobs", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error { return errOther })
		require.NoError(t, err)
		brokertest.Put(t, ch, "", "jobs", "x")
		require.Contains(t, lines(), `level=ERROR msg=delivery exchange="" key=jobs redelivered=false took=0s error="another error"`)
	})
}

func TestLogLeavesOutWhatIsFastOrNotWanted(t *testing.T) {
	var b strings.Builder
	o := &warren.Options{Intercept: intercept.Log(slog.New(slog.NewTextHandler(&b, nil)), intercept.LogOptions{Done: slog.LevelInfo, Slow: time.Second})}
	brokertest.RunWith(t, o, func(t *testing.T, broker *warren.Broker) {
		brokertest.Handle(t, broker, "q", brokertest.Echo)
		_, err := broker.Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		require.Empty(t, b.String())
		_, err = broker.Call(t.Context(), "nowhere", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNoRoute)
		require.Contains(t, b.String(), "msg=call queue=nowhere")
	})
}

func TestPropagateCopiesHeadersOntoWhatAHandlerSends(t *testing.T) {
	o := &warren.Options{Intercept: intercept.Propagate("trace", "tenant")}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "events")
		var inner []warren.Table
		brokertest.Handle(t, b, "inner", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			inner = append(inner, req.Headers)
			return warren.Message{}, nil
		})
		brokertest.Handle(t, b, "outer", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			require.NoError(t, ch.Publish(ctx, "", "events", warren.Message{}, warren.PublishOptions{}))
			own := warren.Table{"tenant": "own", "x": "y"}
			_, err := b.Call(ctx, "inner", warren.Message{Headers: own})
			require.Equal(t, warren.Table{"tenant": "own", "x": "y"}, own, "the table of the handler stays as it is")
			require.NoError(t, err)
			return b.Call(ctx, "inner", warren.Message{})
		})
		_, err := b.Call(t.Context(), "outer", warren.Message{Headers: warren.Table{"trace": "t1", "tenant": "acme", "other": "o"}})
		require.NoError(t, err)
		require.Equal(t, []warren.Table{{"trace": "t1", "tenant": "own", "x": "y"}, {"trace": "t1", "tenant": "acme"}}, inner)
		require.Equal(t, warren.Table{"trace": "t1", "tenant": "acme"}, brokertest.Take(t, ch, "events").Headers)

		inner = nil
		_, err = b.Call(t.Context(), "outer", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, []warren.Table{{"tenant": "own", "x": "y"}, nil}, inner)
	})
}

func TestPropagateCopiesHeadersOfDeliveries(t *testing.T) {
	o := &warren.Options{Intercept: intercept.Propagate("trace")}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "jobs")
		var got []any
		brokertest.Handle(t, b, "q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			got = append(got, req.Headers["trace"])
			return warren.Message{}, nil
		})
		work := func(ctx context.Context, d warren.Delivery) error {
			_, err := b.Call(ctx, "q", warren.Message{})
			return err
		}
		_, err := ch.ConsumeFunc("jobs", warren.ConsumeOptions{}, work)
		require.NoError(t, err)
		_, err = b.Work("more", work)
		require.NoError(t, err)
		for _, queue := range []string{"jobs", "more", "jobs"} {
			var headers warren.Table
			if len(got) < 2 {
				headers = warren.Table{"trace": queue}
			}
			require.NoError(t, ch.Publish(t.Context(), "", queue, warren.Message{Headers: headers}, warren.PublishOptions{}))
			synctest.Wait()
		}
		require.Equal(t, []any{"jobs", "more", nil}, got)
	})
}

func TestSubscriptionRepeatsWhatAnInterceptorRefuses(t *testing.T) {
	refused := 0
	refuse := warren.Interceptors{Consume: []func(warren.DeliveryFunc) warren.DeliveryFunc{func(next warren.DeliveryFunc) warren.DeliveryFunc {
		return func(ctx context.Context, d warren.Delivery) error {
			if refused++; refused < 3 {
				return errOther
			}
			return next(ctx, d)
		}
	}}}
	brokertest.RunWith(t, &warren.Options{Intercept: refuse}, func(t *testing.T, b *warren.Broker) {
		attempts := 0
		s, err := b.Work("jobs", func(ctx context.Context, d warren.Delivery) error {
			attempts = warren.DeliveryFrom(ctx).Attempt()
			return nil
		})
		require.NoError(t, err)
		brokertest.Put(t, brokertest.Channel(t, b), "", "jobs", "x")
		brokertest.Later(time.Minute)
		require.Equal(t, 3, attempts)
		require.NoError(t, s.Close())
	})
}
