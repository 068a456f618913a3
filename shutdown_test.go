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
)

// rpShutdown shuts the broker down in a goroutine and waits until it drains.
func rpShutdown(ctx context.Context, b *warren.Broker) <-chan error {
	result := make(chan error, 1)
	go func() { result <- b.Shutdown(ctx) }()
	synctest.Wait()
	return result
}

func TestShutdownTakesNoNewWork(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		gate := rpNewGate()
		rpHandle(t, b, "q", gate.serve)
		ch := rpChannel(t, b)
		rpQueue(t, ch, "other")
		call := rpGo(t.Context(), b, "q", "running")
		<-gate.entered
		down := rpShutdown(t.Context(), b)
		require.Empty(t, down, "it waits for the handler")

		ctx := t.Context()
		_, err := b.Call(ctx, "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrClosed)
		require.ErrorIs(t, ch.Publish(ctx, "", "q", warren.Message{}, warren.PublishOptions{}), warren.ErrClosed)
		_, err = b.Channel()
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = ch.Session().Channel()
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = b.Handle("new", echo)
		require.ErrorIs(t, err, warren.ErrClosed)
		_, err = ch.Consume("other", warren.ConsumeOptions{})
		require.ErrorIs(t, err, warren.ErrClosed)

		close(gate.release)
		require.NoError(t, <-down)
		require.Equal(t, "running", string((<-call).reply.Body))
		rpClean(t, b)
	})
}

func TestShutdownServesWhatIsQueued(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		var served atomic.Int32
		rpHandle(t, b, "q", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			time.Sleep(time.Hour)
			served.Add(1)
			return warren.Message{Body: req.Body}, ctx.Err()
		}, warren.HandleOptions{Concurrency: 2})
		var calls []<-chan rpResult
		for i := range 11 {
			calls = append(calls, rpGo(t.Context(), b, "q", strconv.Itoa(i)))
			synctest.Wait()
		}
		start := time.Now()
		require.NoError(t, b.Shutdown(t.Context()))
		require.Equal(t, 6*time.Hour, time.Since(start))
		for i, call := range calls {
			r := <-call
			require.NoError(t, r.err)
			require.Equal(t, strconv.Itoa(i), string(r.reply.Body))
		}
		require.EqualValues(t, 11, served.Load())
		rpClean(t, b)
	})
}

// While the broker drains, handlers may call, also with contexts made from
// theirs, and publish, and what they publish to handlers is served.
func TestHandlersWorkOnWhileTheBrokerDrains(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		ch := rpChannel(t, b)
		var noted atomic.Int32
		rpHandle(t, b, "note", func(context.Context, *warren.Request) (warren.Message, error) {
			time.Sleep(time.Hour)
			noted.Add(1)
			return warren.Message{}, nil
		}, warren.HandleOptions{Concurrency: 1})
		rpHandle(t, b, "inner", rpReply("inner"))
		gate := rpNewGate()
		rpHandle(t, b, "outer", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			if _, err := gate.serve(ctx, req); err != nil {
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
		call := rpGo(t.Context(), b, "outer", "x")
		<-gate.entered
		down := rpShutdown(t.Context(), b)
		start := time.Now()
		close(gate.release)
		r := <-call
		require.NoError(t, r.err)
		require.Equal(t, "inner", string(r.reply.Body))
		require.NoError(t, <-down)
		require.EqualValues(t, 3, noted.Load())
		require.Equal(t, 3*time.Hour, time.Since(start))
	})
}

func TestShutdownWaitsForHandlersThatWereStopped(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		gate := rpNewGate()
		h := rpHandle(t, b, "q", gate.serve)
		call := rpGo(t.Context(), b, "q", "x")
		<-gate.entered
		h.Stop()
		down := rpShutdown(t.Context(), b)
		require.Empty(t, call)
		close(gate.release)
		require.NoError(t, <-down)
		r := <-call
		require.NoError(t, r.err)
		require.Equal(t, "x", string(r.reply.Body))
	})
}

