package warren_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// shutDown shuts the broker down in a goroutine and waits until it drains.
func shutDown(ctx context.Context, b *warren.Broker) <-chan error {
	result := make(chan error, 1)
	go func() { result <- b.Shutdown(ctx) }()
	synctest.Wait()
	return result
}

func TestShutdownTakesNoNewWork(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve)
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "other")
		call := brokertest.Call(t.Context(), b, "q", "running")
		<-gate.Entered
		down := shutDown(t.Context(), b)
		require.Empty(t, down, "it waits for the handler")

		ctx := t.Context()
		_, err := b.Call(ctx, "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrClosed)
		require.ErrorIs(t, ch.Publish(ctx, "", "q", warren.Message{}, warren.PublishOptions{}), warren.ErrClosed)
		_, err = b.Channel()
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = ch.Session().Channel()
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = b.Handle("new", brokertest.Echo)
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = ch.Consume("other", warren.ConsumeOptions{})
		require.ErrorIs(t, err, warren.ErrClosed)

		close(gate.Release)
		require.NoError(t, <-down)
		require.Equal(t, "running", string((<-call).Reply.Body))
		brokertest.Clean(t, b)
	})
}

func TestShutdownServesWhatIsQueued(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var served atomic.Int32
		brokertest.Handle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			time.Sleep(time.Hour)
			served.Add(1)
			return warren.Message{Body: req.Body}, ctx.Err()
		}, warren.HandleOptions{Concurrency: 2})
		var calls []<-chan brokertest.CallResult
		for i := range 11 {
			calls = append(calls, brokertest.Call(t.Context(), b, "q", strconv.Itoa(i)))
			synctest.Wait()
		}
		start := time.Now()
		require.NoError(t, b.Shutdown(t.Context()))
		require.Equal(t, 6*time.Hour, time.Since(start))
		for i, call := range calls {
			r := <-call
			require.NoError(t, r.Err)
			require.Equal(t, strconv.Itoa(i), string(r.Reply.Body))
		}
		require.EqualValues(t, 11, served.Load())
		brokertest.Clean(t, b)
	})
}

// While the broker drains, handlers may call, also with contexts made from
// theirs, and publish, and what they publish to handlers is served.
func TestHandlersWorkOnWhileTheBrokerDrains(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		var noted atomic.Int32
		brokertest.Handle(t, b, "note", func(context.Context, *warren.Request) (warren.Message, error) {
			time.Sleep(time.Hour)
			noted.Add(1)
			return warren.Message{}, nil
		}, warren.HandleOptions{Concurrency: 1})
		brokertest.Handle(t, b, "inner", brokertest.Reply("inner"))
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "outer", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			if _, err := gate.Serve(ctx, req); err != nil {
				return warren.Message{}, err
			}
			for range 3 {
				if err := ch.Publish(ctx, "", "note", warren.Message{}, warren.PublishOptions{Mandatory: true}); err != nil {
					return warren.Message{}, err
				}
			}
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			return b.Call(ctx, "inner", warren.Message{})
		})
		call := brokertest.Call(t.Context(), b, "outer", "x")
		<-gate.Entered
		down := shutDown(t.Context(), b)
		start := time.Now()
		close(gate.Release)
		r := <-call
		require.NoError(t, r.Err)
		require.Equal(t, "inner", string(r.Reply.Body))
		require.NoError(t, <-down)
		require.EqualValues(t, 3, noted.Load())
		require.Equal(t, 3*time.Hour, time.Since(start))
	})
}

func TestShutdownWaitsForHandlersThatWereStopped(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		h := brokertest.Handle(t, b, "q", gate.Serve)
		call := brokertest.Call(t.Context(), b, "q", "x")
		<-gate.Entered
		h.Stop()
		down := shutDown(t.Context(), b)
		require.Empty(t, call)
		close(gate.Release)
		require.NoError(t, <-down)
		r := <-call
		require.NoError(t, r.Err)
		require.Equal(t, "x", string(r.Reply.Body))
	})
}

