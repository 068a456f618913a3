package restart_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// restarts are the ways in which the broker ends. After a crash nobody knows what was
// delivered, so all messages are marked as redelivered.
var restarts = []struct {
	name    string
	end     func(*process)
	crashed bool
}{{"in an orderly way", (*process).stop, false}, {"killed", (*process).kill, true}}

// restarted has leave called with a client of a broker, and found with one of the
// broker after it, for each way to end. The client of leave is still there at the end.
func restarted(t *testing.T, leave func(*client), found func(c *client, crashed bool)) {
	for _, r := range restarts {
		t.Run(r.name, func(t *testing.T) {
			dir := t.TempDir()
			p := start(t, dir)
			leave(p.client())
			r.end(p)
			p = start(t, dir)
			c := p.client()
			found(c, r.crashed)
			require.NoError(t, c.conn.Close())
			p.stop()
		})
	}
}

// marked are the numbers from 0 to n as drain gives them. The first ones are marked as
// redelivered, and after a crash all are.
func marked(n, first int, crashed bool) (list []string) {
	for i := range n {
		text := fmt.Sprint(i)
		if crashed || i < first {
			text += "+"
		}
		list = append(list, text)
	}
	return list
}

func TestPersistentMessagesAreThereWithAllTheyHad(t *testing.T) {
	const n = 300
	restarted(t, func(c *client) {
		ch := c.channel()
		require.NoError(t, ch.ExchangeDeclare("events", "topic", true, false, false, false, nil))
		c.durable("q", amqp091.Table{"x-max-length": 1000})
		require.NoError(t, ch.QueueBind("q", "a.#", "events", false, nil))
		c.put("events", "a.b", messages(n)...)
	}, func(c *client, crashed bool) {
		c.durable("q", amqp091.Table{"x-max-length": 1000})
		ch := c.channel()
		for i := range n {
			d := c.get(ch, "q")
			require.Equal(t, message(fmt.Sprint(i)), sent(&d))
			require.Equal(t, []any{"events", "a.b", crashed}, []any{d.Exchange, d.RoutingKey, d.Redelivered})
			require.NoError(t, d.Ack(false))
		}
		c.put("events", "a.new", message("new"))
		require.Equal(t, []string{"new"}, c.drain("q"))
	})
}

func TestWhatIsTransientIsGone(t *testing.T) {
	restarted(t, func(c *client) {
		c.durable("q", nil)
		transient := message("transient")
		transient.DeliveryMode = amqp091.Transient
		c.put("", "q", message("0"), transient, message("1"))
		_, err := c.channel().QueueDeclare("transient", false, false, false, false, nil)
		require.NoError(t, err)
		c.put("", "transient", message("gone"))
		require.NoError(t, c.channel().ExchangeDeclare("transient", "fanout", false, false, false, false, nil))
	}, func(c *client, crashed bool) {
		require.Equal(t, marked(2, 0, crashed), c.drain("q"))
		_, err := c.channel().QueueDeclarePassive("transient", false, false, false, false, nil)
		require.ErrorContains(t, err, "NOT_FOUND")
		err = c.channel().ExchangeDeclarePassive("transient", "fanout", false, false, false, false, nil)
		require.ErrorContains(t, err, "NOT_FOUND")
	})
}

// TestWhatWasDeliveredIsMarked has messages that are acked, requeued, and with a
// consumer when the broker ends.
func TestWhatWasDeliveredIsMarked(t *testing.T) {
	restarted(t, func(c *client) {
		c.durable("q", nil)
		acked := message("acked")
		c.put("", "q", append([]amqp091.Publishing{acked}, messages(5)...)...)
		ch := c.channel()
		require.NoError(t, new(c.get(ch, "q")).Ack(false))
		require.NoError(t, new(c.get(ch, "q")).Nack(false, true))
		c.get(ch, "q")
		c.get(ch, "q") // 0 and 1 are unacked
		c.durable("later", nil)
		c.put("", "later", message("so that the ack is on disk, too"))
	}, func(c *client, crashed bool) {
		require.Equal(t, marked(5, 2, crashed), c.drain("q"))
	})
}

func TestAStreamKeepsItsOffsets(t *testing.T) {
	restarted(t, func(c *client) {
		c.durable("s", amqp091.Table{"x-queue-type": "stream"})
		c.put("", "s", messages(100)...)
	}, func(c *client, _ bool) {
		c.put("", "s", message("100"))
		ch := c.channel()
		require.NoError(t, ch.Qos(10, 0, false))
		deliveries, err := ch.Consume("s", "", false, false, false, false, amqp091.Table{"x-stream-offset": int64(10)})
		require.NoError(t, err)
		for i := int64(10); i <= 100; i++ {
			d := <-deliveries
			require.Equal(t, i, d.Headers["x-stream-offset"])
			delete(d.Headers, "x-stream-offset")
			require.Equal(t, message(fmt.Sprint(i)), sent(&d))
			require.NoError(t, d.Ack(false))
		}
	})
}

func TestDelayedMessagesComeAfterTheRestart(t *testing.T) {
	restarted(t, func(c *client) {
		ch := c.channel()
		require.NoError(t, ch.ExchangeDeclare("later", "x-delayed-message", true, false, false, false, amqp091.Table{"x-delayed-type": "fanout"}))
		c.durable("q", nil)
		require.NoError(t, ch.QueueBind("q", "", "later", false, nil))
		second, first := message("second"), message("first")
		second.Headers["x-delay"], first.Headers["x-delay"] = 1000, 500
		ch = c.confirming()
		for _, m := range []amqp091.Publishing{second, first} {
			confirm, err := ch.PublishWithDeferredConfirm("later", "", false, false, m)
			require.NoError(t, err)
			require.True(t, confirm.Wait())
		}
	}, func(c *client, _ bool) {
		deliveries, err := c.channel().Consume("q", "", true, false, false, false, nil)
		require.NoError(t, err)
		require.Equal(t, "first", string((<-deliveries).Body))
		require.Equal(t, "second", string((<-deliveries).Body))
	})
}

// TestConfirmedMessagesOutliveAKillInTheMiddle kills the broker while a client
// publishes: a confirm that the client got is kept.
func TestConfirmedMessagesOutliveAKillInTheMiddle(t *testing.T) {
	const window = 1000
	dir := t.TempDir()
	p := start(t, dir)
	c := p.client()
	c.durable("q", nil)
	ch := c.confirming()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	confirms := make(chan *amqp091.DeferredConfirmation, window)
	go func() {
		defer close(confirms)
		for i := 0; ; i++ {
			confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", "q", false, false, message(fmt.Sprint(i)))
			if err != nil {
				return // the broker is gone
			}
			confirms <- confirm
		}
	}()
	confirmed := 0
	for confirm := range confirms {
		if acked, err := confirm.WaitContext(ctx); err != nil || !acked {
			break
		}
		if confirmed++; confirmed == 5*window {
			p.kill()
		}
	}
	for range confirms { // the publisher hears of it, too
	}
	require.NoError(t, ctx.Err())
	require.GreaterOrEqual(t, confirmed, 5*window)

	p = start(t, dir)
	c = p.client()
	list := c.drain("q")
	require.GreaterOrEqual(t, len(list), confirmed)
	require.Equal(t, marked(len(list), 0, true), list)
	require.NoError(t, c.conn.Close())
	p.stop()
}
