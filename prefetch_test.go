package warren_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// The limit of Qos is that of each consumer, but of those that have one of their
// own.
func TestQosLimitsEachConsumer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "early", "late", "own", "other", "auto")
		other := brokertest.Consume(t, brokertest.Channel(t, b), "other", warren.ConsumeOptions{})
		early := brokertest.Consume(t, ch, "early", warren.ConsumeOptions{})
		auto := brokertest.Consume(t, ch, "auto", warren.ConsumeOptions{NoAck: true})
		own := brokertest.Consume(t, ch, "own", warren.ConsumeOptions{Prefetch: 3})
		require.NoError(t, ch.Qos(2, warren.QosOptions{}))
		late := brokertest.Consume(t, ch, "late", warren.ConsumeOptions{})
		for _, q := range []string{"early", "late", "own", "other", "auto"} {
			brokertest.Put(t, ch, "", q, brokertest.Letters(5)...)
		}
		require.Len(t, brokertest.Read(t, early), 2, "one that ran has the limit, too")
		held := brokertest.Read(t, late)
		require.Len(t, held, 2)
		require.Len(t, brokertest.Read(t, own), 3, "a limit of its own")
		require.Len(t, brokertest.Read(t, other), 5, "another channel's has none")
		require.Len(t, brokertest.Read(t, auto), 5, "without acks there is none")
		require.Equal(t, 3, brokertest.Ready(t, ch, "late"))

		require.NoError(t, held[1].Ack(false))
		require.Len(t, brokertest.Read(t, late), 1, "one out, one in")
		require.NoError(t, held[0].Reject(false))
		require.Len(t, brokertest.Read(t, late), 1)
		require.Equal(t, 1, brokertest.Ready(t, ch, "late"))

		require.NoError(t, ch.Qos(0, warren.QosOptions{}))
		require.Len(t, brokertest.Read(t, late), 1, "zero is no limit")
		require.Len(t, brokertest.Read(t, early), 3)
		require.Empty(t, brokertest.Read(t, own), "its own limit stays")
	})
}

// A limit that is raised brings messages at once, one that is lowered none until
// as many are settled. So Celery makes room for tasks while others wait for their
// time.
func TestQosChangesWhileAConsumerRuns(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.Qos(2, warren.QosOptions{}))
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		brokertest.Put(t, ch, "", "q", brokertest.Letters(9)...)
		held := brokertest.Read(t, c)
		require.Equal(t, []string{"a", "b"}, brokertest.Bodies(held))
		require.NoError(t, ch.Qos(4, warren.QosOptions{}))
		held = append(held, brokertest.Read(t, c)...)
		require.Equal(t, []string{"a", "b", "c", "d"}, brokertest.Bodies(held))
		require.NoError(t, ch.Qos(1, warren.QosOptions{}))
		for _, d := range held[:3] {
			require.NoError(t, d.Ack(false))
			require.Empty(t, brokertest.Read(t, c))
		}
		require.NoError(t, held[3].Ack(false))
		require.Equal(t, []string{"e"}, brokertest.Bodies(brokertest.Read(t, c)))
		require.NoError(t, ch.Qos(0, warren.QosOptions{}))
		require.Equal(t, []string{"f", "g", "h", "i"}, brokertest.Bodies(brokertest.Read(t, c)))
		require.NoError(t, ch.Qos(3, warren.QosOptions{}), "five are out")
		brokertest.Put(t, ch, "", "q", "j")
		require.Empty(t, brokertest.Read(t, c))
		require.Equal(t, 5, b.Stats().Unacked)
	})
}

func TestLikeRabbitMQsPrefetchIsForLaterConsumers(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{Like: warren.LikeRabbitMQ}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "early", "late", "later")
		early := brokertest.Consume(t, ch, "early", warren.ConsumeOptions{})
		require.NoError(t, ch.Qos(2, warren.QosOptions{}))
		late := brokertest.Consume(t, ch, "late", warren.ConsumeOptions{})
		require.NoError(t, ch.Qos(0, warren.QosOptions{}))
		later := brokertest.Consume(t, ch, "later", warren.ConsumeOptions{})
		for _, q := range []string{"early", "late", "later"} {
			brokertest.Put(t, ch, "", q, brokertest.Letters(5)...)
		}
		require.Len(t, brokertest.Read(t, early), 5, "is as it was")
		require.Len(t, brokertest.Read(t, late), 2)
		require.Len(t, brokertest.Read(t, later), 5)
	})
}

