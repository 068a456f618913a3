package warren_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// A requester in any language sets a deadline by a header, whatever type its client has
// for the number. The handler hands it on to what it calls.
func TestADeadlineInAHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		var deadline time.Time
		brokertest.Handle(t, b, "leaf", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			deadline, _ = ctx.Deadline()
			<-ctx.Done()
			return warren.Message{}, ctx.Err()
		})
		brokertest.Handle(t, b, "root", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			return b.Call(ctx, "leaf", warren.Message{})
		})
		ch := brokertest.ClientChannel(t, brokertest.Dial(t, srv.Dial, amqp091.Config{}))
		replies, err := ch.Consume(warren.DirectReplyTo, "", true, false, false, false, nil)
		require.NoError(t, err)
		seconds := time.Now().Add(time.Hour).Truncate(time.Second).Unix()
		for _, header := range []any{seconds * 1000, int32(time.Now().Unix())} {
			msg := amqp091.Publishing{ReplyTo: warren.DirectReplyTo, CorrelationId: "c", Headers: amqp091.Table{warren.DeadlineHeader: header}}
			require.NoError(t, ch.PublishWithContext(t.Context(), "", "root", false, false, msg))
			reply := <-replies
			require.Equal(t, "c", reply.CorrelationId)
			require.Equal(t, warren.CodeTimeout, reply.Headers[warren.ErrorCodeHeader])
			if n, ok := header.(int64); ok {
				require.Equal(t, seconds, time.Now().Unix(), "at the deadline")
				require.Equal(t, n, deadline.UnixMilli())
			} else {
				require.Equal(t, "the deadline was over before the handler had the request", reply.Headers[warren.ErrorTextHeader])
			}
		}
		for _, header := range []any{"soon", true, amqp091.Table{"a": "b"}, 1.5e15, nil} { // they mean nothing
			deadline = time.Now()
			msg := amqp091.Publishing{ReplyTo: warren.DirectReplyTo, Headers: amqp091.Table{warren.DeadlineHeader: header}}
			other := brokertest.ClientChannel(t, brokertest.Dial(t, srv.Dial, amqp091.Config{}))
			_, err := other.Consume(warren.DirectReplyTo, "", true, false, false, false, nil)
			require.NoError(t, err)
			require.NoError(t, other.PublishWithContext(t.Context(), "", "leaf", false, false, msg))
			synctest.Wait()
			require.Zero(t, deadline)
			require.NoError(t, other.Close()) // else the handler waits for ever
			synctest.Wait()
		}
		brokertestNothingServed(t, b)
	})
}

func brokertestNothingServed(t *testing.T, b *warren.Broker) {
	for _, h := range brokertest.VirtualHost(t, b, "/").Handlers() {
		require.Zero(t, h.Serving, h.Queue)
	}
}

// Of the caller's deadline and that in the header the earlier one counts.
func TestTheEarlierDeadlineCounts(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		now := time.Now()
		brokertest.Handle(t, b, "q", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			d, ok := ctx.Deadline()
			require.True(t, ok)
			if d.Sub(now) > time.Minute {
				return warren.Message{Timestamp: d}, nil
			}
			<-ctx.Done()
			return warren.Message{}, ctx.Err()
		})
		at := func(d time.Duration) warren.Message {
			return warren.Message{Headers: warren.Table{warren.DeadlineHeader: now.Add(d).UnixMilli()}}
		}
		ctx, cancel := context.WithDeadline(t.Context(), now.Add(time.Hour))
		defer cancel()
		reply, err := b.Call(ctx, "q", at(2*time.Hour))
		require.NoError(t, err)
		require.Equal(t, now.Add(time.Hour), reply.Timestamp)
		reply, err = b.Call(ctx, "q", at(2*time.Minute))
		require.NoError(t, err)
		require.True(t, now.Add(2*time.Minute).Equal(reply.Timestamp))
		_, err = b.Call(ctx, "q", at(time.Minute))
		require.ErrorIs(t, err, warren.ErrHandlerTimeout)
		require.ErrorIs(t, err, context.DeadlineExceeded, "in process the handler's own error is there")
		require.Equal(t, time.Minute, time.Since(now))
		require.False(t, warren.Repeatable(err))
	})
}

// A request that comes too late to its handler is not served, and counted. Who still
// waits is told.
func TestAnOverdueRequestIsNotServed(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		msg := warren.Message{Headers: warren.Table{warren.DeadlineHeader: time.Now().Add(time.Second).UnixMilli()}}
		call := brokertest.CallWith(t.Context(), b, "q", msg)
		require.NoError(t, ch.Publish(t.Context(), "", "q", msg, warren.PublishOptions{}))
		synctest.Wait()
		time.Sleep(time.Second)
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			t.Error("served")
			return warren.Message{}, nil
		})
		_, err := brokertest.Answer(t, call)
		require.ErrorIs(t, err, warren.ErrHandlerTimeout)
		require.ErrorContains(t, err, "the deadline was over before the handler had the request")
		brokertest.Clean(t, b)
		info := brokertest.VirtualHost(t, b, "/").Handlers()[0]
		require.Equal(t, uint64(2), info.Gone)
		require.Zero(t, info.Served)
		require.Zero(t, info.Failed)
	})
}
