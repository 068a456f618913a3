package warren_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestUnknownDeliveryTag(t *testing.T) {
	methods := map[string]struct {
		method uint16
		settle func(ch *warren.Channel, tag uint64) error
	}{
		"ack":           {80, func(ch *warren.Channel, tag uint64) error { return ch.Ack(tag, false) }},
		"ack multiple":  {80, func(ch *warren.Channel, tag uint64) error { return ch.Ack(tag, true) }},
		"nack":          {120, func(ch *warren.Channel, tag uint64) error { return ch.Nack(tag, false, true) }},
		"nack multiple": {120, func(ch *warren.Channel, tag uint64) error { return ch.Nack(tag, true, false) }},
		"reject":        {90, func(ch *warren.Channel, tag uint64) error { return ch.Reject(tag, true) }},
	}
	for name, m := range methods {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				brokertest.Put(t, ch, "", "q", "1", "2", "3")
				brokertest.Take(t, ch, "q")
				settled := brokertest.Take(t, ch, "q")
				require.NoError(t, settled.Ack(false))
				_, _, err := ch.Get("q", true)
				require.NoError(t, err)
				for _, c := range []struct {
					rule string
					ch   *warren.Channel
					tag  uint64
				}{
					{"never given", ch, 4},
					{"settled before", ch, 2},
					{"delivered without ack", ch, 3},
					{"another channel's", other, 1},
					{"far away", ch, 1 << 63},
				} {
					brokertest.Fails(t, m.settle(c.ch, c.tag), 406, 60, m.method, fmt.Sprintf("PRECONDITION_FAILED - unknown delivery tag %d", c.tag))
					require.Equal(t, 1, b.Stats().Unacked, "%s: nothing is settled", c.rule)
					require.Zero(t, b.Stats().Ready, c.rule)
				}
				require.NoError(t, m.settle(ch, 1))
				require.Zero(t, b.Stats().Unacked)
			})
		})
	}
}

func TestDeliveryTagZero(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.Ack(0, true), "all of nothing")
		require.NoError(t, ch.Nack(0, true, true))
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "1", "2")
		brokertest.Take(t, ch, "q")
		brokertest.Take(t, ch, "q")
		const text = "PRECONDITION_FAILED - unknown delivery tag 0"
		brokertest.Fails(t, ch.Ack(0, false), 406, 60, 80, text)
		brokertest.Fails(t, ch.Nack(0, false, true), 406, 60, 120, text)
		brokertest.Fails(t, ch.Reject(0, true), 406, 60, 90, text)
		require.Equal(t, 2, b.Stats().Unacked)
		require.NoError(t, ch.Nack(0, true, true), "all of them")
		require.Equal(t, 2, b.Stats().Ready)
		brokertest.Take(t, ch, "q")
		brokertest.Take(t, ch, "q")
		require.NoError(t, ch.Ack(0, true))
		require.Zero(t, b.Stats().Ready+b.Stats().Unacked)
	})
}

func TestMultipleSettlesAllUpToTheTag(t *testing.T) {
	for name, c := range map[string]struct {
		settle func(ch *warren.Channel, tag uint64) error
		ready  []string
	}{
		"ack":          {func(ch *warren.Channel, tag uint64) error { return ch.Ack(tag, true) }, []string{}},
		"nack":         {func(ch *warren.Channel, tag uint64) error { return ch.Nack(tag, true, false) }, []string{}},
		"nack requeue": {func(ch *warren.Channel, tag uint64) error { return ch.Nack(tag, true, true) }, []string{"a", "c", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q", "r")
				consumer := brokertest.Consume(t, ch, "r", warren.ConsumeOptions{Prefetch: 1})
				brokertest.Put(t, ch, "", "q", brokertest.Letters(6)...)
				brokertest.Put(t, ch, "", "r", "of another queue")
				for range 2 {
					brokertest.Take(t, ch, "q") // tags 1 and 2: a, b
				}
				require.Len(t, brokertest.Read(t, consumer), 1) // 3
				for range 4 {
					brokertest.Take(t, ch, "q") // 4 to 7: c to f
				}
				require.NoError(t, consumer.Cancel())
				require.NoError(t, ch.Ack(2, false))
				require.NoError(t, c.settle(ch, 5))
				require.Equal(t, 2, b.Stats().Unacked, "e and f are left")
				require.Equal(t, c.ready, brokertest.Drain(t, ch, "q"))
				require.Equal(t, name == "nack requeue", len(brokertest.Drain(t, ch, "r")) == 1, "all queues of the channel are concerned")
				require.NoError(t, ch.Ack(7, true))
			})
		})
	}
}

