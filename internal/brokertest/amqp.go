package brokertest

import (
	"net"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// Server makes a server of the broker that is closed with the test.
func Server(t testing.TB, b *warren.Broker, o *amqp.Options) *amqp.Server {
	s := amqp.NewServer(b, o)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// A Dialer connects clients: a server's Dial, or one around it.
type Dialer = func(network, addr string) (net.Conn, error)

// Dial connects the official client as the user guest. The connection is
// closed with the test.
func Dial(t testing.TB, dial Dialer, c amqp091.Config) *amqp091.Connection {
	t.Helper()
	c.Dial = dial
	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", c)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ClientChannel opens a channel of the official client.
func ClientChannel(t testing.TB, conn *amqp091.Connection) *amqp091.Channel {
	t.Helper()
	ch, err := conn.Channel()
	require.NoError(t, err)
	return ch
}