// The reader of a stream needs a limit, so that it keeps the one it has instead of
// none.
func TestQosOfAStreamsReader(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{})
		require.NoError(t, ch.Qos(2, warren.QosOptions{}))
		c := brokertest.Consume(t, ch, "s", warren.ConsumeOptions{})
		brokertest.Put(t, ch, "", "s", brokertest.Letters(6)...)
		require.Len(t, brokertest.Read(t, c), 2)
		require.NoError(t, ch.Qos(0, warren.QosOptions{}))
		require.Empty(t, brokertest.Read(t, c))
		require.NoError(t, ch.Qos(5, warren.QosOptions{}))
		require.Len(t, brokertest.Read(t, c), 3)
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
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
				brokertest.Put(t, ch, "", "q", brokertest.Letters(4)...)
				for range 20 { // room is neither lost nor won
					list := brokertest.Read(t, c)
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
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q", "r", "s")
				require.NoError(t, ch.Qos(1, o))
				brokertest.Put(t, ch, "", "q", brokertest.Letters(3)...)
				for range 3 {
					brokertest.Take(t, ch, "q")
				}
				noAck := brokertest.Consume(t, ch, "r", warren.ConsumeOptions{NoAck: true})
				brokertest.Put(t, ch, "", "r", brokertest.Letters(5)...)
				require.Len(t, brokertest.Read(t, noAck), 5)
				limited := brokertest.Consume(t, ch, "s", warren.ConsumeOptions{})
				brokertest.Put(t, ch, "", "s", brokertest.Letters(5)...)
				require.Len(t, brokertest.Read(t, limited), 1, "what Get took does not count")
			})
		})
	}
}

func TestGlobalQosIsSharedByTheChannelsConsumers(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "r")
		require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
		onQ, onR := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}), brokertest.Consume(t, ch, "r", warren.ConsumeOptions{})
		brokertest.Put(t, ch, "", "q", brokertest.Letters(2)...)
		brokertest.Put(t, ch, "", "r", brokertest.Letters(5)...)
		held := brokertest.Read(t, onQ)
		require.Len(t, held, 2)
		require.Len(t, brokertest.Read(t, onR), 1)
		require.NoError(t, held[0].Ack(false))
		require.Len(t, brokertest.Read(t, onR), 1, "room that one consumer frees goes to another")
		require.NoError(t, held[1].Nack(false, false))
		require.Len(t, brokertest.Read(t, onR), 1)
		require.Len(t, brokertest.Read(t, brokertest.Consume(t, other, "r", warren.ConsumeOptions{})), 2, "another channel has its own")
	})
}

func TestBothLimitsApplyTogether(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "r")
		require.NoError(t, ch.Qos(2, warren.QosOptions{}))
		require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
		onQ, onR := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}), brokertest.Consume(t, ch, "r", warren.ConsumeOptions{})
		brokertest.Put(t, ch, "", "q", brokertest.Letters(5)...)
		brokertest.Put(t, ch, "", "r", brokertest.Letters(5)...)
		q, r := brokertest.Read(t, onQ), brokertest.Read(t, onR)
		require.Len(t, q, 2, "the consumer's limit")
		require.Len(t, r, 1, "the channel's limit")
		require.NoError(t, r[0].Ack(false))
		require.Empty(t, brokertest.Read(t, onQ), "there is room in the channel, but not in this consumer")
		require.Len(t, brokertest.Read(t, onR), 1)
	})
}

