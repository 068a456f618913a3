package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

func amNumbers(n int) []string {
	list := []string{}
	for i := range n {
		list = append(list, string(rune('a'+i)))
	}
	return list
}

func TestQosLimitsEachConsumerStartedAfterwards(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		ch := amOpen(t, b)
		amQueues(t, ch, "early", "late", "later", "own")
		early := amConsume(t, ch, "early", warren.ConsumeOptions{})
		require.NoError(t, ch.Qos(2, warren.QosOptions{}))
		late := amConsume(t, ch, "late", warren.ConsumeOptions{})
		own := amConsume(t, ch, "own", warren.ConsumeOptions{Prefetch: 3})
		require.NoError(t, ch.Qos(0, warren.QosOptions{}))
		later := amConsume(t, ch, "later", warren.ConsumeOptions{})
		for _, q := range []string{"early", "late", "later", "own"} {
			amPut(t, ch, "", q, amNumbers(5)...)
		}
		require.Len(t, amRead(t, early), 5, "is as it was")
		held := amRead(t, late)
		require.Len(t, held, 2)
		require.Len(t, amRead(t, own), 3, "a limit of its own")
		require.Len(t, amRead(t, later), 5, "zero is no limit")
		require.Equal(t, 3, amReady(t, ch, "late"))

		require.NoError(t, held[1].Ack(false))
		require.Len(t, amRead(t, late), 1, "one out, one in")
		require.NoError(t, held[0].Reject(false))
		require.Len(t, amRead(t, late), 1)
		require.Equal(t, 1, amReady(t, ch, "late"))
	})
}

func TestPrefetchCountsUnsettledDeliveriesUntilTheEnd(t *testing.T) {
	for name, settle := range map[string]func(ch *warren.Channel, d warren.Delivery) error{
		"ack":             func(_ *warren.Channel, d warren.Delivery) error { return d.Ack(false) },
		"ack multiple":    func(_ *warren.Channel, d warren.Delivery) error { return d.Ack(true) },
		"nack drop":       func(_ *warren.Channel, d warren.Delivery) error { return d.Nack(false, false) },
		"nack all":        func(ch *warren.Channel, _ warren.Delivery) error { return ch.Nack(0, true, false) },
		"reject":          func(_ *warren.Channel, d warren.Delivery) error { return d.Reject(false) },
		"ack all":         func(ch *warren.Channel, _ warren.Delivery) error { return ch.Ack(0, true) },
		"requeue":         func(_ *warren.Channel, d warren.Delivery) error { return d.Nack(false, true) },
		"recover":         func(ch *warren.Channel, _ warren.Delivery) error { return ch.Recover(true) },
		"recover to self": func(ch *warren.Channel, _ warren.Delivery) error { return ch.Recover(false) },
	} {
		t.Run(name, func(t *testing.T) {
			amTest(t, func(t *testing.T, b *warren.Broker) {
				ch := amOpen(t, b)
				amQueues(t, ch, "q")
				c := amConsume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
				amPut(t, ch, "", "q", amNumbers(4)...)
				for range 20 { // room is neither lost nor won
					list := amRead(t, c)
					if len(list) == 0 {
						require.Zero(t, b.Stats().Ready+b.Stats().Unacked)
						break
					}
					require.Len(t, list, 1)
					require.Equal(t, 1, b.Stats().Unacked)
					require.NoError(t, settle(ch, list[0]))
				}
			})
		})
	}
}

func TestQosDoesNotLimitGetAndConsumersWithoutAck(t *testing.T) {
	for rule, o := range map[string]warren.QosOptions{"per consumer": {}, "global": {Global: true}} {
		t.Run(rule, func(t *testing.T) {
			amTest(t, func(t *testing.T, b *warren.Broker) {
				ch := amOpen(t, b)
				amQueues(t, ch, "q", "r", "s")
				require.NoError(t, ch.Qos(1, o))
				amPut(t, ch, "", "q", amNumbers(3)...)
				for range 3 {
					amTake(t, ch, "q")
				}
				noAck := amConsume(t, ch, "r", warren.ConsumeOptions{NoAck: true})
				amPut(t, ch, "", "r", amNumbers(5)...)
				require.Len(t, amRead(t, noAck), 5)
				limited := amConsume(t, ch, "s", warren.ConsumeOptions{})
				amPut(t, ch, "", "s", amNumbers(5)...)
				require.Len(t, amRead(t, limited), 1, "what Get took does not count")
			})
		})
	}
}

