package warren_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// slow is a function that takes a minute, or until its context ends.
func slow(began *atomic.Int32) func(context.Context, order) error {
	return func(ctx context.Context, _ order) error {
		began.Add(1)
		select {
		case <-time.After(time.Minute):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestCloseWaitsForTheFunction(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var began atomic.Int32
		sub := work(t, b, slow(&began))
		enqueue(t, b, 1, 2, 3)
		time.Sleep(time.Second)
		require.NoError(t, sub.Err())
		begin := time.Now()
		sub.Stop()
		require.NoError(t, sub.Err(), "the function is being called")
		require.NoError(t, sub.Close())
		require.Equal(t, 59*time.Second, time.Since(begin))
		require.ErrorIs(t, sub.Err(), warren.ErrClosed)
		require.NoError(t, sub.Close(), "again")
		require.EqualValues(t, 1, began.Load())
		require.Equal(t, 2, brokertest.Ready(t, brokertest.Channel(t, b), "jobs"), "the others stay")
		require.EqualValues(t, 1, b.Stats().Acked)
	})
}

func TestAFunctionThatFailsWhileItsSubscriptionCloses(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		sub := work(t, b, func(context.Context, order) error { time.Sleep(time.Minute); return errWork })
		enqueue(t, b, 1)
		time.Sleep(time.Second)
		require.NoError(t, sub.Close())
		attempt := 0
		work(t, b, func(ctx context.Context, o order) error { attempt = warren.DeliveryFrom(ctx).Attempt(); return nil })
		brokertest.Later(time.Minute)
		require.Equal(t, 2, attempt, "the failure counts")
		brokertest.Clean(t, b)
	})
}

func TestTheFunctionMayStopItsSubscription(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ready := make(chan *warren.Subscription, 1)
		sub := work(t, b, func(context.Context, order) error { (<-ready).Stop(); return nil })
		enqueue(t, b, 1, 2)
		ready <- sub
		<-sub.Done()
		require.Equal(t, 1, brokertest.Ready(t, brokertest.Channel(t, b), "jobs"))
	})
}

func TestTheQueueOfASubscriptionIsDeleted(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		sub := work(t, b, func(context.Context, order) error { return nil })
		_, err := brokertest.Channel(t, b).QueueDelete("jobs", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		<-sub.Done()
		require.ErrorIs(t, sub.Err(), warren.ErrConsumerCancelled)
		synctest.Wait()
		require.Len(t, b.Sessions(), 1, "its channel is closed")
		enqueue(t, b, 1)
		require.Equal(t, 1, brokertest.Ready(t, brokertest.Channel(t, b), "jobs"))
	})
}

func TestTheBrokerClosesInTheMiddle(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var began atomic.Int32
		sub := work(t, b, slow(&began), warren.WorkOptions{Concurrency: 3})
		enqueue(t, b, 1, 2, 3, 4)
		failing, err := b.Subscribe("events", "#", func(context.Context, warren.Delivery) error { return errWork })
		require.NoError(t, err)
		publish(t, b, "k", 1)
		time.Sleep(time.Second / 2)
		begin := time.Now()
		require.NoError(t, b.Close())
		require.Zero(t, time.Since(begin))
		for _, s := range []*warren.Subscription{sub, failing} {
			<-s.Done()
			require.ErrorIs(t, s.Err(), warren.ErrClosed)
			require.NoError(t, s.Close())
		}
		require.EqualValues(t, 3, began.Load())
	})
}

func TestShutdownLetsFunctionsFinish(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		did := false
		sub := work(t, b, func(ctx context.Context, o order) error {
			time.Sleep(time.Minute)
			did = true
			// Nobody has published yet but those outside.
			return errors.Join(warren.PublishFor(ctx, b, "events", "done", o), warren.EnqueueFor(ctx, b, "more", o))
		})
		ch := brokertest.Channel(t, b)
		brokertest.Put(t, ch, "", "jobs", `{}`)
		time.Sleep(time.Second)
		begin := time.Now()
		err := b.Shutdown(t.Context())
		if brokertest.Paged { // the queue outlives the broker
			require.NoError(t, err)
		} else {
			var dropped *warren.DroppedError
			require.ErrorAs(t, err, &dropped)
			require.Equal(t, 1, dropped.Messages, "what it has enqueued: %v", err)
		}
		require.Equal(t, 59*time.Second, time.Since(begin))
		require.True(t, did)
		require.Zero(t, b.Stats().Failed)
		<-sub.Done()
		require.ErrorIs(t, warren.PublishFor(t.Context(), b, "events", "done", order{}), warren.ErrClosed)
	})
}

