package warren_test

import (
	"context"
	"testing"
	"testing/synctest"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
)

// publishWith are options with interceptors of publishes.
func publishWith(f ...func(next warren.PublishFunc) warren.PublishFunc) *warren.Options {
	return &warren.Options{Intercept: warren.Interceptors{Publish: f}}
}

// oddly is an interceptor of publishes that does what the message's Type says.
func oddly(next warren.PublishFunc) warren.PublishFunc {
	return func(ctx context.Context, ch *warren.Channel, exchange, key string, msg warren.Message, o warren.PublishOptions) error {
		switch msg.Type {
		case "panic":
			panic("oops")
		case "panic after":
			_ = next(ctx, ch, exchange, key, msg, o)
			panic("oops")
		case "refuse":
			return errRefused
		case "swallow":
			return nil
		case "other options":
			return next(ctx, ch, exchange, key, msg, warren.PublishOptions{})
		case "twice":
			_ = next(ctx, ch, exchange, key, msg, o)
		case "copy":
			if err := ch.Publish(ctx, exchange, key, warren.Message{Body: []byte("copy")}, o); err != nil {
				return err
			}
		}
		return next(ctx, ch, exchange, key, msg, o)
	}
}

func TestInterceptorsOfPublishesMayRefuseSwallowAndRepeat(t *testing.T) {
	brokertest.RunWith(t, publishWith(oddly), func(t *testing.T, b *warren.Broker) {
		ch, err := b.Channel()
		require.NoError(t, err)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{})
		publish := func(kind string) error {
			return ch.Publish(t.Context(), "", "q", warren.Message{Type: kind, Body: []byte(kind)}, warren.PublishOptions{Mandatory: true})
		}
		require.NoError(t, publish(""))
		require.ErrorIs(t, publish("refuse"), errRefused)
		require.NoError(t, publish("swallow"))
		require.NoError(t, publish("twice"))
		require.NoError(t, publish("copy"))
		require.PanicsWithValue(t, "oops", func() { _ = publish("panic") })
		require.PanicsWithValue(t, "oops", func() { _ = publish("panic after") })
		require.Equal(t, []string{"", "twice", "twice", "copy", "copy", "panic after"}, brokertest.Drain(t, ch, "q"))
		err = ch.Publish(t.Context(), "", "nowhere", warren.Message{Type: "copy"}, warren.PublishOptions{Mandatory: true})
		require.ErrorIs(t, err, warren.ErrNoRoute)
	})
}

func TestPublishConfirmGoesThroughTheInterceptorsOfPublishes(t *testing.T) {
	brokertest.RunWith(t, publishWith(oddly), func(t *testing.T, b *warren.Broker) {
		ch, err := b.Channel()
		require.NoError(t, err)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{})
		publish := func(kind, queue string) (*warren.Confirmation, error) {
			return ch.PublishConfirm(t.Context(), "", queue, warren.Message{Type: kind, Body: []byte(kind)}, warren.PublishOptions{Mandatory: true})
		}
		_, err = publish("", "q")
		brokertest.Fails(t, err, 406, 60, 40, "PRECONDITION_FAILED - channel is not in confirm mode")
		require.NoError(t, ch.Confirm())
		acked := func(kind string, tag uint64) {
			c, err := publish(kind, "q")
			require.NoError(t, err, kind)
			require.NoError(t, c.Wait(t.Context()), kind)
			require.True(t, c.Acked(), kind)
			require.Equal(t, tag, c.DeliveryTag, kind)
		}
		acked("", 1)
		acked("twice", 3)
		acked("copy", 5) // the copy is a Publish, and has number 4
		acked("swallow", 0)
		acked("other options", 0) // a Publish, which waits for its ack itself, with number 6
		acked("", 7)
		c, err := publish("refuse", "q")
		require.ErrorIs(t, err, errRefused)
		require.Nil(t, c)
		require.PanicsWithValue(t, "oops", func() { _, _ = publish("panic after", "q") })
		c, err = publish("", "nowhere")
		require.ErrorIs(t, err, warren.ErrNoRoute)
		require.Equal(t, uint64(9), c.DeliveryTag)
		require.True(t, c.Acked())
		require.Equal(t, []string{"", "twice", "twice", "copy", "copy", "other options", "", "panic after"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestInterceptorsOfPublishesWorkBeforeTheCommit(t *testing.T) {
	var s steps
	brokertest.RunWith(t, publishWith(s.publish("outer"), s.publish("inner")), func(t *testing.T, b *warren.Broker) {
		ch, err := b.Channel()
		require.NoError(t, err)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{})
		require.NoError(t, ch.Tx())
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte("x")}, warren.PublishOptions{}))
		require.Equal(t, steps{"outer", "inner", "/inner", "/outer"}, s)
		require.NoError(t, ch.TxCommit())
		require.Len(t, s, 4)
		require.Equal(t, []string{"x"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestWhatClientsPublishAndRequestsAndRepliesAreNotIntercepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s steps
		b, server := brokertest.Serve(t, publishWith(s.publish("p")), &amqp.Options{})
		brokertest.Handle(t, b, "echo", brokertest.Echo)
		ch := brokertest.ClientChannel(t, brokertest.Dial(t, server.Dial, amqp091.Config{}))
		replies, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
		require.NoError(t, err)
		require.NoError(t, ch.PublishWithContext(t.Context(), "", "echo", true, false, amqp091.Publishing{
			ReplyTo: "amq.rabbitmq.reply-to", Body: []byte("x"),
		}))
		require.Equal(t, "x", string((<-replies).Body))
		_, err = b.Call(t.Context(), "echo", warren.Message{})
		require.NoError(t, err)
		require.Empty(t, s)
	})
}
