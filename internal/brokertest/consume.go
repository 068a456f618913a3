package brokertest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// A Getter is a channel that takes messages out of queues, of this module or
// of an AMQP client in its shape.
type Getter interface {
	Get(queue string, autoAck bool) (warren.Delivery, bool, error)
}

// Take takes one message from a queue that must have one, without an ack.
func Take(t testing.TB, ch Getter, queue string) warren.Delivery {
	t.Helper()
	d, ok, err := ch.Get(queue, false)
	require.NoError(t, err)
	require.True(t, ok, "queue %s is empty", queue)
	return d
}

// Drain takes all ready messages from a queue and gives their bodies.
func Drain(t testing.TB, ch Getter, queue string) []string {
	t.Helper()
	bodies, _ := DrainAgain(t, ch, queue)
	return bodies
}

// DrainAgain is Drain that also tells whether any message was redelivered.
func DrainAgain(t testing.TB, ch Getter, queue string) (bodies []string, redelivered bool) {
	t.Helper()
	bodies = []string{}
	for {
		d, ok, err := ch.Get(queue, true)
		require.NoError(t, err)
		if !ok {
			return bodies, redelivered
		}
		bodies = append(bodies, string(d.Body))
		redelivered = redelivered || d.Redelivered
	}
}

// Consume starts a consumer.
func Consume(t testing.TB, ch *warren.Channel, queue string, o warren.ConsumeOptions) *warren.Consumer {
	t.Helper()
	c, err := ch.Consume(queue, o)
	require.NoError(t, err)
	return c
}

// NoWait is a context for Next that takes what is there.
func NoWait() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Next reads one delivery, which must come within a second of the bubble's
// time.
func Next(t testing.TB, c *warren.Consumer) warren.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	d, err := c.Next(ctx)
	require.NoError(t, err)
	return d
}

// Nothing requires that no message waits with the consumer. It does not wait
// for one either.
func Nothing(t testing.TB, c *warren.Consumer) {
	t.Helper()
	d, err := c.Next(NoWait())
	require.Error(t, err, "got %q", d.Body)
}

// Read reads all deliveries that a consumer gets if none is settled.
func Read(t testing.TB, c *warren.Consumer) []warren.Delivery {
	t.Helper()
	var list []warren.Delivery
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		d, err := c.Next(ctx)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return list
		}
		list = append(list, d)
	}
}

// Bodies are the bodies of deliveries.
func Bodies(list []warren.Delivery) []string {
	bodies := []string{}
	for _, d := range list {
		bodies = append(bodies, string(d.Body))
	}
	return bodies
}
