package warren_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

type contextKey struct{}

func TestHandlersContextHasValuesAndDeadlineOfTheCaller(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			value, _ := ctx.Value(contextKey{}).(string)
			deadline, ok := ctx.Deadline()
			if !ok {
				value += " without deadline"
			}
			return warren.Message{Body: []byte(value), Timestamp: deadline}, ctx.Err()
		})
		ctx := context.WithValue(t.Context(), contextKey{}, "traveller")
		reply, err := b.Call(ctx, "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "traveller without deadline", string(reply.Body))

		ctx, cancel := context.WithTimeout(ctx, 3*time.Hour)
		defer cancel()
		reply, err = b.Call(ctx, "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "traveller", string(reply.Body))
		want, _ := ctx.Deadline()
		require.True(t, want.Equal(reply.Timestamp))
	})
}

func TestDeadlineEndsTheCallAndTheHandlersContext(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		start := time.Now()
		ended := make(chan error, 1)
		brokertest.Handle(t, b, "q", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return warren.Message{}, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		_, err := b.Call(ctx, "q", warren.Message{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3*time.Hour, time.Since(start))
		require.ErrorIs(t, <-ended, context.DeadlineExceeded)
		require.Equal(t, 3*time.Hour, time.Since(start))
		brokertest.Clean(t, b)
	})
}

func TestCancellationEndsTheCallAndTheHandlersContext(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve)
		ctx, cancel := context.WithCancel(t.Context())
		call := brokertest.Call(ctx, b, "q", "x")
		<-gate.Entered
		time.Sleep(24 * time.Hour)
		select {
		case r := <-call:
			t.Fatalf("the call did not wait: %v", r.Err)
		default:
		}
		cancel()
		require.ErrorIs(t, (<-call).Err, context.Canceled)
		brokertest.Clean(t, b) // the handler, too, has ended
	})
}

func TestCallWaitsForADay(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			select {
			case <-time.After(24 * time.Hour):
				return warren.Message{Body: req.Body}, nil
			case <-ctx.Done():
				return warren.Message{}, ctx.Err()
			}
		})
		start := time.Now()
		reply, err := b.Call(t.Context(), "q", warren.Message{Body: []byte("patience")})
		require.NoError(t, err)
		require.Equal(t, "patience", string(reply.Body))
		require.Equal(t, 24*time.Hour, time.Since(start))
	})
}

func TestContextOfAReturnedHandlerHasEnded(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var looked, unlooked context.Context
		leftBehind := make(chan error, 1)
		brokertest.Handle(t, b, "looks", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			looked = ctx
			go func() { <-ctx.Done(); leftBehind <- ctx.Err() }()
			return warren.Message{}, ctx.Err()
		})
		brokertest.Handle(t, b, "does not", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			unlooked = ctx
			return warren.Message{}, nil
		})
		_, err := b.Call(t.Context(), "looks", warren.Message{})
		require.NoError(t, err)
		require.ErrorIs(t, <-leftBehind, context.Canceled)
		_, err = b.Call(t.Context(), "does not", warren.Message{})
		require.NoError(t, err)
		synctest.Wait()
		require.ErrorIs(t, looked.Err(), context.Canceled)
		require.ErrorIs(t, unlooked.Err(), context.Canceled)
		<-unlooked.Done()
	})
}

func TestContextsDerivedInAHandlerEndWithIt(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			short, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			<-short.Done()
			if ctx.Err() != nil {
				return warren.Message{}, errors.New("the handler's own context ended")
			}
			long, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			<-long.Done()
			return warren.Message{}, long.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		start := time.Now()
		_, err := b.Call(ctx, "q", warren.Message{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*time.Minute, time.Since(start))
		brokertest.Clean(t, b)
	})
}