func TestGlobalQosChangesWhileConsumersRun(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		brokertest.Put(t, ch, "", "q", brokertest.Letters(2)...)
		held := brokertest.Read(t, c)
		require.Len(t, held, 2)

		require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
		brokertest.Put(t, ch, "", "q", brokertest.Letters(20)...)
		held = append(held, brokertest.Read(t, c)...)
		require.Len(t, held, 3, "what was out before counts")

		require.NoError(t, ch.Qos(5, warren.QosOptions{Global: true}))
		held = append(held, brokertest.Read(t, c)...)
		require.Len(t, held, 5, "more room is used at once")

		require.NoError(t, ch.Qos(2, warren.QosOptions{Global: true}))
		for range 3 {
			require.NoError(t, held[0].Ack(false))
			held = held[1:]
			require.Empty(t, brokertest.Read(t, c), "more are out than may be")
		}
		require.NoError(t, held[0].Ack(false))
		require.Len(t, brokertest.Read(t, c), 1)

		require.NoError(t, ch.Qos(0, warren.QosOptions{Global: true}))
		require.Len(t, brokertest.Read(t, c), 16, "zero is no limit")
		require.NoError(t, ch.Qos(1, warren.QosOptions{Global: true}))
		brokertest.Put(t, ch, "", "q", "z")
		require.NoError(t, ch.Ack(0, true))
		require.Equal(t, []string{"z"}, brokertest.Bodies(brokertest.Read(t, c)))
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
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q", "r")
				require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
				ends, stays := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}), brokertest.Consume(t, ch, "r", warren.ConsumeOptions{})
				brokertest.Put(t, ch, "", "q", brokertest.Letters(3)...)
				d := brokertest.Next(t, ends) // the other two are not read
				brokertest.Put(t, ch, "", "r", brokertest.Letters(5)...)
				require.Empty(t, brokertest.Read(t, stays))
				end(t, ch, ends)
				require.Len(t, brokertest.Read(t, stays), 2, "the deliveries that nobody has read count no more")
				require.NoError(t, d.Ack(false))
				require.Len(t, brokertest.Read(t, stays), 1)
			})
		})
	}
}

func TestQosRange(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
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
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, other := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "r")
		limited := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 2})
		noAck := brokertest.Consume(t, ch, "r", warren.ConsumeOptions{NoAck: true})
		require.NoError(t, ch.Flow(false))
		require.NoError(t, ch.Flow(false))
		brokertest.Put(t, ch, "", "q", "1", "2", "3")
		brokertest.Put(t, ch, "", "r", "1", "2")
		require.Empty(t, brokertest.Read(t, limited))
		require.Empty(t, brokertest.Read(t, noAck))
		require.Equal(t, 3, brokertest.Ready(t, ch, "q"))
		started := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		require.Empty(t, brokertest.Read(t, started), "a consumer that starts now waits, too")
		require.NoError(t, started.Cancel())
		d := brokertest.Take(t, ch, "q")
		require.Equal(t, "1", string(d.Body), "basic.get goes on")
		elsewhere := brokertest.Consume(t, other, "q", warren.ConsumeOptions{Prefetch: 1})
		require.Equal(t, []string{"2"}, brokertest.Bodies(brokertest.Read(t, elsewhere)), "other channels go on")

		require.NoError(t, ch.Flow(true))
		require.Equal(t, []string{"3"}, brokertest.Bodies(brokertest.Read(t, limited)))
		require.Equal(t, []string{"1", "2"}, brokertest.Bodies(brokertest.Read(t, noAck)))
		brokertest.Put(t, ch, "", "r", "3")
		require.Equal(t, []string{"3"}, brokertest.Bodies(brokertest.Read(t, noAck)))
	})
}

func TestFlowOnKeepsTheLimits(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 2})
		brokertest.Put(t, ch, "", "q", brokertest.Letters(5)...)
		held := brokertest.Read(t, c)
		require.Len(t, held, 2)
		require.NoError(t, ch.Flow(false))
		require.NoError(t, held[0].Ack(false))
		require.Empty(t, brokertest.Read(t, c))
		require.NoError(t, ch.Flow(true))
		require.Len(t, brokertest.Read(t, c), 1)
	})
}

