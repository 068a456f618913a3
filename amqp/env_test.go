package amqp_test

import (
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

// env is a broker with a server, in a bubble.
type env struct {
	*testing.T
	broker *warren.Broker
	server *amqp.Server
}

// withServer runs f in a bubble with a new broker and a server.
func withServer(t *testing.T, f func(t *env)) { withServerOf(t, nil, nil, f) }

// withServerOf is withServer with options for both.
func withServerOf(t *testing.T, o *warren.Options, so *amqp.Options, f func(t *env)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b, s := brokertest.Serve(t, o, so)
		f(&env{t, b, s})
	})
}

// dial connects the official client.
func (t *env) dial() *amqp091.Connection {
	t.Helper()
	return brokertest.Dial(t, t.server.Dial, amqp091.Config{})
}

// open opens a channel on a connection of its own.
func (t *env) open() *amqp091.Channel {
	t.Helper()
	return brokertest.ClientChannel(t, t.dial())
}

// native opens a channel of the broker itself.
func (t *env) native() *warren.Channel {
	t.Helper()
	return brokertest.Channel(t, t.broker)
}

func (t *env) queue(ch *amqp091.Channel, name string) string {
	t.Helper()
	q, err := ch.QueueDeclare(name, false, false, false, false, nil)
	require.NoError(t, err)
	return q.Name
}

func (t *env) exchange(ch *amqp091.Channel, name, kind string) {
	t.Helper()
	require.NoError(t, ch.ExchangeDeclare(name, kind, false, false, false, false, nil))
}

func (t *env) put(ch *amqp091.Channel, exchange, key string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		require.NoError(t, ch.PublishWithContext(t.Context(), exchange, key, false, false, amqp091.Publishing{Body: []byte(body)}))
	}
}

func (t *env) consume(ch *amqp091.Channel, queue, tag string, autoAck bool) <-chan amqp091.Delivery {
	t.Helper()
	c, err := ch.Consume(queue, tag, autoAck, false, false, false, nil)
	require.NoError(t, err)
	return c
}

// next reads a delivery, which must come.
func (t *env) next(c <-chan amqp091.Delivery) amqp091.Delivery {
	t.Helper()
	select {
	case d, ok := <-c:
		require.True(t, ok, "the consumer has ended")
		return d
	case <-time.After(time.Second):
		require.FailNow(t, "no delivery")
	}
	panic("not reached")
}

// none requires that no delivery is there.
func (t *env) none(c <-chan amqp091.Delivery) {
	t.Helper()
	synctest.Wait()
	select {
	case d, ok := <-c:
		require.False(t, ok, "a delivery: %q", d.Body)
	default:
	}
}

func (t *env) bodies(c <-chan amqp091.Delivery, n int) (list []string) {
	t.Helper()
	for range n {
		list = append(list, string(t.next(c).Body))
	}
	t.none(c)
	return list
}

// ready is the number of ready messages of a queue.
func (t *env) ready(queue string) int {
	t.Helper()
	synctest.Wait()
	ch := t.native()
	defer ch.Close()
	return brokertest.Ready(t, ch, queue)
}

// channelFails requires that the operation closes the channel, and it alone.
func (t *env) channelFails(code int, text string, f func(ch *amqp091.Channel) error) {
	t.Helper()
	conn := t.dial()
	ch := brokertest.ClientChannel(t, conn)
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	err := f(ch)
	t.isClose(closed, code, text)
	var e *amqp091.Error
	if err != nil {
		require.ErrorAs(t, err, &e)
		require.Equal(t, code, e.Code)
	}
	_, err = ch.QueueDeclare("", false, false, true, false, nil)
	require.ErrorIs(t, err, amqp091.ErrClosed, "the channel is unusable")
	require.False(t, conn.IsClosed(), "the connection stays")
	again := brokertest.ClientChannel(t, conn)
	_, err = again.QueueDeclare("", false, false, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

// connectionFails requires that the operation closes the connection.
func (t *env) connectionFails(code int, text string, f func(ch *amqp091.Channel) error) {
	t.Helper()
	conn := t.dial()
	ch := brokertest.ClientChannel(t, conn)
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	f(ch)
	t.isClose(closed, code, text)
	require.True(t, conn.IsClosed())
}

func (t *env) isClose(closed <-chan *amqp091.Error, code int, text string) {
	t.Helper()
	select {
	case e := <-closed:
		require.NotNil(t, e, "closed without an error")
		require.Equal(t, text, e.Reason)
		require.Equal(t, code, e.Code)
		require.True(t, e.Server)
	case <-time.After(time.Second):
		require.FailNow(t, "nothing was closed", "expected %d %s", code, text)
	}
}

// raw connects a raw client with some capabilities and opens channel 1. It
// waits no longer than a second for a frame.
func (t *env) raw(capabilities ...string) *rawClient {
	t.Helper()
	r := rawChannel(t.T, t.server, capabilities...)
	r.patience = time.Second
	return r
}
