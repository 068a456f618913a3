package warrentest_test

import (
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/warrentest"
)

// client is an application's connection to a broker in a bubble, with a channel in
// confirm mode and what it hears.
type client struct {
	*testing.T
	conn     *amqp091.Connection
	ch       *amqp091.Channel
	closed   chan *amqp091.Error // of the connection
	chClosed chan *amqp091.Error
	confirms chan amqp091.Confirmation
	returns  chan amqp091.Return
	blocked  chan amqp091.Blocking
	cancels  chan string
}

// withClient runs a test in a bubble with a broker and a client, whose queue is q.
func withClient(t *testing.T, f func(t *testing.T, b *warrentest.Broker, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t, warrentest.Options{Quiet: true})
		f(t, b, dial(t, b, "worker"))
	})
}

func dial(t *testing.T, b *warrentest.Broker, name string) *client {
	t.Helper()
	conn, err := amqp091.DialConfig("amqp://", amqp091.Config{
		Dial: b.Dial, Heartbeat: 10 * time.Second, Properties: amqp091.Table{"connection_name": name},
	})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	c := &client{T: t, conn: conn}
	c.closed = conn.NotifyClose(make(chan *amqp091.Error, 1))
	c.blocked = conn.NotifyBlocked(make(chan amqp091.Blocking, 10))
	c.channel()
	return c
}

// channel opens a channel and declares q.
func (c *client) channel() {
	c.Helper()
	var err error
	c.ch, err = c.conn.Channel()
	require.NoError(c, err)
	require.NoError(c, c.ch.Confirm(false))
	c.chClosed = c.ch.NotifyClose(make(chan *amqp091.Error, 1))
	c.confirms = c.ch.NotifyPublish(make(chan amqp091.Confirmation, 100))
	c.returns = c.ch.NotifyReturn(make(chan amqp091.Return, 10))
	c.cancels = c.ch.NotifyCancel(make(chan string, 10))
	_, err = c.ch.QueueDeclare("q", false, false, false, false, nil)
	require.NoError(c, err)
}

func (c *client) publish(body string) {
	c.Helper()
	require.NoError(c, c.ch.PublishWithContext(c.Context(), "", "q", false, false, amqp091.Publishing{Body: []byte(body)}))
}

// heard returns what has come in a channel until now.
func heard[T any](c <-chan T) (list []T) {
	for {
		synctest.Wait()
		select {
		case v, ok := <-c:
			if !ok {
				return list
			}
			list = append(list, v)
		default:
			return list
		}
	}
}

func TestAClientSeesNothingOfTheTap(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		c.publish("1")
		c.publish("2")
		require.Equal(t, []amqp091.Confirmation{{DeliveryTag: 1, Ack: true}, {DeliveryTag: 2, Ack: true}}, heard(c.confirms))
		deliveries, err := c.ch.Consume("q", "tag", false, false, false, false, nil)
		require.NoError(t, err)
		for _, d := range heard(deliveries) {
			require.NoError(t, d.Ack(false))
		}
		time.Sleep(time.Hour)
		require.Empty(t, heard(c.closed))
		require.NoError(t, c.conn.Close())
	})
}

func TestAMessageThatIsTooLargeClosesItsChannelOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t, warrentest.Options{Broker: &warren.Options{MaxMessageSize: 100_000}})
		c := dial(t, b, "worker")
		c.publish(string(make([]byte, 100_000)))
		require.Equal(t, acks(1), heard(c.confirms))
		c.publish(string(make([]byte, 100_001)))
		closed := heard(c.chClosed)
		require.Len(t, closed, 1)
		require.Equal(t, 406, closed[0].Code)
		c.channel()
		c.publish("small")
		require.Equal(t, acks(1), heard(c.confirms))
		require.Empty(t, heard(c.closed))
		b.WaitReady("q", 2)
	})
}
