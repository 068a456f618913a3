package brokertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// An Opener opens channels: a broker, a virtual host or a session.
type Opener interface {
	Channel() (*warren.Channel, error)
}

// Channel opens a channel. A broker and a virtual host give each a session of
// its own.
func Channel(t testing.TB, o Opener) *warren.Channel {
	t.Helper()
	ch, err := o.Channel()
	require.NoError(t, err)
	return ch
}

// MustChannel is Channel for goroutines that cannot end the test: it panics.
func MustChannel(o Opener) *warren.Channel {
	ch, err := o.Channel()
	if err != nil {
		panic(err)
	}
	return ch
}

// TxChannel opens a channel that is transactional.
func TxChannel(t testing.TB, o Opener) *warren.Channel {
	t.Helper()
	ch := Channel(t, o)
	require.NoError(t, ch.Tx())
	return ch
}

// Session opens a session.
func Session(t testing.TB, b *warren.Broker) *warren.Session {
	t.Helper()
	s, err := b.Session()
	require.NoError(t, err)
	return s
}

// VirtualHost is the virtual host with the name, which must be there.
func VirtualHost(t testing.TB, b *warren.Broker, name string) *warren.VirtualHost {
	t.Helper()
	v, err := b.VirtualHost(name)
	require.NoError(t, err)
	return v
}

// A Declarer is a channel on which queues are declared, of this module or of
// an AMQP client in its shape.
type Declarer interface {
	QueueDeclare(name string, o warren.QueueOptions) (warren.Queue, error)
}

// Queue declares a queue with options.
func Queue(t testing.TB, ch Declarer, name string, o warren.QueueOptions) {
	t.Helper()
	_, err := ch.QueueDeclare(name, o)
	require.NoError(t, err)
}

// Queues declares plain queues.
func Queues(t testing.TB, ch Declarer, names ...string) {
	t.Helper()
	for _, name := range names {
		Queue(t, ch, name, warren.QueueOptions{})
	}
}

// Stream declares a stream.
func Stream(t testing.TB, ch Declarer, name string, o warren.QueueOptions) {
	t.Helper()
	o.Type, o.Durable = warren.Stream, true
	Queue(t, ch, name, o)
}

// Exchanges declares plain exchanges of a type.
func Exchanges(t testing.TB, ch *warren.Channel, kind warren.ExchangeType, names ...string) {
	t.Helper()
	for _, name := range names {
		require.NoError(t, ch.ExchangeDeclare(name, kind, warren.ExchangeOptions{}))
	}
}

// State is what a passive declaration says of a queue. It counts as a use of
// the queue.
func State(t testing.TB, ch *warren.Channel, queue string) warren.Queue {
	t.Helper()
	q, err := ch.QueueDeclarePassive(queue)
	require.NoError(t, err)
	return q
}

// Ready is the number of ready messages of a queue, by State.
func Ready(t testing.TB, ch *warren.Channel, queue string) int {
	t.Helper()
	return State(t, ch, queue).Messages
}
