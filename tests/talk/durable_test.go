package talk_test

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

func TestADeadlineInAHeaderBoundsACall(t *testing.T) {
	run(t, func(t *tried) {
		var deadline time.Time
		brokertest.Handle(t, t.Broker, "slow", func(ctx context.Context, _ *warren.Request) (warren.Message, error) {
			deadline, _ = ctx.Deadline()
			<-ctx.Done()
			return warren.Message{}, ctx.Err()
		})
		h := t.hand()
		until := time.Now().Add(time.Second)
		h.tell("slow", table{"x-warren-deadline": until.UnixMilli()}, "")
		require.Empty(t, h.heard())
		require.Equal(t, until.UnixMilli(), deadline.UnixMilli())
		brokertest.Later(time.Second)
		require.Equal(t, []string{"error timeout"}, h.heard())
		require.Zero(t, t.unsettled())
	})
}

func TestARequestWhoseDeadlineIsOverIsNotServed(t *testing.T) {
	run(t, func(t *tried) {
		brokertest.Handle(t, t.Broker, "late", func(context.Context, *warren.Request) (warren.Message, error) {
			require.Fail(t, "it is served")
			return warren.Message{}, nil
		})
		h := t.hand()
		h.tell("late", table{"x-warren-deadline": time.Now().Add(-time.Second).UnixMilli()}, "")
		require.Zero(t, t.unsettled())
	})
}

func TestDeadlinesThatMakeNoSense(t *testing.T) {
	for _, deadline := range []any{"soon", true, 1.5, nil} {
		run(t, func(t *tried) {
			brokertest.Handle(t, t.Broker, "echo", brokertest.Echo)
			h := t.hand()
			h.tell("echo", table{"x-warren-deadline": deadline}, "a")
			require.Equal(t, []string{"plain: a"}, h.heard())
		})
	}
}

func TestADurableCallOutlivesItsServer(t *testing.T) {
	run(t, func(t *tried) {
		keeper := t.hand()
		_, err := keeper.QueueDeclare("pay", true, false, false, false, nil)
		require.NoError(t, err)
		defer keeper.QueueDelete("pay", false, false, false)
		serve := func() (*hand, <-chan amqp091.Delivery) {
			h := t.hand()
			requests, err := h.Consume("pay", "", false, false, false, false, nil)
			require.NoError(t, err)
			return h, requests
		}
		first, requests := serve()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		call := brokertest.Call(ctx, t.Broker, "pay", "10", warren.CallOptions{Durable: true})
		d := first.take(requests)
		require.Equal(t, uint8(amqp091.Persistent), d.DeliveryMode)
		require.NotEmpty(t, d.MessageId)
		deadline, ok := number(t, d, "x-warren-deadline")
		require.True(t, ok)
		require.Equal(t, time.Now().Add(time.Minute).UnixMilli(), deadline)
		require.NoError(t, first.conn.Close())

		synctest.Wait()
		second, again := serve()
		e := second.take(again)
		require.True(t, e.Redelivered)
		require.Equal(t, d.MessageId, e.MessageId)
		require.Equal(t, d.Headers, e.Headers)
		second.say(nil, "paid")
		require.NoError(t, e.Ack(false))
		reply, err := brokertest.Answer(t, call)
		require.NoError(t, err)
		require.Equal(t, "paid", string(reply.Body))
	})
}

func TestADeadlineInAHeaderBoundsAStream(t *testing.T) {
	run(t, func(t *tried) {
		stopped := make(chan error, 1)
		t.handleStream("numbers", counting(stopped))
		h := t.hand()
		h.tell("numbers", table{"x-warren-stream": int32(1), "x-warren-deadline": time.Now().Add(time.Second).UnixMilli()}, "")
		require.Equal(t, []string{"credit 0", "item 1: 1"}, h.heard())
		brokertest.Later(2 * time.Second)
		require.ErrorIs(t, soon(t, stopped), context.DeadlineExceeded)
		require.Equal(t, []string{"end 1, error timeout"}, h.heard())
		require.Zero(t, t.unsettled())
	})
}