func TestRequestOfACallerWhoHasGoneIsNotServed(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve, warren.HandleOptions{Concurrency: 1})
		first := brokertest.Call(t.Context(), b, "q", "first")
		<-gate.Entered
		ctx, cancel := context.WithCancel(t.Context())
		gone := brokertest.Call(ctx, b, "q", "gone")
		synctest.Wait()
		last := brokertest.Call(t.Context(), b, "q", "last")
		synctest.Wait()
		require.Equal(t, 2, b.Stats().Ready)
		cancel()
		require.ErrorIs(t, (<-gone).Err, context.Canceled)
		close(gate.Release)
		require.NoError(t, (<-first).Err)
		require.Equal(t, "last", string((<-last).Reply.Body))
		require.Len(t, gate.Entered, 1)
		require.Equal(t, "last", <-gate.Entered)
		brokertest.Clean(t, b)
	})
}

// To a consumer that is no Handler the deadline travels as expiration: the
// time that is left when the message leaves for it.
func TestDeadlineTravelsAsExpiration(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		timed, untimed := brokertest.Call(ctx, b, "q", "timed"), brokertest.Call(t.Context(), b, "q", "untimed")
		synctest.Wait()
		time.Sleep(time.Hour)
		expiration := make(map[string]string)
		for range 2 {
			d, ok, err := ch.Get("q", false)
			require.NoError(t, err)
			require.True(t, ok)
			expiration[string(d.Body)] = d.Expiration
		}
		require.Equal(t, map[string]string{"timed": "7200000", "untimed": ""}, expiration)
		require.NoError(t, ch.Nack(0, true, false))
		require.ErrorIs(t, (<-timed).Err, warren.ErrRequestDropped)
		require.ErrorIs(t, (<-untimed).Err, warren.ErrRequestDropped)
	})
}

// The requester of a plain AMQP request has no context; its life stands in.
func TestHandlersContextEndsWithTheRequester(t *testing.T) {
	for _, test := range []struct {
		name string
		look func(ctx context.Context)
	}{
		{"looking before", func(ctx context.Context) { ctx.Done() }},
		{"looking after", func(context.Context) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				entered, gone, ended := make(chan error, 1), make(chan struct{}), make(chan error, 1)
				brokertest.Handle(t, b, "q", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
					test.look(ctx)
					entered <- nil
					<-gone
					select {
					case <-ctx.Done():
						ended <- ctx.Err()
					case <-time.After(time.Hour):
						ended <- nil
					}
					return warren.Message{}, nil
				})
				requester := brokertest.Channel(t, b)
				_, err := requester.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
				require.NoError(t, err)
				require.NoError(t, requester.Publish(t.Context(), "", "q", warren.Message{ReplyTo: warren.DirectReplyTo}, warren.PublishOptions{}))
				<-entered
				require.NoError(t, requester.Close())
				close(gone)
				require.ErrorIs(t, <-ended, context.Canceled)
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestChainOfCallsIsCancelledFromTheTop(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		const depth = 3
		errs := make(chan error, depth)
		for i := range depth {
			next := "level" + string(rune('1'+i))
			brokertest.Handle(t, b, "level"+string(rune('0'+i)), func(ctx context.Context, req *warren.Request) (warren.Message, error) {
				reply, err := b.Call(ctx, next, req.Message)
				errs <- err
				return reply, err
			})
		}
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "level3", gate.Serve)

		call := brokertest.Call(t.Context(), b, "level0", "down and up")
		<-gate.Entered
		gate.Release <- struct{}{}
		r := <-call
		require.NoError(t, r.Err)
		require.Equal(t, "down and up", string(r.Reply.Body))
		for range depth {
			require.NoError(t, <-errs)
		}

		ctx, cancel := context.WithCancel(t.Context())
		call = brokertest.Call(ctx, b, "level0", "x")
		<-gate.Entered
		require.Equal(t, 4, b.Stats().Requesters)
		cancel()
		require.ErrorIs(t, (<-call).Err, context.Canceled)
		for range depth {
			require.ErrorIs(t, <-errs, context.Canceled)
		}
		brokertest.Clean(t, b)
	})
}