func TestCallsThatNobodyServesEndWithShutdown(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "unserved")
		brokertest.Queues(t, ch, "unread")
		_, err := ch.Consume("unread", warren.ConsumeOptions{})
		require.NoError(t, err)
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve)
		unserved, unread := brokertest.Call(t.Context(), b, "unserved", "x"), brokertest.Call(t.Context(), b, "unread", "x")
		served := brokertest.Call(t.Context(), b, "q", "x")
		<-gate.Entered
		synctest.Wait()
		down := shutDown(t.Context(), b)
		require.Empty(t, unserved, "as long as the broker lives, somebody may answer")
		close(gate.Release)
		var dropped *warren.DroppedError
		require.ErrorAs(t, <-down, &dropped)
		require.Equal(t, 2, dropped.Messages)
		require.NoError(t, (<-served).Err)
		require.ErrorIs(t, (<-unserved).Err, warren.ErrClosed)
		require.ErrorIs(t, (<-unread).Err, warren.ErrClosed)
		brokertest.Clean(t, b)
	})
}

func TestShutdownCutsHandlersShortWhenItsContextEnds(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		cut := make(chan error, 1)
		brokertest.Handle(t, b, "q", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			<-ctx.Done()
			cut <- ctx.Err()
			return warren.Message{}, ctx.Err()
		}, warren.HandleOptions{Concurrency: 1})
		running, queued := brokertest.Call(t.Context(), b, "q", "1"), brokertest.Call(t.Context(), b, "q", "2")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, b.Shutdown(ctx), context.DeadlineExceeded)
		require.Equal(t, 3*time.Hour, time.Since(start))
		require.ErrorIs(t, <-cut, context.Canceled)
		require.ErrorIs(t, (<-running).Err, warren.ErrClosed)
		require.ErrorIs(t, (<-queued).Err, warren.ErrClosed)
		require.NoError(t, b.Close())
		brokertest.Clean(t, b)
		require.Empty(t, cut, "the second request was not started")
	})
}

func TestShutdownTwiceAndThenClose(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve)
		call := brokertest.Call(t.Context(), b, "q", "x")
		<-gate.Entered
		first, second := shutDown(t.Context(), b), shutDown(t.Context(), b)
		require.Empty(t, first)
		require.Empty(t, second)
		close(gate.Release)
		require.NoError(t, <-first)
		require.NoError(t, <-second)
		require.NoError(t, (<-call).Err)
		require.NoError(t, b.Shutdown(t.Context()))
		require.NoError(t, b.Close())
	})
}

func TestCloseCutsAShutdownShort(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		gate := brokertest.NewGate()
		brokertest.Handle(t, b, "q", gate.Serve)
		call := brokertest.Call(t.Context(), b, "q", "x")
		<-gate.Entered
		down := shutDown(t.Context(), b)
		require.NoError(t, b.Close())
		require.ErrorIs(t, (<-call).Err, warren.ErrClosed)
		require.NoError(t, <-down)
	})
}

func TestShutdownOfAnIdleBroker(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		brokertest.Handle(t, b, "q", brokertest.Echo)
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "left")
		brokertest.Fill(t, ch, "left", brokertest.Numbers(0, 2)...)
		for range 5 {
			_, err := b.Call(t.Context(), "q", warren.Message{})
			require.NoError(t, err)
		}
		start := time.Now()
		require.EqualError(t, b.Shutdown(t.Context()), "warren: 3 messages were dropped with the broker: 3 of queue 'left' in vhost '/'")
		require.Zero(t, time.Since(start))
		require.Zero(t, b.Stats().Queues)
	})
}

// The chain must drain as a whole: what a handler sends just before it is done
// counts as well.
func TestShutdownSeesWorkThatMovesFromHandlerToHandler(t *testing.T) {
	for range 100 {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			const stations = 20
			ch := brokertest.Channel(t, b)
			var last atomic.Int32
			for i := range stations {
				brokertest.Handle(t, b, strconv.Itoa(i), func(ctx context.Context, req *warren.Request) (warren.Message, error) {
					if i == stations-1 {
						last.Add(1)
						return warren.Message{}, nil
					}
					return warren.Message{}, ch.Publish(ctx, "", strconv.Itoa(i+1), req.Message, warren.PublishOptions{Mandatory: true})
				})
			}
			require.NoError(t, ch.Publish(t.Context(), "", "0", warren.Message{}, warren.PublishOptions{}))
			require.NoError(t, b.Shutdown(t.Context()))
			require.EqualValues(t, 1, last.Load())
		})
	}
}