// The last Qos counts for all, whoever calls it and whenever consumers start.
func TestQosOfManyAtOnce(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "r")
		brokertest.Put(t, ch, "", "q", brokertest.Numbers(0, 100)...)
		brokertest.Put(t, ch, "", "r", brokertest.Numbers(0, 100)...)
		require.NoError(t, ch.Qos(1, warren.QosOptions{}))
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for i := range 20 {
					ch.Qos(1+(n+i)%5, warren.QosOptions{})
				}
			})
		}
		q := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		r := brokertest.Consume(t, ch, "r", warren.ConsumeOptions{})
		wg.Wait()
		require.NoError(t, ch.Ack(0, true))
		for _, c := range []*warren.Consumer{q, r} {
			for _, d := range brokertest.Read(t, c) {
				d.Ack(false)
			}
		}
		require.NoError(t, ch.Qos(7, warren.QosOptions{}))
		require.Len(t, brokertest.Read(t, q), 7)
		require.Len(t, brokertest.Read(t, r), 7)
	})
}

// TestConsumersThatShareAPrefetchTakeTurns: a long queue does not keep the others
// waiting.
func TestConsumersThatShareAPrefetchTakeTurns(t *testing.T) {
	for _, limit := range []int{1, 4, 10} {
		for rule, prefetches := range map[string][]int{"alike": {0, 0, 0}, "with limits of their own": {0, 2, 1}} {
			t.Run(fmt.Sprint(limit, " ", rule), func(t *testing.T) {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					ch := brokertest.Channel(t, b)
					require.NoError(t, ch.Qos(limit, warren.QosOptions{Global: true}))
					left := []int{2000, 20, 20}
					var consumers []*warren.Consumer
					for i, name := range []string{"long", "short", "third"} {
						brokertest.Queues(t, ch, name)
						brokertest.Put(t, ch, "", name, brokertest.Numbers(1, left[i])...)
						consumers = append(consumers, brokertest.Consume(t, ch, name, warren.ConsumeOptions{Prefetch: prefetches[i]}))
					}
					got := 0
					for left[1]+left[2] > 0 {
						for i, c := range consumers {
							for _, d := range brokertest.Read(t, c) {
								got++
								left[i]--
								require.NoError(t, d.Ack(false))
							}
						}
						require.LessOrEqual(t, got, 20*(limit+3), "rounds of the longest wait")
					}
				})
			})
		}
	}
}

// TestASharedPrefetchFeedsAllFunctions: functions that run at once share the prefetch,
// whatever else there is to do.
func TestASharedPrefetchFeedsAllFunctions(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch, feed := brokertest.Channel(t, b), brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "endless", "few")
		require.NoError(t, ch.Qos(1, warren.QosOptions{Global: true}))
		brokertest.Put(t, ch, "", "endless", "1", "2")
		brokertest.Put(t, ch, "", "few", brokertest.Numbers(1, 50)...)
		endless, err := ch.ConsumeFunc("endless", warren.ConsumeOptions{}, func(_ context.Context, d warren.Delivery) error {
			brokertest.Put(t, feed, "", "endless", string(d.Body)) // there are always more
			return nil
		})
		require.NoError(t, err)
		done := make(chan struct{})
		n := 0
		few, err := ch.ConsumeFunc("few", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error {
			if n++; n == 50 {
				close(done)
			}
			return nil
		})
		require.NoError(t, err)
		<-done
		require.NoError(t, few.Cancel())
		require.NoError(t, endless.Cancel())
		<-endless.Done()
	})
}

// TestWaitingForASharedPrefetchKeepsThePriority: the consumers of a queue that wait for
// the same room are served by their priority.
func TestWaitingForASharedPrefetchKeepsThePriority(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "r")
		require.NoError(t, ch.Qos(1, warren.QosOptions{Global: true}))
		low := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Priority: -1})
		high := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Priority: 1})
		brokertest.Put(t, ch, "", "q", brokertest.Letters(6)...)
		for _, want := range brokertest.Letters(3) {
			list := brokertest.Read(t, high)
			require.Equal(t, []string{want}, brokertest.Bodies(list))
			require.NoError(t, list[0].Ack(false))
			require.Empty(t, brokertest.Read(t, low))
		}
		require.NoError(t, high.Cancel())
		require.Equal(t, []string{"d"}, brokertest.Bodies(brokertest.Read(t, low)))
	})
}
