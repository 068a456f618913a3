package both_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// returns are the ways in which a delivery comes back.
var returns = map[string]func(t *side, ch sideChannel, d warren.Delivery){
	"nack": func(t *side, ch sideChannel, d warren.Delivery) {
		require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
	},
	"reject": func(t *side, ch sideChannel, d warren.Delivery) {
		require.NoError(t, ch.Reject(d.DeliveryTag, true))
	},
	"recover": func(t *side, ch sideChannel, _ warren.Delivery) { require.NoError(t, ch.Recover(true)) },
	"close":   func(t *side, ch sideChannel, _ warren.Delivery) { require.NoError(t, ch.Close()) },
	"loss":    func(t *side, ch sideChannel, _ warren.Delivery) { ch.Lose() },
}

func TestAMessageComesBackAsOftenAsTheDeliveryLimit(t *testing.T) {
	eachOnBothSides(t, returns, func(t *side, giveBack func(t *side, ch sideChannel, d warren.Delivery)) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeliveryLimit: 2, DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "m", "next")
		for n := range 3 {
			other := t.open()
			d := brokertest.Take(t, other, "q")
			require.Equal(t, "m", string(d.Body))
			require.Equal(t, n > 0, d.Redelivered)
			if n == 0 {
				require.NotContains(t, d.Headers, "x-delivery-count")
			} else {
				require.Equal(t, int64(n), d.Headers["x-delivery-count"])
			}
			giveBack(t, other, d)
		}
		require.Equal(t, "next", string(brokertest.Take(t, ch, "q").Body))
		d := t.takeDead(ch)
		require.Equal(t, []warren.Table{death("q", "delivery_limit", 1, "", "q")}, deathsOf(d))
		require.NotContains(t, d.Headers, "x-delivery-count", "it starts again elsewhere")
	})
}

func TestADeliveryLimitOfZero(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch), Args: warren.Table{"x-delivery-limit": 0}})
		t.put(ch, "q", "m")
		require.NoError(t, ch.Nack(brokertest.Take(t, ch, "q").DeliveryTag, false, true))
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "dead"))
	})
}

func TestWithoutADeliveryLimitNothingIsCounted(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queues(t, ch, "q")
		t.put(ch, "q", "m")
		for range 100 {
			d := brokertest.Take(t, ch, "q")
			require.NotContains(t, d.Headers, "x-delivery-count")
			require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
		}
	})
}

// The header stands beside those of the message, which stays as it was.
func TestTheDeliveryCountIsTheQueuesOwn(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		for _, q := range []string{"limited", "free"} {
			o := warren.QueueOptions{}
			if q == "limited" {
				o.DeliveryLimit = 9
			}
			brokertest.Queue(t, ch, q, o)
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		require.NoError(t, ch.Publish("amq.fanout", "", warren.Message{Headers: warren.Table{"h": "v"}}, warren.PublishOptions{}))
		require.NoError(t, ch.Nack(brokertest.Take(t, ch, "limited").DeliveryTag, false, true))
		require.NoError(t, ch.Nack(brokertest.Take(t, ch, "free").DeliveryTag, false, true))
		require.Equal(t, warren.Table{"h": "v", "x-delivery-count": int64(1)}, brokertest.Take(t, ch, "limited").Headers)
		require.Equal(t, warren.Table{"h": "v"}, brokertest.Take(t, ch, "free").Headers)
	})
}

// Of many that come back at once only those are lost that came once too often.
func TestDeliveriesAreCountedOneByOne(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeliveryLimit: 1, DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "1", "2", "3")
		require.NoError(t, ch.Nack(brokertest.Take(t, ch, "q").DeliveryTag, false, true))
		for range 2 {
			brokertest.Take(t, ch, "q")
		}
		require.NoError(t, ch.Nack(brokertest.Take(t, ch, "q").DeliveryTag, true, true))
		require.Equal(t, []string{"1"}, brokertest.Drain(t, ch, "dead"))
		require.Equal(t, []string{"2", "3"}, brokertest.Drain(t, ch, "q"))
	})
}

// RabbitMQ's quorum queues count without a limit, too, and tell whoever gets a
// message, even of none; a consumer is told of those that were.
func TestAQuorumQueueCountsDeliveries(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{Durable: true, Type: warren.Quorum})
		t.put(ch, "q", "m")
		for n := range 3 {
			d := brokertest.Take(t, ch, "q")
			require.Equal(t, int64(n), d.Headers["x-delivery-count"])
			require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
		}
		c := t.consume(ch, "q", warren.ConsumeOptions{})
		d, ok := c.next()
		require.True(t, ok)
		require.Equal(t, int64(3), d.Headers["x-delivery-count"])
		t.put(ch, "q", "fresh")
		d, ok = c.next()
		require.True(t, ok)
		require.NotContains(t, d.Headers, "x-delivery-count")
		require.NoError(t, ch.Ack(d.DeliveryTag, true))
	})
}
