package amqp_test

import (
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

// taken is a channel with deliveries of a queue, not settled.
func (t *env) taken(bodies ...string) (ch *amqp091.Channel, list []amqp091.Delivery) {
	t.Helper()
	ch = t.open()
	t.queue(ch, "q")
	c := t.consume(ch, "q", "c", false)
	t.put(ch, "", "q", bodies...)
	for range bodies {
		list = append(list, t.next(c))
	}
	require.NoError(t, ch.Cancel("c", false)) // nothing comes back to it
	return ch, list
}

// waiting are the bodies that a channel finds in the queue, once the other is
// closed.
func (t *env) waiting(ch *amqp091.Channel) (list []string) {
	t.Helper()
	require.NoError(t, ch.Close())
	native := t.native()
	defer native.Close()
	for {
		d, ok, err := native.Get("q", true)
		require.NoError(t, err)
		if !ok {
			return list
		}
		body := string(d.Body)
		if d.Redelivered {
			body += " again"
		}
		list = append(list, body)
	}
}

func TestSettlingWays(t *testing.T) {
	for name, c := range map[string]struct {
		settle func(ch *amqp091.Channel) error
		left   []string // after the channel's end
	}{
		"ack one":              {func(ch *amqp091.Channel) error { return ch.Ack(2, false) }, []string{"1 again", "3 again"}},
		"ack up to":            {func(ch *amqp091.Channel) error { return ch.Ack(2, true) }, []string{"3 again"}},
		"ack all":              {func(ch *amqp091.Channel) error { return ch.Ack(0, true) }, nil},
		"nack one, drop":       {func(ch *amqp091.Channel) error { return ch.Nack(2, false, false) }, []string{"1 again", "3 again"}},
		"nack up to, drop":     {func(ch *amqp091.Channel) error { return ch.Nack(2, true, false) }, []string{"3 again"}},
		"nack all, drop":       {func(ch *amqp091.Channel) error { return ch.Nack(0, true, false) }, nil},
		"nack all, requeue":    {func(ch *amqp091.Channel) error { return ch.Nack(0, true, true) }, []string{"1 again", "2 again", "3 again"}},
		"reject, drop":         {func(ch *amqp091.Channel) error { return ch.Reject(1, false) }, []string{"2 again", "3 again"}},
		"reject, requeue":      {func(ch *amqp091.Channel) error { return ch.Reject(1, true) }, []string{"1 again", "2 again", "3 again"}},
		"requeue, then ack up": {func(ch *amqp091.Channel) error { ch.Nack(2, false, true); return ch.Ack(3, true) }, []string{"2 again"}},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				ch, _ := t.taken("1", "2", "3")
				require.NoError(t, c.settle(ch))
				require.Equal(t, c.left, t.waiting(ch))
			})
		})
	}
}

func TestRequeuedMessagesComeAgainAtOnceInTheirOrder(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "q")
		require.NoError(t, ch.Qos(2, 0, false))
		c := t.consume(ch, "q", "", false)
		t.put(ch, "", "q", "1", "2", "3")
		t.next(c)
		d := t.next(c)
		require.NoError(t, d.Nack(true, true))
		for i, want := range []string{"1", "2"} {
			d = t.next(c)
			require.Equal(t, want, string(d.Body))
			require.True(t, d.Redelivered)
			require.EqualValues(t, i+3, d.DeliveryTag)
		}
		require.NoError(t, d.Ack(true))
		require.False(t, t.next(c).Redelivered)
	})
}

func TestUnknownDeliveryTags(t *testing.T) {
	for name, c := range map[string]struct {
		tag    string
		settle func(ch *amqp091.Channel) error
	}{
		"never given":        {"9", func(ch *amqp091.Channel) error { return ch.Ack(9, false) }},
		"never given, up to": {"9", func(ch *amqp091.Channel) error { return ch.Ack(9, true) }},
		"settled":            {"1", func(ch *amqp091.Channel) error { ch.Ack(1, false); return ch.Ack(1, false) }},
		"zero":               {"0", func(ch *amqp091.Channel) error { return ch.Ack(0, false) }},
		"nack":               {"9", func(ch *amqp091.Channel) error { return ch.Nack(9, false, true) }},
		"reject":             {"9", func(ch *amqp091.Channel) error { return ch.Reject(9, true) }},
		"delivered without ack": {"2", func(ch *amqp091.Channel) error {
			if _, ok, err := ch.Get("other", true); err != nil || !ok {
				return err
			}
			return ch.Ack(2, false)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				ch, _ := t.taken("1")
				t.queue(ch, "other")
				t.put(ch, "", "other", "x")
				t.ready("other")
				closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
				require.NoError(t, c.settle(ch), "it is not answered")
				t.isClose(closed, 406, "PRECONDITION_FAILED - unknown delivery tag "+c.tag)
			})
		})
	}
	t.Run("of another channel", func(t *testing.T) {
		withServer(t, func(t *env) {
			t.taken("1")
			t.channelFails(406, "PRECONDITION_FAILED - unknown delivery tag 1", func(ch *amqp091.Channel) error { return ch.Ack(1, false) })
		})
	})
}

func TestAckOfNothing(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		require.NoError(t, ch.Ack(0, true))
		require.NoError(t, ch.Nack(0, true, true))
		t.queue(ch, "q") // the channel is open
	})
}

func TestRecover(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c")})
		expect[*wire.QueueDeclareOk](r)
		expect[*wire.BasicConsumeOk](r)
		r.write(append(r.publishing(1, "", "q", "1"), r.publishing(1, "", "q", "2")...))
		deliveries := func(first uint64, redelivered bool) {
			t.Helper()
			for i, body := range []string{"1", "2"} {
				d := expect[*wire.BasicDeliver](r)
				require.Equal(t, first+uint64(i), d.DeliveryTag)
				require.Equal(t, redelivered, d.Redelivered)
				require.Equal(t, body, r.content())
			}
		}
		deliveries(1, false)
		r.send(1, &wire.BasicRecover{Requeue: true})
		expect[*wire.BasicRecoverOk](r) // comes first, as in RabbitMQ
		deliveries(3, true)
		r.send(1, &wire.BasicRecover{Requeue: false})
		expect[*wire.BasicRecoverOk](r)
		deliveries(5, true)
		r.send(1, &wire.BasicRecoverAsync{Requeue: true})
		deliveries(7, true)
		r.quiet(time.Millisecond)
		r.send(1, &wire.BasicAck{DeliveryTag: 8, Multiple: true}, &wire.QueueDelete{Queue: "q", IfEmpty: true})
		expect[*wire.QueueDeleteOk](r)
	})
}
