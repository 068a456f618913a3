package warren_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// consumeFunc starts a consumer with a function.
func consumeFunc(t *testing.T, ch *warren.Channel, queue string, o warren.ConsumeOptions, f warren.DeliveryFunc) *warren.Consumer {
	t.Helper()
	c, err := ch.ConsumeFunc(queue, o, f)
	require.NoError(t, err)
	return c
}

func TestWhatAFunctionReturnsSettlesTheDelivery(t *testing.T) {
	for name, test := range map[string]struct {
		f               warren.DeliveryFunc
		acked, rejected int
		failed          uint64
	}{
		"nil":                   {func(context.Context, warren.Delivery) error { return nil }, 2, 0, 0},
		"an error":              {func(context.Context, warren.Delivery) error { return errWork }, 0, 2, 2},
		"a panic":               {func(context.Context, warren.Delivery) error { panic("oh dear") }, 0, 2, 2},
		"a panic with an error": {func(context.Context, warren.Delivery) error { panic(errWork) }, 0, 2, 2},
		"an ack of its own":     {func(_ context.Context, d warren.Delivery) error { return d.Ack(false) }, 2, 0, 0},
		"an ack and an error":   {func(_ context.Context, d warren.Delivery) error { return errors.Join(d.Ack(false), errWork) }, 2, 0, 2},
		"a reject of its own":   {func(_ context.Context, d warren.Delivery) error { return d.Reject(false) }, 0, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var log logText
			brokertest.RunWith(t, &warren.Options{Logger: log.logger(slog.LevelWarn)}, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				deadLetters(t, ch, "q", warren.QueueOptions{})
				c := consumeFunc(t, ch, "q", warren.ConsumeOptions{}, test.f)
				brokertest.Fill(t, ch, "q", "1", "2")
				synctest.Wait()
				require.NoError(t, c.Err(), "it goes on")
				s := b.Stats()
				require.EqualValues(t, test.acked, s.Acked)
				require.EqualValues(t, test.rejected, s.DeadLettered)
				require.Equal(t, test.failed, s.Failed)
				require.EqualValues(t, test.failed, strings.Count(log.String(), `level=WARN msg="consumer failed" vhost=/ queue=q`), log.String())
				brokertest.Drain(t, ch, "dead")
				brokertest.Clean(t, b)
			})
		})
	}
}

func TestAFunctionsErrorRequeuesIfTheConsumerWantsIt(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		deadLetters(t, ch, "q", warren.QueueOptions{DeliveryLimit: 2})
		var got []string
		again := func(err error) bool { return errors.Is(err, errWork) }
		consumeFunc(t, ch, "q", warren.ConsumeOptions{Requeue: again}, func(_ context.Context, d warren.Delivery) error {
			got = append(got, fmt.Sprintf("%s %t", d.Body, d.Redelivered))
			if string(d.Body) == "hopeless" {
				return errors.New("never")
			}
			return errWork
		})
		for _, body := range []string{"hopeless", "later"} {
			brokertest.Fill(t, ch, "q", body)
			synctest.Wait()
		}
		require.Equal(t, []string{"hopeless false", "later false", "later true", "later true"}, got)
		require.Equal(t, []string{"hopeless", "later"}, brokertest.Drain(t, ch, "dead"))
		brokertest.Clean(t, b)
	})
}

func TestAFunctionWithoutAckOnlyFails(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		deadLetters(t, ch, "q", warren.QueueOptions{})
		consumeFunc(t, ch, "q", warren.ConsumeOptions{NoAck: true}, func(context.Context, warren.Delivery) error { panic("oh dear") })
		brokertest.Fill(t, ch, "q", "1", "2")
		synctest.Wait()
		require.EqualValues(t, 2, b.Stats().Failed)
		require.Zero(t, brokertest.Ready(t, ch, "dead"), "it was settled by its delivery")

		consumeFunc(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true}, func(context.Context, warren.Delivery) error { return errWork })
		brokertest.Handle(t, b, "rpc", brokertest.Echo)
		require.NoError(t, brokertest.Send(ch, "", "rpc", warren.Message{ReplyTo: warren.DirectReplyTo}, warren.PublishOptions{}))
		synctest.Wait()
		require.EqualValues(t, 3, b.Stats().Failed, "a reply, too")
	})
}

func TestConcurrencyOfAFunction(t *testing.T) {
	for concurrency, o := range map[int]warren.ConsumeOptions{
		1: {}, 3: {Concurrency: 3}, 5: {Concurrency: 5, NoAck: true}, 2: {Concurrency: 5, Prefetch: 2},
	} {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			brokertest.Fill(t, ch, "q", brokertest.Numbers(1, 30)...)
			var mu sync.Mutex
			running, most := 0, 0
			start := time.Now()
			var last time.Duration
			c := consumeFunc(t, ch, "q", o, func(context.Context, warren.Delivery) error {
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				time.Sleep(time.Minute)
				mu.Lock()
				defer mu.Unlock()
				running--
				last = time.Since(start)
				return nil
			})
			brokertest.Later(time.Hour)
			require.Equal(t, concurrency, most)
			require.Equal(t, time.Duration(30/concurrency)*time.Minute, last)
			require.NoError(t, c.Cancel())
			<-c.Done()
			brokertest.Clean(t, b)
		})
	}
	b := brokertest.New(t, nil)
	ch := brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "q")
	_, err := ch.ConsumeFunc("q", warren.ConsumeOptions{Concurrency: -1}, func(context.Context, warren.Delivery) error { return nil })
	require.ErrorIs(t, err, warren.ErrPreconditionFailed)
	require.Zero(t, b.Stats().Consumers)
}