func TestHandlersPublishWhileTheBrokerDrains(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := warren.HandleFor(b, "h", func(ctx context.Context, n int) (int, error) {
			time.Sleep(time.Minute)
			return n, warren.PublishFor(ctx, b, "events", "done", n)
		})
		require.NoError(t, err)
		call := brokertest.Call(t.Context(), b, "h", "7")
		time.Sleep(time.Second)
		require.NoError(t, b.Shutdown(t.Context()))
		msg, err := brokertest.Answer(t, call)
		require.NoError(t, err)
		require.Equal(t, "7", string(msg.Body))
	})
}

func TestWhatCannotBePassedOnIsHeld(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "jobs.failed", warren.QueueOptions{MaxLength: 1, Overflow: warren.RejectPublish})
		brokertest.Fill(t, ch, "jobs.failed", "full")
		sub := work(t, b, func(context.Context, order) error { return warren.NoRetry(errWork) })
		enqueue(t, b, 1)
		brokertest.Later(10 * time.Minute)
		require.EqualValues(t, 1, b.Stats().Unacked, "it is not lost")
		require.Equal(t, []string{"full"}, brokertest.Drain(t, ch, "jobs.failed"))
		brokertest.Later(time.Minute)
		require.Zero(t, b.Stats().Unacked)
		require.Equal(t, []string{`{"Number":1}`}, brokertest.Drain(t, ch, "jobs.failed"))

		brokertest.Fill(t, ch, "jobs.failed", "full")
		enqueue(t, b, 2)
		brokertest.Later(10 * time.Minute)
		begin := time.Now()
		require.NoError(t, sub.Close())
		require.Zero(t, time.Since(begin), "the wait ends with the subscription")
		require.Equal(t, []string{`{"Number":2}`}, brokertest.Drain(t, ch, "jobs"), "it is back in its queue")
		require.Equal(t, []string{"full"}, brokertest.Drain(t, ch, "jobs.failed"))
		brokertest.Clean(t, b)
	})
}

func TestADelayQueueThatSomebodyElseHas(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "jobs.delay.1000")
		err := warren.EnqueueFor(t.Context(), b, "jobs", order{1}, warren.EnqueueOptions{Delay: time.Second})
		conflict, ok := errors.AsType[*warren.QueueConflictError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, "jobs.delay.1000", conflict.Queue)

		n := 0
		work(t, b, func(context.Context, order) error {
			if n++; n == 1 {
				return errWork
			}
			return nil
		})
		enqueue(t, b, 2)
		brokertest.Later(time.Minute)
		require.Equal(t, 1, n)
		_, err = ch.QueueDelete("jobs.delay.1000", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		brokertest.Later(2 * time.Minute)
		require.Equal(t, 2, n, "it goes on when the name is free")
		brokertest.Clean(t, b)
	})
}

func TestThePublishersChannelIsClosedByHand(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		enqueue(t, b, 1)
		require.Len(t, b.Sessions(), 1)
		require.NoError(t, b.SessionClose(b.Sessions()[0].ID, "by hand"))
		enqueue(t, b, 2)
		require.Len(t, b.Sessions(), 1)
		require.Equal(t, 2, brokertest.Ready(t, brokertest.Channel(t, b), "jobs"))
	})
}

func TestEventsOfAVirtualHostStayThere(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		var here, there seen
		subscribe(t, b, "#", here.order)
		subscribe(t, v, "#", there.order)
		publish(t, b, "k", 1)
		publish(t, v, "k", 2)
		synctest.Wait()
		require.Equal(t, []int{1}, here.numbers())
		require.Equal(t, []int{2}, there.numbers())
		sub := work(t, v, func(context.Context, order) error { return nil })
		require.NoError(t, b.VirtualHostDelete("v"))
		<-sub.Done()
		require.Error(t, warren.PublishFor(t.Context(), v, "events", "k", order{3}))
	})
}