func TestManyDeliveriesAreSettledInAnyOrder(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		const n = 300
		for i := range n {
			brokertest.Put(t, ch, "", "q", fmt.Sprint(i))
		}
		open := map[uint64]bool{}
		for range n {
			open[brokertest.Take(t, ch, "q").DeliveryTag] = true
		}
		for i := range n { // 7 and 300 share no divisor: every tag, in a stride
			tag := uint64(i*7%n + 1)
			if i%3 == 0 {
				require.NoError(t, ch.Ack(tag, false))
				delete(open, tag)
			}
		}
		require.Equal(t, len(open), b.Stats().Unacked)
		for tag := range uint64(n + 2) {
			if !open[tag] {
				require.ErrorIs(t, ch.Ack(tag, false), warren.ErrPreconditionFailed)
			}
		}
		require.NoError(t, ch.Nack(0, true, true))
		require.Equal(t, len(open), brokertest.Ready(t, ch, "q"))
		require.Len(t, brokertest.Drain(t, ch, "q"), len(open))
	})
}

func TestRequeueGoesToTheOldPlace(t *testing.T) {
	for _, c := range []struct {
		rule    string
		take    int   // of a to f
		requeue []int // in this order
		want    []string
	}{
		{"one", 1, []int{0}, []string{"a", "b", "c", "d", "e", "f"}},
		{"one from the middle", 3, []int{1}, []string{"b", "d", "e", "f"}},
		{"several in order", 3, []int{0, 1, 2}, []string{"a", "b", "c", "d", "e", "f"}},
		{"several out of order", 4, []int{2, 0, 3, 1}, []string{"a", "b", "c", "d", "e", "f"}},
		{"some of several", 5, []int{4, 1, 2}, []string{"b", "c", "e", "f"}},
		{"all", 6, []int{5, 4, 3, 2, 1, 0}, []string{"a", "b", "c", "d", "e", "f"}},
	} {
		for _, by := range []string{"nack", "reject", "recover"} {
			t.Run(c.rule+"/"+by, func(t *testing.T) {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					ch := brokertest.Channel(t, b)
					brokertest.Queues(t, ch, "q")
					brokertest.Put(t, ch, "", "q", brokertest.Letters(6)...)
					var held []warren.Delivery
					for range c.take {
						held = append(held, brokertest.Take(t, ch, "q"))
					}
					if by == "recover" {
						for i := range held {
							if !slices.Contains(c.requeue, i) {
								require.NoError(t, held[i].Ack(false))
							}
						}
						require.NoError(t, ch.Recover(true))
					}
					for _, i := range c.requeue {
						switch by {
						case "nack":
							require.NoError(t, held[i].Nack(false, true))
						case "reject":
							require.NoError(t, held[i].Reject(true))
						}
					}
					brokertest.Put(t, ch, "", "q", "new")
					require.Equal(t, append(slices.Clone(c.want), "new"), brokertest.Drain(t, ch, "q"))
				})
			})
		}
	}
}

func TestRequeueOfManyKeepsTheOrder(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		const n = 700
		var want []string
		for i := range n {
			want = append(want, fmt.Sprint(i))
		}
		brokertest.Put(t, ch, "", "q", want...)
		for _, stride := range []int{7, 11, 13} { // none divides 500
			var held []warren.Delivery
			for range 500 {
				held = append(held, brokertest.Take(t, ch, "q"))
			}
			for i := range held {
				require.NoError(t, held[i*stride%len(held)].Reject(true))
			}
		}
		require.Equal(t, want, brokertest.Drain(t, ch, "q"))
	})
}

func TestRequeuedMessagesGoToWaitingConsumersInOrder(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Put(t, ch, "", "q", "1", "2", "3", "4")
		for range 4 {
			brokertest.Take(t, ch, "q")
		}
		waiting := brokertest.Consume(t, other, "q", warren.ConsumeOptions{})
		require.NoError(t, ch.Nack(3, true, true))
		list := brokertest.Read(t, waiting)
		require.Equal(t, []string{"1", "2", "3"}, brokertest.Bodies(list))
		for _, d := range list {
			require.True(t, d.Redelivered)
		}
	})
}

func TestMessagesOfAClosedChannelComeBackInOrder(t *testing.T) {
	for rule, end := range map[string]func(ch *warren.Channel) error{
		"channel": func(ch *warren.Channel) error { return ch.Close() },
		"session": func(ch *warren.Channel) error { return ch.Session().Close() },
	} {
		t.Run(rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
				brokertest.Put(t, ch, "", "q", "1", "2", "3", "4", "5")
				brokertest.Next(t, c)
				brokertest.Next(t, c)
				waiting := brokertest.Consume(t, other, "q", warren.ConsumeOptions{})
				require.NoError(t, end(ch))
				list := brokertest.Read(t, waiting)
				require.Equal(t, []string{"1", "2", "3", "4", "5"}, brokertest.Bodies(list))
				for i, d := range list {
					require.Equal(t, i < 2, d.Redelivered, "true for those that were delivered")
				}
			})
		})
	}
}

