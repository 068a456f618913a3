package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// returns are the ways in which a delivery comes back.
var returns = map[string]func(t *both, ch sideChannel, d warren.Delivery){
	"nack": func(t *both, ch sideChannel, d warren.Delivery) {
		require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
	},
	"reject": func(t *both, ch sideChannel, d warren.Delivery) {
		require.NoError(t, ch.Reject(d.DeliveryTag, true))
	},
	"recover": func(t *both, ch sideChannel, _ warren.Delivery) { require.NoError(t, ch.Recover(true)) },
	"close":   func(t *both, ch sideChannel, _ warren.Delivery) { require.NoError(t, ch.Close()) },
	"loss":    func(t *both, ch sideChannel, _ warren.Delivery) { ch.Lose() },
}

func TestAMessageComesBackAsOftenAsTheDeliveryLimit(t *testing.T) {
	eachBoth(t, returns, func(t *both, giveBack func(t *both, ch sideChannel, d warren.Delivery)) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{DeliveryLimit: 2, DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "m", "next")
		for n := range 3 {
			other := t.open()
			d := t.take(other, "q")
			require.Equal(t, "m", string(d.Body))
			require.Equal(t, n > 0, d.Redelivered)
			if n == 0 {
				require.NotContains(t, d.Headers, "x-delivery-count")
			} else {
				require.Equal(t, int64(n), d.Headers["x-delivery-count"])
			}
			giveBack(t, other, d)
		}
		require.Equal(t, "next", string(t.take(ch, "q").Body))
		d := t.takeDead(ch)
		require.Equal(t, []warren.Table{death("q", "delivery_limit", 1, "", "q")}, deathsOf(d))
		require.NotContains(t, d.Headers, "x-delivery-count", "it starts again elsewhere")
	})
}

func TestADeliveryLimitOfZero(t *testing.T) {
	runBoth(t, func(t *both) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{DeadLetter: t.deadLetters(ch), Args: warren.Table{"x-delivery-limit": 0}})
		t.put(ch, "q", "m")
		require.NoError(t, ch.Nack(t.take(ch, "q").DeliveryTag, false, true))
		require.Equal(t, []string{"m"}, t.drain(ch, "dead"))
	})
}

func TestWithoutADeliveryLimitNothingIsCounted(t *testing.T) {
	runBoth(t, func(t *both) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{})
		t.put(ch, "q", "m")
		for range 100 {
			d := t.take(ch, "q")
			require.NotContains(t, d.Headers, "x-delivery-count")
			require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
		}
	})
}

// The header stands beside those of the message, which stays as it was.
func TestTheDeliveryCountIsTheQueuesOwn(t *testing.T) {
	runBoth(t, func(t *both) {
		ch := t.open()
		for _, q := range []string{"limited", "free"} {
			o := warren.QueueOptions{}
			if q == "limited" {
				o.DeliveryLimit = 9
			}
			t.declare(ch, q, o)
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		require.NoError(t, ch.Publish("amq.fanout", "", warren.Message{Headers: warren.Table{"h": "v"}}, warren.PublishOptions{}))
		require.NoError(t, ch.Nack(t.take(ch, "limited").DeliveryTag, false, true))
		require.NoError(t, ch.Nack(t.take(ch, "free").DeliveryTag, false, true))
		require.Equal(t, warren.Table{"h": "v", "x-delivery-count": int64(1)}, t.take(ch, "limited").Headers)
		require.Equal(t, warren.Table{"h": "v"}, t.take(ch, "free").Headers)
	})
}

// Of many that come back at once only those are lost that came once too often.
func TestDeliveriesAreCountedOneByOne(t *testing.T) {
	runBoth(t, func(t *both) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{DeliveryLimit: 1, DeadLetter: t.deadLetters(ch)})
		t.put(ch, "q", "1", "2", "3")
		require.NoError(t, ch.Nack(t.take(ch, "q").DeliveryTag, false, true))
		for range 2 {
			t.take(ch, "q")
		}
		require.NoError(t, ch.Nack(t.take(ch, "q").DeliveryTag, true, true))
		require.Equal(t, []string{"1"}, t.drain(ch, "dead"))
		require.Equal(t, []string{"2", "3"}, t.drain(ch, "q"))
	})
}

// What a reader in process has not seen was not delivered.
func TestUnreadMessagesAreNotCounted(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, err := ch.QueueDeclare("q", warren.QueueOptions{DeliveryLimit: 1})
		require.NoError(t, err)
		brokertest.Put(t, ch, "", "q", "m")
		for range 5 {
			require.NoError(t, brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}).Cancel())
		}
		d := brokertest.Take(t, ch, "q")
		require.Nil(t, d.Headers)
		require.False(t, d.Redelivered)
	})
}