func TestCallsThatNobodyServesEndWithShutdown(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		ch := rpChannel(t, b)
		rpQueue(t, ch, "unserved")
		rpQueue(t, ch, "unread")
		_, err := ch.Consume("unread", warren.ConsumeOptions{})
		require.NoError(t, err)
		gate := rpNewGate()
		rpHandle(t, b, "q", gate.serve)
		unserved, unread := rpGo(t.Context(), b, "unserved", "x"), rpGo(t.Context(), b, "unread", "x")
		served := rpGo(t.Context(), b, "q", "x")
		<-gate.entered
		synctest.Wait()
		down := rpShutdown(t.Context(), b)
		require.Empty(t, unserved, "as long as the broker lives, somebody may answer")
		close(gate.release)
		require.NoError(t, <-down)
		require.NoError(t, (<-served).err)
		require.ErrorIs(t, (<-unserved).err, warren.ErrClosed)
		require.ErrorIs(t, (<-unread).err, warren.ErrClosed)
		rpClean(t, b)
	})
}

func TestShutdownCutsHandlersShortWhenItsContextEnds(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		cut := make(chan error, 1)
		rpHandle(t, b, "q", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			<-ctx.Done()
			cut <- ctx.Err()
			return warren.Message{}, ctx.Err()
		}, warren.HandleOptions{Concurrency: 1})
		running, queued := rpGo(t.Context(), b, "q", "1"), rpGo(t.Context(), b, "q", "2")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, b.Shutdown(ctx), context.DeadlineExceeded)
		require.Equal(t, 3*time.Hour, time.Since(start))
		require.ErrorIs(t, <-cut, context.Canceled)
		require.ErrorIs(t, (<-running).err, warren.ErrClosed)
		require.ErrorIs(t, (<-queued).err, warren.ErrClosed)
		require.NoError(t, b.Close())
		rpClean(t, b)
		require.Empty(t, cut, "the second request was not started")
	})
}

func TestShutdownTwiceAndThenClose(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		gate := rpNewGate()
		rpHandle(t, b, "q", gate.serve)
		call := rpGo(t.Context(), b, "q", "x")
		<-gate.entered
		first, second := rpShutdown(t.Context(), b), rpShutdown(t.Context(), b)
		require.Empty(t, first)
		require.Empty(t, second)
		close(gate.release)
		require.NoError(t, <-first)
		require.NoError(t, <-second)
		require.NoError(t, (<-call).err)
		require.NoError(t, b.Shutdown(t.Context()))
		require.NoError(t, b.Close())
	})
}

func TestCloseCutsAShutdownShort(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		gate := rpNewGate()
		rpHandle(t, b, "q", gate.serve)
		call := rpGo(t.Context(), b, "q", "x")
		<-gate.entered
		down := rpShutdown(t.Context(), b)
		require.NoError(t, b.Close())
		require.ErrorIs(t, (<-call).err, warren.ErrClosed)
		require.NoError(t, <-down)
	})
}

func TestShutdownOfAnIdleBroker(t *testing.T) {
	rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
		rpHandle(t, b, "q", echo)
		ch := rpChannel(t, b)
		rpQueue(t, ch, "left")
		rpNumbers(t, ch, "left", 3)
		for range 5 {
			_, err := b.Call(t.Context(), "q", warren.Message{})
			require.NoError(t, err)
		}
		start := time.Now()
		require.NoError(t, b.Shutdown(t.Context()))
		require.Zero(t, time.Since(start))
		require.Zero(t, b.Stats().Queues)
	})
}

// The chain must drain as a whole: what a handler sends just before it is done
// counts as well.
func TestShutdownSeesWorkThatMovesFromHandlerToHandler(t *testing.T) {
	for range 100 {
		rpBubble(t, nil, func(t *testing.T, b *warren.Broker) {
			const stations = 20
			ch := rpChannel(t, b)
			var last atomic.Int32
			for i := range stations {
				rpHandle(t, b, strconv.Itoa(i), func(ctx context.Context, req *warren.Request) (warren.Message, error) {
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
