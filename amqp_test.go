package warren_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// amLess is n, or a part of it with the race detector.
func amLess(n, part int) int {
	if withRace {
		return n / part
	}
	return n
}

// amTest runs f with a new broker in a bubble.
func amTest(t *testing.T, f func(t *testing.T, b *warren.Broker)) {
	t.Helper()
	amTestWith(t, nil, f)
}

func amTestWith(t *testing.T, o *warren.Options, f func(t *testing.T, b *warren.Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(o)
		warren.CheapPasswords(b)
		defer b.Close()
		f(t, b)
	})
}

// amOpen opens a channel in a session of its own.
func amOpen(t testing.TB, b *warren.Broker) *warren.Channel {
	t.Helper()
	ch, err := b.Channel()
	require.NoError(t, err)
	return ch
}

// amFails requires an error of AMQP: its code, its method and its reply text.
func amFails(t testing.TB, err error, code, class, method uint16, text string) {
	t.Helper()
	var e *warren.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t,
		warren.Error{Code: code, Class: class, Method: method, Text: text},
		warren.Error{Code: e.Code, Class: e.Class, Method: e.Method, Text: e.Text})
}

// amQueues declares plain queues.
func amQueues(t testing.TB, ch *warren.Channel, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := ch.QueueDeclare(name, warren.QueueOptions{})
		require.NoError(t, err)
	}
}

// amExchanges declares plain exchanges of a type.
func amExchanges(t testing.TB, ch *warren.Channel, kind warren.ExchangeType, names ...string) {
	t.Helper()
	for _, name := range names {
		require.NoError(t, ch.ExchangeDeclare(name, kind, warren.ExchangeOptions{}))
	}
}

// amPut publishes bodies and requires that there is no error.
func amPut(t testing.TB, ch *warren.Channel, exchange, key string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		require.NoError(t, ch.Publish(t.Context(), exchange, key, warren.Message{Body: []byte(body)}, warren.PublishOptions{}))
	}
}

// amSend publishes a message and gives the error.
func amSend(ch *warren.Channel, exchange, key string, msg warren.Message, o warren.PublishOptions) error {
	return ch.Publish(context.Background(), exchange, key, msg, o)
}

// amGetter is a channel, of this package or of another.
type amGetter interface {
	Get(queue string, autoAck bool) (warren.Delivery, bool, error)
}

// amTake takes one message from a queue that must have one, without an ack.
func amTake(t testing.TB, ch amGetter, queue string) warren.Delivery {
	t.Helper()
	d, ok, err := ch.Get(queue, false)
	require.NoError(t, err)
	require.True(t, ok, "queue %s is empty", queue)
	return d
}

// amDrain takes all ready messages from a queue and gives their bodies.
func amDrain(t testing.TB, ch amGetter, queue string) []string {
	t.Helper()
	bodies := []string{}
	for {
		d, ok, err := ch.Get(queue, true)
		require.NoError(t, err)
		if !ok {
			return bodies
		}
		bodies = append(bodies, string(d.Body))
	}
}

// amReady is the number of ready messages of a queue.
func amReady(t testing.TB, ch *warren.Channel, queue string) int {
	t.Helper()
	q, err := ch.QueueDeclarePassive(queue)
	require.NoError(t, err)
	return q.Messages
}

func amConsume(t testing.TB, ch *warren.Channel, queue string, o warren.ConsumeOptions) *warren.Consumer {
	t.Helper()
	c, err := ch.Consume(queue, o)
	require.NoError(t, err)
	return c
}

// amNext reads one delivery, which must be there.
func amNext(t testing.TB, c *warren.Consumer) warren.Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	d, err := c.Next(ctx)
	require.NoError(t, err)
	return d
}

// amRead reads all deliveries that a consumer gets without settling one.
func amRead(t testing.TB, c *warren.Consumer) []warren.Delivery {
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

// amBodies are the bodies of deliveries.
func amBodies(list []warren.Delivery) []string {
	bodies := []string{}
	for _, d := range list {
		bodies = append(bodies, string(d.Body))
	}
	return bodies
}
