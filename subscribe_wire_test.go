package warren_test

import (
	"context"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

// An AMQP client publishes events and jobs, subscribes to events and reads dead letters: to
// it these are an exchange, queues and headers.
func TestAMQPClientsTakePartInEventsAndJobs(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		srv := amqp.NewServer(b, nil)
		defer srv.Close()
		var attempts []int
		sub, err := warren.SubscribeFor(b, "events", "order.*", func(ctx context.Context, o order) error {
			d := warren.DeliveryFrom(ctx)
			attempts = append(attempts, d.Attempt())
			require.Equal(t, "order.paid", d.RoutingKey)
			require.Equal(t, "python", d.Headers["from"])
			return errWork
		}, warren.SubscribeOptions{Queue: "mails", Retry: warren.Retry{Attempts: 2}})
		require.NoError(t, err)

		conn := brokertest.Dial(t, srv.Dial, amqp091.Config{})
		ch := brokertest.ClientChannel(t, conn)
		require.NoError(t, ch.ExchangeDeclare("events", "topic", true, false, false, false, nil))
		_, err = ch.QueueDeclare("mails", true, false, false, false, nil)
		require.NoError(t, err, "the queue is a plain durable one")
		q, err := ch.QueueDeclare("", false, false, true, false, nil)
		require.NoError(t, err)
		require.NoError(t, ch.QueueBind(q.Name, "#", "events", false, nil))
		events, err := ch.Consume(q.Name, "", true, true, false, false, nil)
		require.NoError(t, err)

		err = ch.PublishWithContext(t.Context(), "events", "order.paid", false, false, amqp091.Publishing{
			ContentType: "application/json", Body: []byte(`{"Number":7}`), DeliveryMode: amqp091.Persistent, Headers: amqp091.Table{"from": "python"},
		})
		require.NoError(t, err)
		require.Equal(t, `{"Number":7}`, string((<-events).Body))
		publish(t, b, "stock", 8)
		event := <-events
		require.Equal(t, "application/json", event.ContentType)
		require.Equal(t, amqp091.Persistent, event.DeliveryMode)
		require.Equal(t, `{"Number":8}`, string(event.Body))

		brokertest.Later(time.Minute)
		require.Equal(t, []int{1, 2}, attempts)
		dead, ok, err := ch.Get("mails.failed", true)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, amqp091.Table{
			"from": "python", "x-warren-attempts": int64(2), "x-warren-error": "error", "x-warren-error-text": "the work failed",
			"x-warren-exchange": "events", "x-warren-routing-key": "order.paid",
		}, dead.Headers)
		require.NoError(t, sub.Close())
		require.NoError(t, conn.Close())
	})
}