func TestGlobalQosIsSharedByTheChannelsConsumers(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		ch, other := amOpen(t, b), amOpen(t, b)
		amQueues(t, ch, "q", "r")
		require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
		onQ, onR := amConsume(t, ch, "q", warren.ConsumeOptions{}), amConsume(t, ch, "r", warren.ConsumeOptions{})
		amPut(t, ch, "", "q", amNumbers(2)...)
		amPut(t, ch, "", "r", amNumbers(5)...)
		held := amRead(t, onQ)
		require.Len(t, held, 2)
		require.Len(t, amRead(t, onR), 1)
		require.NoError(t, held[0].Ack(false))
		require.Len(t, amRead(t, onR), 1, "room that one consumer frees goes to another")
		require.NoError(t, held[1].Nack(false, false))
		require.Len(t, amRead(t, onR), 1)
		require.Len(t, amRead(t, amConsume(t, other, "r", warren.ConsumeOptions{})), 2, "another channel has its own")
	})
}

func TestBothLimitsApplyTogether(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		ch := amOpen(t, b)
		amQueues(t, ch, "q", "r")
		require.NoError(t, ch.Qos(2, warren.QosOptions{}))
		require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
		onQ, onR := amConsume(t, ch, "q", warren.ConsumeOptions{}), amConsume(t, ch, "r", warren.ConsumeOptions{})
		amPut(t, ch, "", "q", amNumbers(5)...)
		amPut(t, ch, "", "r", amNumbers(5)...)
		q, r := amRead(t, onQ), amRead(t, onR)
		require.Len(t, q, 2, "the consumer's limit")
		require.Len(t, r, 1, "the channel's limit")
		require.NoError(t, r[0].Ack(false))
		require.Empty(t, amRead(t, onQ), "there is room in the channel, but not in this consumer")
		require.Len(t, amRead(t, onR), 1)
	})
}

func TestGlobalQosChangesWhileConsumersRun(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		ch := amOpen(t, b)
		amQueues(t, ch, "q")
		c := amConsume(t, ch, "q", warren.ConsumeOptions{})
		amPut(t, ch, "", "q", amNumbers(2)...)
		held := amRead(t, c)
		require.Len(t, held, 2)

		require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
		amPut(t, ch, "", "q", amNumbers(20)...)
		held = append(held, amRead(t, c)...)
		require.Len(t, held, 3, "what was out before counts")

		require.NoError(t, ch.Qos(5, warren.QosOptions{Global: true}))
		held = append(held, amRead(t, c)...)
		require.Len(t, held, 5, "more room is used at once")

		require.NoError(t, ch.Qos(2, warren.QosOptions{Global: true}))
		for range 3 {
			require.NoError(t, held[0].Ack(false))
			held = held[1:]
			require.Empty(t, amRead(t, c), "more are out than may be")
		}
		require.NoError(t, held[0].Ack(false))
		require.Len(t, amRead(t, c), 1)

		require.NoError(t, ch.Qos(0, warren.QosOptions{Global: true}))
		require.Len(t, amRead(t, c), 16, "zero is no limit")
		require.NoError(t, ch.Qos(1, warren.QosOptions{Global: true}))
		amPut(t, ch, "", "q", "z")
		require.NoError(t, ch.Ack(0, true))
		require.Equal(t, []string{"z"}, amBodies(amRead(t, c)))
	})
}

