package warrentest_test

import (
	"context"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/warrentest"
)

// replyTo is what clients call the pseudo-queue of direct reply-to.
const replyTo = "amq.rabbitmq.reply-to"

// ask sends a request by direct reply-to to the queue rpc.
func (c *client) ask(body string) {
	c.Helper()
	require.NoError(c, c.ch.PublishWithContext(c.Context(), "", "rpc", false, false, amqp091.Publishing{
		ReplyTo: replyTo, CorrelationId: body, Body: []byte(body),
	}))
}

// requester begins to consume replies. The broker's handler of rpc is an echo.
func (c *client) requester(b *warrentest.Broker) <-chan amqp091.Delivery {
	c.Helper()
	_, err := b.Handle("rpc", func(ctx context.Context, r *warren.Request) (warren.Message, error) {
		return warren.Message{Body: r.Body}, nil
	})
	require.NoError(c, err)
	replies, err := c.ch.Consume(replyTo, "", true, false, false, false, nil)
	require.NoError(c, err)
	return replies
}

func bodies(list []amqp091.Delivery) (texts []string) {
	for _, d := range list {
		texts = append(texts, string(d.Body))
	}
	return texts
}

func TestAReplyIsLostAndAnotherIsLate(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		replies := c.requester(b)
		b.Before(warrentest.Match{Method: "basic.deliver", Queue: replyTo}, warrentest.Drop())
		b.Before(warrentest.Match{Method: "basic.deliver", Queue: replyTo}, warrentest.Delay(time.Minute))
		c.ask("lost")
		require.Empty(t, heard(replies))
		c.ask("late")
		require.Empty(t, heard(replies))
		time.Sleep(time.Minute)
		require.Equal(t, []string{"late"}, bodies(heard(replies)))
	})
}

func TestARequesterGoesBeforeItsReply(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		_, err := b.Handle("rpc", func(ctx context.Context, r *warren.Request) (warren.Message, error) {
			time.Sleep(time.Minute)
			return warren.Message{Body: r.Body}, nil
		})
		require.NoError(t, err)
		_, err = c.ch.Consume(replyTo, "", true, false, false, false, nil)
		require.NoError(t, err)
		b.After(warrentest.Match{Method: "basic.publish", RoutingKey: "rpc"}, warrentest.Cut())
		c.ask("gone")
		require.Len(t, heard(c.closed), 1)
		time.Sleep(time.Hour)
		require.EqualValues(t, 1, b.Stats().RepliesTooLate)
	})
}

// TestAClientsReplyIsLost: the server is a client, too, and its reply is lost on its way.
func TestAClientsReplyIsLost(t *testing.T) {
	withClient(t, func(t *testing.T, b *warrentest.Broker, c *client) {
		server := dial(t, b, "server")
		_, err := server.ch.QueueDeclare("rpc", false, false, false, false, nil)
		require.NoError(t, err)
		requests, err := server.ch.Consume("rpc", "", true, false, false, false, nil)
		require.NoError(t, err)
		replies, err := c.ch.Consume(replyTo, "", true, false, false, false, nil)
		require.NoError(t, err)
		b.Before(warrentest.Match{Method: "basic.publish", Connection: "server", RoutingKey: replyTo + ".*"}, warrentest.Drop())
		for _, body := range []string{"1", "2"} {
			c.ask(body)
			for _, r := range heard(requests) {
				require.NoError(t, server.ch.PublishWithContext(t.Context(), "", r.ReplyTo, false, false, amqp091.Publishing{Body: r.Body}))
			}
		}
		require.Equal(t, []string{"2"}, bodies(heard(replies)))
	})
}