func TestAConsumerTellsWhyItHasEnded(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(b *warren.Broker, ch *warren.Channel, c *warren.Consumer) error
		want error
	}{
		"cancelled": {func(_ *warren.Broker, _ *warren.Channel, c *warren.Consumer) error { return c.Cancel() }, warren.ErrClosed},
		"channel":   {func(_ *warren.Broker, ch *warren.Channel, _ *warren.Consumer) error { return ch.Close() }, warren.ErrClosed},
		"broker":    {func(b *warren.Broker, _ *warren.Channel, _ *warren.Consumer) error { return b.Close() }, warren.ErrClosed},
		"shutdown": {func(b *warren.Broker, _ *warren.Channel, _ *warren.Consumer) error {
			return b.Shutdown(context.Background())
		}, warren.ErrClosed},
		"queue deleted": {func(_ *warren.Broker, ch *warren.Channel, _ *warren.Consumer) error {
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			return err
		}, warren.ErrConsumerCancelled},
	} {
		for _, concurrency := range []int{1, 4} {
			t.Run(fmt.Sprint(name, concurrency), func(t *testing.T) {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					ch := brokertest.Channel(t, b)
					brokertest.Queues(t, ch, "q")
					c := consumeFunc(t, ch, "q", warren.ConsumeOptions{Concurrency: concurrency}, func(context.Context, warren.Delivery) error { return nil })
					require.NoError(t, c.Err())
					require.NoError(t, test.end(b, ch, c))
					<-c.Done()
					require.ErrorIs(t, c.Err(), test.want)
				})
			})
		}
	}
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		require.NoError(t, c.Cancel())
		require.Nil(t, c.Done())
		require.NoError(t, c.Err(), "Next tells it")
	})
}

func TestTheContextOfAFunctionEndsWithItsChannel(t *testing.T) {
	for name, end := range map[string]func(b *warren.Broker, ch *warren.Channel) error{
		"channel": func(_ *warren.Broker, ch *warren.Channel) error { return ch.Close() },
		"session": func(_ *warren.Broker, ch *warren.Channel) error { return ch.Session().Close() },
		"broker":  func(b *warren.Broker, _ *warren.Channel) error { return b.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				entered, cut := make(chan context.Context, 1), make(chan error, 1)
				c := consumeFunc(t, ch, "q", warren.ConsumeOptions{}, func(ctx context.Context, _ warren.Delivery) error {
					entered <- ctx
					<-ctx.Done()
					cut <- ctx.Err()
					return ctx.Err()
				})
				brokertest.Fill(t, ch, "q", "x")
				ctx := <-entered
				require.NoError(t, c.Cancel())
				synctest.Wait()
				require.NoError(t, ctx.Err(), "a cancelled consumer still settles what it has")
				require.NoError(t, end(b, ch))
				require.ErrorIs(t, <-cut, context.Canceled)
				<-c.Done()
				require.Zero(t, b.Stats().Failed, "the delivery is for others")
			})
		})
	}
}

func TestAFunctionThatCallsGoexitFailsAndEnds(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		deadLetters(t, ch, "q", warren.QueueOptions{})
		brokertest.Fill(t, ch, "q", brokertest.Numbers(1, 5)...)
		c := consumeFunc(t, ch, "q", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error { runtime.Goexit(); return nil })
		<-c.Done()
		require.ErrorIs(t, c.Err(), warren.ErrClosed)
		require.Equal(t, []string{"1"}, brokertest.Drain(t, ch, "dead"))
		require.Equal(t, brokertest.Numbers(2, 5), brokertest.Drain(t, ch, "q"))
		require.EqualValues(t, 1, b.Stats().Failed)
		brokertest.Clean(t, b)
	})
}

// In a transaction a function settles with it.
func TestAFunctionSettlesInItsTransaction(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.TxChannel(t, b)
		brokertest.Queues(t, ch, "q", "out")
		other := brokertest.Channel(t, b)
		brokertest.Fill(t, other, "q", "1")
		consumeFunc(t, ch, "q", warren.ConsumeOptions{}, func(ctx context.Context, d warren.Delivery) error {
			return ch.Publish(ctx, "", "out", d.Message, warren.PublishOptions{})
		})
		synctest.Wait()
		require.Equal(t, 1, b.Stats().Unacked)
		require.Zero(t, brokertest.Ready(t, other, "out"))
		require.NoError(t, ch.TxCommit())
		require.Equal(t, []string{"1"}, brokertest.Drain(t, other, "out"))
		brokertest.Clean(t, b)
	})
}

// TestAPanicKeepsTheOrderOfWhatFollows: the messages that a function's goroutine has read
// with the one that it panics on come next, each once and not as redelivered.
func TestAPanicKeepsTheOrderOfWhatFollows(t *testing.T) {
	for _, noAck := range []bool{false, true} {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			brokertest.Queues(t, ch, "q")
			want := brokertest.Numbers(0, 99)
			brokertest.Fill(t, ch, "q", want...)
			var got []string
			_, err := ch.ConsumeFunc("q", warren.ConsumeOptions{NoAck: noAck}, func(_ context.Context, d warren.Delivery) error {
				got = append(got, string(d.Body))
				if d.Redelivered || len(got)%7 == 0 {
					panic(string(d.Body))
				}
				return nil
			})
			require.NoError(t, err)
			synctest.Wait()
			require.Equal(t, want, got)
			require.Equal(t, uint64(14), b.Stats().Failed)
			require.Zero(t, b.Stats().Unacked)
		})
	}
}