func TestRedelivered(t *testing.T) {
	for _, c := range []struct {
		rule string
		give func(t *testing.T, ch *warren.Channel) // takes the message and gives it back
		want bool
	}{
		{"nack", func(t *testing.T, ch *warren.Channel) {
			d := brokertest.Take(t, ch, "q")
			require.NoError(t, d.Nack(false, true))
		}, true},
		{"reject", func(t *testing.T, ch *warren.Channel) {
			d := brokertest.Take(t, ch, "q")
			require.NoError(t, d.Reject(true))
		}, true},
		{"recover", func(t *testing.T, ch *warren.Channel) {
			brokertest.Take(t, ch, "q")
			require.NoError(t, ch.Recover(true))
		}, true},
		{"recover without requeue, from Get", func(t *testing.T, ch *warren.Channel) {
			brokertest.Take(t, ch, "q")
			require.NoError(t, ch.Recover(false))
		}, true},
		{"channel closed", func(t *testing.T, ch *warren.Channel) { brokertest.Take(t, ch, "q"); require.NoError(t, ch.Close()) }, true},
		{"session closed", func(t *testing.T, ch *warren.Channel) {
			brokertest.Take(t, ch, "q")
			require.NoError(t, ch.Session().Close())
		}, true},
		{"read by a consumer, channel closed", func(t *testing.T, ch *warren.Channel) {
			brokertest.Next(t, brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}))
			require.NoError(t, ch.Close())
		}, true},
		{"not read by a consumer that is cancelled", func(t *testing.T, ch *warren.Channel) {
			c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
			require.NoError(t, c.Cancel())
		}, false},
		{"not read by a consumer whose channel is closed", func(t *testing.T, ch *warren.Channel) {
			brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
			require.NoError(t, ch.Close())
		}, false},
		{"seen before, then not read by a consumer", func(t *testing.T, ch *warren.Channel) {
			d := brokertest.Take(t, ch, "q")
			require.NoError(t, d.Nack(false, true))
			c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
			require.NoError(t, c.Cancel())
		}, true},
		{"rolled back and closed", func(t *testing.T, ch *warren.Channel) {
			require.NoError(t, ch.Tx())
			d := brokertest.Take(t, ch, "q")
			require.NoError(t, d.Ack(false))
			require.NoError(t, ch.Close())
		}, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				brokertest.Put(t, ch, "", "q", "m")
				c.give(t, ch)
				d := brokertest.Take(t, other, "q")
				require.Equal(t, c.want, d.Redelivered)
				require.Equal(t, "m", string(d.Body))
			})
		})
	}
}

func TestRecoverWithRequeue(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.Recover(true), "nothing to recover")
		brokertest.Queues(t, ch, "q", "r")
		brokertest.Put(t, ch, "", "q", "1", "2", "3")
		brokertest.Put(t, ch, "", "r", "4")
		settled := brokertest.Take(t, ch, "q")
		brokertest.Take(t, ch, "q")
		brokertest.Take(t, ch, "r")
		require.NoError(t, settled.Ack(false))
		require.NoError(t, ch.Recover(true))
		require.Equal(t, []string{"2", "3"}, brokertest.Drain(t, ch, "q"))
		require.Equal(t, []string{"4"}, brokertest.Drain(t, ch, "r"))
		require.ErrorIs(t, ch.Ack(2, false), warren.ErrPreconditionFailed)
	})
}

func TestRecoverWithoutRequeueReturnsToTheConsumer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 4})
		brokertest.Put(t, ch, "", "q", "1", "2", "3", "4")
		for range 3 {
			brokertest.Next(t, c)
		}
		require.NoError(t, ch.Ack(2, false))
		rival := brokertest.Consume(t, other, "q", warren.ConsumeOptions{})
		require.NoError(t, ch.Recover(false))
		require.Empty(t, brokertest.Read(t, rival), "nobody else gets them")
		list := brokertest.Read(t, c)
		require.Equal(t, []string{"1", "3", "4"}, brokertest.Bodies(list), "before those that are new to it")
		for i, d := range list {
			require.EqualValues(t, 4+i, d.DeliveryTag, "with new tags")
			require.Equal(t, i < 2, d.Redelivered)
			require.NoError(t, d.Ack(false))
		}
		require.Zero(t, b.Stats().Ready+b.Stats().Unacked)
	})
}

func TestRecoverWithoutRequeueKeepsEachConsumersOrder(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		one, two := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}), brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		brokertest.Put(t, ch, "", "q", "1", "2", "3", "4", "5", "6")
		for range 3 { // by turns, as the queue gave them out
			brokertest.Next(t, one)
			brokertest.Next(t, two)
		}
		require.NoError(t, ch.Recover(false))
		require.Equal(t, []string{"1", "3", "5"}, brokertest.Bodies(brokertest.Read(t, one)))
		require.Equal(t, []string{"2", "4", "6"}, brokertest.Bodies(brokertest.Read(t, two)))
	})
}

func TestRecoverWithoutRequeueOfACancelledConsumer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		brokertest.Put(t, ch, "", "q", "1", "2")
		require.Len(t, brokertest.Read(t, c), 2)
		require.NoError(t, c.Cancel())
		require.NoError(t, ch.Recover(false))
		require.Equal(t, []string{"1", "2"}, brokertest.Drain(t, ch, "q"), "its deliveries return to the queue")
	})
}
