package brokertest

import (
	"net"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// Serve makes a broker and a server for AMQP clients, which end with the test.
func Serve(t testing.TB, o *warren.Options, so *amqp.Options) (*warren.Broker, *amqp.Server) {
	b := New(t, o)
	s := amqp.NewServer(b, so)
	t.Cleanup(func() { require.NoError(t, s.Close()) }) // before the broker
	return b, s
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
