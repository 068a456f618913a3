package restart_test

import (
	"fmt"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// client is a connection of amqp091-go.
type client struct {
	t    *testing.T
	conn *amqp091.Connection
}

func (c *client) channel() *amqp091.Channel {
	ch, err := c.conn.Channel()
	require.NoError(c.t, err)
	return ch
}

// confirming opens a channel in confirm mode.
func (c *client) confirming() *amqp091.Channel {
	ch := c.channel()
	require.NoError(c.t, ch.Confirm(false))
	return ch
}

// put publishes messages and waits for their confirms.
func (c *client) put(exchange, key string, list ...amqp091.Publishing) {
	ch := c.confirming()
	var confirms []*amqp091.DeferredConfirmation
	for _, m := range list {
		confirm, err := ch.PublishWithDeferredConfirm(exchange, key, true, false, m)
		require.NoError(c.t, err)
		confirms = append(confirms, confirm)
	}
	for _, confirm := range confirms {
		acked, err := confirm.WaitContext(c.t.Context())
		require.NoError(c.t, err)
		require.True(c.t, acked)
	}
	require.NoError(c.t, ch.Close())
}

// durable declares a durable queue.
func (c *client) durable(name string, args amqp091.Table) {
	ch := c.channel()
	_, err := ch.QueueDeclare(name, true, false, false, false, args)
	require.NoError(c.t, err)
	require.NoError(c.t, ch.Close())
}

// get gets a message that must be there.
func (c *client) get(ch *amqp091.Channel, queue string) amqp091.Delivery {
	d, ok, err := ch.Get(queue, false)
	require.NoError(c.t, err)
	require.True(c.t, ok, "%s is empty", queue)
	return d
}

// drain takes all messages of a queue, of which it returns the bodies, each with a + if
// it is redelivered.
func (c *client) drain(queue string) (list []string) {
	ch := c.channel()
	defer ch.Close()
	for {
		d, ok, err := ch.Get(queue, true)
		require.NoError(c.t, err)
		if !ok {
			return list
		}
		text := string(d.Body)
		if d.Redelivered {
			text += "+"
		}
		list = append(list, text)
	}
}

// message is a persistent message with all properties.
func message(body string) amqp091.Publishing {
	return amqp091.Publishing{
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp091.Persistent, Priority: 3, CorrelationId: "c", ReplyTo: "r",
		Expiration: "3600000", MessageId: "m", Timestamp: time.Unix(1700000000, 0), Type: "t", UserId: "guest", AppId: "a", Body: []byte(body),
		Headers: amqp091.Table{"text": body, "list": []any{int32(1), nil}, "table": amqp091.Table{"f": 1.5, "time": time.Unix(1700000000, 0)}},
	}
}

// sent is what a message was published with.
func sent(d *amqp091.Delivery) amqp091.Publishing {
	return amqp091.Publishing{
		ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId,
		ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId,
		Body: d.Body, Headers: d.Headers,
	}
}

// messages are n messages whose bodies are numbers.
func messages(n int) (list []amqp091.Publishing) {
	for i := range n {
		list = append(list, message(fmt.Sprint(i)))
	}
	return list
}
