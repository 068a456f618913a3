package bugs_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/warrentest"
	"github.com/warrenmq/warren/warrentest/examples/bugs"
)

// A publish that is refused: the wrong publisher says that the order is there.
func TestNackFindsALostOrder(t *testing.T) {
	publishers := map[string]struct {
		publish func(context.Context, *amqp091.Channel, amqp091.Publishing) error
		orders  []string
	}{
		"wrong": {bugs.PublishOnce, nil},
		"right": {bugs.Publish, []string{"a book"}},
	}
	for name, p := range publishers {
		t.Run(name, func(t *testing.T) {
			b := warrentest.New(t)
			_, ch := connect(t, b)
			require.NoError(t, ch.Confirm(false))
			b.Before(warrentest.Match{Method: "basic.publish", RoutingKey: "orders"}, warrentest.Nack())

			require.NoError(t, p.publish(t.Context(), ch, amqp091.Publishing{Body: []byte("a book")}))
			b.RequireMessages("orders", p.orders...)
		})
	}
}

// A publish that is kept, with a confirm that gets lost: the publisher does what is right,
// and the wrong consumer pays twice.
func TestLostConfirmFindsAnOrderThatIsPaidTwice(t *testing.T) {
	consumers := map[string]struct {
		bill func(<-chan amqp091.Delivery, func(id string))
		paid []string
	}{
		"wrong": {bugs.Bill, []string{"42", "42"}},
		"right": {bugs.BillOnce, []string{"42"}},
	}
	for name, c := range consumers {
		t.Run(name, func(t *testing.T) {
			b := warrentest.New(t)
			_, ch := connect(t, b)
			b.After(warrentest.Match{Method: "basic.publish", RoutingKey: "orders"}, warrentest.Cut())

			order := amqp091.Publishing{MessageId: "42", Body: []byte("a book")}
			require.NoError(t, bugs.PublishAgain(t.Context(), dial(b), order))
			b.RequireMessages("orders", "a book", "a book")

			orders, err := ch.Consume("orders", "", false, false, false, false, nil)
			require.NoError(t, err)
			paid := make(chan string, 2)
			go c.bill(orders, func(id string) { paid <- id })
			b.WaitReady("orders", 0)
			b.WaitUnacked("orders", 0)
			require.NoError(t, ch.Close())
			require.Len(t, paid, len(c.paid))
		})
	}
}

// A channel that the broker closes: the wrong consumer waits for ever.
func TestClosedChannelFindsAConsumerThatHasStopped(t *testing.T) {
	consumers := map[string]struct {
		consume func(*amqp091.Connection, func(amqp091.Delivery)) error
		ready   int
	}{
		"wrong": {bugs.ConsumeByConnection, 1},
		"right": {bugs.Consume, 0},
	}
	for name, c := range consumers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := warrentest.New(t)
				conn, ch := connect(t, b)
				go func() {
					for !conn.IsClosed() { // the program consumes again when it has ended
						c.consume(conn, func(d amqp091.Delivery) { d.Ack(false) })
					}
				}()
				b.WaitConsumers("orders", 1)
				b.Now(warrentest.Match{}, warrentest.CloseChannel(406, "PRECONDITION_FAILED - delivery acknowledgement on channel 2 timed out"))
				time.Sleep(time.Hour)
				require.True(t, ch.IsClosed())

				ch, err := conn.Channel()
				require.NoError(t, err)
				require.NoError(t, ch.PublishWithContext(t.Context(), "", "orders", true, false, amqp091.Publishing{}))
				time.Sleep(time.Hour)
				b.WaitReady("orders", c.ready)
			})
		})
	}
}

// dial returns what connects to the broker.
func dial(b *warrentest.Broker) func() (*amqp091.Connection, error) {
	return func() (*amqp091.Connection, error) {
		return amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
	}
}

// connect connects for the time of the test, and declares the queue.
func connect(t *testing.T, b *warrentest.Broker) (*amqp091.Connection, *amqp091.Channel) {
	t.Helper()
	conn, err := dial(b)()
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("orders", true, false, false, false, nil)
	require.NoError(t, err)
	return conn, ch
}
