package warren_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"

	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// Over AMQP, the first of these errors would close the channel or even the
// connection. In process the channel goes on, with its consumers, its
// unsettled deliveries and its exclusive queues.
func TestAnErrorClosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b := warren.New(nil)
		defer b.Close()
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Exclusive: true})
		c, err := ch.Consume("q", warren.ConsumeOptions{Tag: "c"})
		require.NoError(t, err)
		require.NoError(t, ch.Publish(ctx, "", "q", warren.Message{Body: []byte("1")}, warren.PublishOptions{}))
		d, err := c.Next(ctx)
		require.NoError(t, err)

		failures := map[uint16]func() error{
			wire.CodeAccessRefused:      func() error { return ch.ExchangeDelete("amq.topic", warren.ExchangeDeleteOptions{}) },
			wire.CodeNotFound:           func() error { return ch.Publish(ctx, "missing", "", warren.Message{}, warren.PublishOptions{}) },
			wire.CodePreconditionFailed: func() error { return ch.Ack(99, false) },
			wire.CodeNotAllowed: func() error {
				_, err := ch.Consume("q", warren.ConsumeOptions{Tag: "c"})
				return err
			},
			wire.CodeSyntaxError: func() error { return ch.Qos(-1, warren.QosOptions{}) },
		}
		for code, fail := range failures {
			var e *warren.Error
			require.ErrorAs(t, fail(), &e)
			require.Equal(t, code, e.Code)
		}

		require.NoError(t, d.Ack(false), "the delivery is still the channel's")
		require.NoError(t, ch.Publish(ctx, "", "q", warren.Message{Body: []byte("2")}, warren.PublishOptions{}))
		d, err = c.Next(ctx)
		require.NoError(t, err, "the consumer is still there")
		require.Equal(t, "2", string(d.Body))
		q, err := ch.QueueDeclarePassive("q")
		require.NoError(t, err, "so is the exclusive queue")
		require.Equal(t, 1, q.Consumers)
	})
}