func TestGlobalRoomOfAConsumerThatEndsComesBack(t *testing.T) {
	for rule, end := range map[string]func(t *testing.T, ch *warren.Channel, c *warren.Consumer){
		"cancelled by the client": func(t *testing.T, _ *warren.Channel, c *warren.Consumer) {
			require.NoError(t, c.Cancel())
		},
		"cancelled by the broker, too": func(t *testing.T, ch *warren.Channel, c *warren.Consumer) {
			_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
			require.NoError(t, err)
			require.NoError(t, c.Cancel())
		},
	} {
		t.Run(rule, func(t *testing.T) {
			amTest(t, func(t *testing.T, b *warren.Broker) {
				ch := amOpen(t, b)
				amQueues(t, ch, "q", "r")
				require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
				ends, stays := amConsume(t, ch, "q", warren.ConsumeOptions{}), amConsume(t, ch, "r", warren.ConsumeOptions{})
				amPut(t, ch, "", "q", amNumbers(3)...)
				d := amNext(t, ends) // the other two are not read
				amPut(t, ch, "", "r", amNumbers(5)...)
				require.Empty(t, amRead(t, stays))
				end(t, ch, ends)
				require.Len(t, amRead(t, stays), 2, "the deliveries that nobody has read count no more")
				require.NoError(t, d.Ack(false))
				require.Len(t, amRead(t, stays), 1)
			})
		})
	}
}

func TestQosRange(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		ch := amOpen(t, b)
		require.NoError(t, ch.Qos(65535, warren.QosOptions{}))
		for _, bad := range []int{-1, 65536} {
			var e *warren.Error
			require.ErrorAs(t, ch.Qos(bad, warren.QosOptions{}), &e)
			require.EqualValues(t, 502, e.Code)
			require.EqualValues(t, 60, e.Class)
			require.EqualValues(t, 10, e.Method)
		}
	})
}

func TestFlowOffStopsDeliveries(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		ch, other := amOpen(t, b), amOpen(t, b)
		amQueues(t, ch, "q", "r")
		limited := amConsume(t, ch, "q", warren.ConsumeOptions{Prefetch: 2})
		noAck := amConsume(t, ch, "r", warren.ConsumeOptions{NoAck: true})
		require.NoError(t, ch.Flow(false))
		require.NoError(t, ch.Flow(false))
		amPut(t, ch, "", "q", "1", "2", "3")
		amPut(t, ch, "", "r", "1", "2")
		require.Empty(t, amRead(t, limited))
		require.Empty(t, amRead(t, noAck))
		require.Equal(t, 3, amReady(t, ch, "q"))
		started := amConsume(t, ch, "q", warren.ConsumeOptions{})
		require.Empty(t, amRead(t, started), "a consumer that starts now waits, too")
		require.NoError(t, started.Cancel())
		d := amTake(t, ch, "q")
		require.Equal(t, "1", string(d.Body), "basic.get goes on")
		elsewhere := amConsume(t, other, "q", warren.ConsumeOptions{Prefetch: 1})
		require.Equal(t, []string{"2"}, amBodies(amRead(t, elsewhere)), "other channels go on")

		require.NoError(t, ch.Flow(true))
		require.Equal(t, []string{"3"}, amBodies(amRead(t, limited)))
		require.Equal(t, []string{"1", "2"}, amBodies(amRead(t, noAck)))
		amPut(t, ch, "", "r", "3")
		require.Equal(t, []string{"3"}, amBodies(amRead(t, noAck)))
	})
}

func TestFlowOnKeepsTheLimits(t *testing.T) {
	amTest(t, func(t *testing.T, b *warren.Broker) {
		ch := amOpen(t, b)
		amQueues(t, ch, "q")
		require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
		c := amConsume(t, ch, "q", warren.ConsumeOptions{Prefetch: 2})
		amPut(t, ch, "", "q", amNumbers(5)...)
		held := amRead(t, c)
		require.Len(t, held, 2)
		require.NoError(t, ch.Flow(false))
		require.NoError(t, held[0].Ack(false))
		require.Empty(t, amRead(t, c))
		require.NoError(t, ch.Flow(true))
		require.Len(t, amRead(t, c), 1)
	})
}
