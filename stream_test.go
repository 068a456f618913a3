package warren_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// streamOf declares the stream s and publishes bodies to it.
func streamOf(t testing.TB, ch *warren.Channel, bodies ...string) {
	t.Helper()
	brokertest.Stream(t, ch, "s", warren.QueueOptions{})
	brokertest.Put(t, ch, "", "s", bodies...)
}

// streamReader consumes from the stream s on a channel of its own.
func streamReader(t testing.TB, b *warren.Broker, start warren.StreamStart, prefetch int) *warren.Consumer {
	t.Helper()
	return brokertest.Consume(t, brokertest.Channel(t, b), "s", warren.ConsumeOptions{Offset: start, Prefetch: prefetch})
}

// offsetsOf are the offsets of deliveries.
func offsetsOf(t testing.TB, list []warren.Delivery) []int64 {
	t.Helper()
	offsets := []int64{}
	for _, d := range list {
		n, ok := d.StreamOffset()
		require.True(t, ok)
		offsets = append(offsets, n)
	}
	return offsets
}

// readAcking reads all that a consumer gets if its deliveries are acked.
func readAcking(t testing.TB, c *warren.Consumer) []string {
	t.Helper()
	bodies := []string{}
	for {
		list := brokertest.Read(t, c)
		if len(list) == 0 {
			return bodies
		}
		bodies = append(bodies, brokertest.Bodies(list)...)
		require.NoError(t, list[len(list)-1].Ack(true))
	}
}

func TestReadingAStreamTakesNothingAway(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch, brokertest.Numbers(0, 9)...)
		for range 3 {
			c := streamReader(t, b, warren.StreamFirst(), 4)
			require.Equal(t, brokertest.Numbers(0, 9), readAcking(t, c))
			require.NoError(t, c.Cancel())
		}
		require.Equal(t, 10, brokertest.Ready(t, ch, "s"))
		s := b.Stats()
		require.Equal(t, 10, s.Ready)
		require.Zero(t, s.Unacked)
		require.Equal(t, warren.QueueCounts{Published: 10, Delivered: 30, Acked: 30}, s.QueueCounts)
	})
}

func TestAStreamConsumerStartsWhereItWants(t *testing.T) {
	for name, c := range map[string]struct {
		start warren.StreamStart
		first int // of the messages 0 to 9
	}{
		"default":              {warren.StreamStart{}, 10},
		"first":                {warren.StreamFirst(), 0},
		"last":                 {warren.StreamLast(), 9},
		"next":                 {warren.StreamNext(), 10},
		"offset 0":             {warren.StreamOffset(0), 0},
		"offset 7":             {warren.StreamOffset(7), 7},
		"offset at the end":    {warren.StreamOffset(10), 10},
		"offset in the future": {warren.StreamOffset(12), 12},
		"the last 3":           {warren.StreamOffset(-3), 7},
		"more than there are":  {warren.StreamOffset(-300), 0},
		"time of a message":    {warren.StreamTime(time.Date(2000, 1, 1, 0, 0, 4, 0, time.UTC)), 4},
		"time between":         {warren.StreamTime(time.Date(2000, 1, 1, 0, 0, 4, 1, time.UTC)), 5},
		"time before":          {warren.StreamTime(time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)), 0},
		"time in the future":   {warren.StreamTime(time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)), 10},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				streamOf(t, ch)
				for i := range 10 { // one a second, the first at 2000-01-01 00:00:00
					brokertest.Put(t, ch, "", "s", fmt.Sprint(i))
					time.Sleep(time.Second)
				}
				r := streamReader(t, b, c.start, 100)
				brokertest.Put(t, ch, "", "s", brokertest.Numbers(10, 14)...)
				list := brokertest.Read(t, r)
				require.Equal(t, brokertest.Numbers(c.first, 14), brokertest.Bodies(list))
				for i, n := range offsetsOf(t, list) {
					require.Equal(t, int64(c.first+i), n)
				}
			})
		})
	}
}

func TestAnEmptyStreamIsReadFromItsFirstMessage(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch)
		var readers []*warren.Consumer
		for _, start := range []warren.StreamStart{
			warren.StreamFirst(), warren.StreamLast(), warren.StreamNext(), warren.StreamOffset(0), warren.StreamOffset(-5), warren.StreamSince(time.Hour),
		} {
			readers = append(readers, streamReader(t, b, start, 10))
		}
		brokertest.Put(t, ch, "", "s", "0", "1")
		for _, r := range readers {
			require.Equal(t, []string{"0", "1"}, brokertest.Bodies(brokertest.Read(t, r)))
		}
	})
}

func TestStreamSinceCountsBackFromNow(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch, "old")
		time.Sleep(time.Minute)
		brokertest.Put(t, ch, "", "s", "new")
		time.Sleep(time.Second)
		require.Equal(t, []string{"new"}, readAcking(t, streamReader(t, b, warren.StreamSince(59*time.Second), 1)))
		require.Equal(t, []string{"old", "new"}, readAcking(t, streamReader(t, b, warren.StreamSince(time.Minute+10*time.Second), 1)))
	})
}

func TestAStreamConsumerGetsNoMoreThanItsPrefetch(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch, brokertest.Numbers(0, 9)...)
		r := streamReader(t, b, warren.StreamFirst(), 3)
		list := brokertest.Read(t, r)
		require.Equal(t, brokertest.Numbers(0, 2), brokertest.Bodies(list))
		require.NoError(t, list[1].Ack(false))
		list = append(list, brokertest.Read(t, r)...)
		require.Equal(t, brokertest.Numbers(0, 3), brokertest.Bodies(list))
		require.NoError(t, list[3].Ack(true))
		require.Equal(t, brokertest.Numbers(4, 6), brokertest.Bodies(brokertest.Read(t, r)))
	})
}

// RabbitMQ, too, takes all ways to settle a delivery as credit for another.
func TestWhatAStreamConsumerGivesBackIsNotRequeued(t *testing.T) {
	for name, giveBack := range map[string]func(d *warren.Delivery, ch *warren.Channel) error{
		"nack with requeue":      func(d *warren.Delivery, _ *warren.Channel) error { return d.Nack(true, true) },
		"nack without requeue":   func(d *warren.Delivery, _ *warren.Channel) error { return d.Nack(true, false) },
		"reject with requeue":    func(d *warren.Delivery, ch *warren.Channel) error { return ch.Reject(d.DeliveryTag, true) },
		"reject without requeue": func(d *warren.Delivery, ch *warren.Channel) error { return ch.Reject(d.DeliveryTag, false) },
		"recover":                func(_ *warren.Delivery, ch *warren.Channel) error { return ch.Recover(true) },
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				streamOf(t, brokertest.Channel(t, b), brokertest.Numbers(0, 3)...)
				ch := brokertest.Channel(t, b)
				r := brokertest.Consume(t, ch, "s", warren.ConsumeOptions{Offset: warren.StreamFirst(), Prefetch: 1})
				for i := range 4 {
					list := brokertest.Read(t, r)
					require.Equal(t, brokertest.Numbers(i, i), brokertest.Bodies(list))
					require.False(t, list[0].Redelivered)
					require.NoError(t, giveBack(&list[0], ch))
				}
				require.Empty(t, brokertest.Read(t, r))
				require.Equal(t, 4, brokertest.Ready(t, ch, "s"))
				require.Zero(t, b.Stats().Unacked)
				require.Zero(t, b.Stats().Dropped)
			})
		})
	}
}

func TestRecoverWithoutRequeueRepeatsWhatAStreamHasLent(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		streamOf(t, brokertest.Channel(t, b), "0", "1", "2")
		ch := brokertest.Channel(t, b)
		r := brokertest.Consume(t, ch, "s", warren.ConsumeOptions{Offset: warren.StreamFirst(), Prefetch: 2})
		require.Equal(t, brokertest.Numbers(0, 1), brokertest.Bodies(brokertest.Read(t, r)))
		require.NoError(t, ch.Recover(false))
		list := brokertest.Read(t, r)
		require.Equal(t, brokertest.Numbers(0, 1), brokertest.Bodies(list))
		require.True(t, list[0].Redelivered)
		require.Equal(t, []int64{0, 1}, offsetsOf(t, list))
		require.NoError(t, list[1].Ack(true))
		require.Equal(t, brokertest.Numbers(2, 2), brokertest.Bodies(brokertest.Read(t, r)))
	})
}

func TestTheEndOfAConsumerLeavesAStreamAsItWas(t *testing.T) {
	for name, end := range map[string]func(c *warren.Consumer, ch *warren.Channel) error{
		"cancel": func(c *warren.Consumer, _ *warren.Channel) error { return c.Cancel() },
		"close":  func(_ *warren.Consumer, ch *warren.Channel) error { return ch.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				streamOf(t, brokertest.Channel(t, b), brokertest.Numbers(0, 5)...)
				ch := brokertest.Channel(t, b)
				c := brokertest.Consume(t, ch, "s", warren.ConsumeOptions{Offset: warren.StreamFirst(), Prefetch: 4})
				d := brokertest.Next(t, c)
				other := streamReader(t, b, warren.StreamNext(), 4)
				require.NoError(t, end(c, ch))
				require.Empty(t, brokertest.Read(t, other), "nothing is left for others")
				require.NoError(t, other.Cancel())
				if name == "cancel" {
					require.NoError(t, d.Ack(false), "what was read can still be settled")
				}
				require.Equal(t, 6, b.Stats().Ready)
				require.Zero(t, b.Stats().Unacked)
				require.Zero(t, b.Stats().Consumers)
				require.Equal(t, brokertest.Numbers(0, 5), readAcking(t, streamReader(t, b, warren.StreamFirst(), 2)))
			})
		})
	}
}

func TestLeavingALoopOverAStreamLosesNothing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		streamOf(t, brokertest.Channel(t, b), brokertest.Numbers(0, 5)...)
		c := streamReader(t, b, warren.StreamFirst(), 4)
		for d, err := range c.Deliveries(t.Context()) {
			require.NoError(t, err)
			require.NoError(t, d.Ack(false))
			break
		}
		require.Equal(t, brokertest.Numbers(1, 5), readAcking(t, c), "what the loop has not seen comes next")
	})
}

func TestStreamDeliveriesCarryTheirOffset(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Stream(t, ch, "s", warren.QueueOptions{})
		headers := warren.Table{"a": "b", "x-stream-offset": "mine"}
		for _, m := range []warren.Message{
			{Body: []byte("plain")},
			{Body: []byte("full"), Headers: headers, ContentType: "text/plain", Priority: 3, Expiration: "1", MessageId: "m"},
		} {
			require.NoError(t, brokertest.Send(ch, "", "s", m, warren.PublishOptions{}))
		}
		time.Sleep(time.Minute) // no message of a stream expires
		list := brokertest.Read(t, streamReader(t, b, warren.StreamFirst(), 10))
		require.Len(t, list, 2)
		require.Equal(t, warren.Message{Body: []byte("plain"), Headers: warren.Table{"x-stream-offset": int64(0)}}, list[0].Message)
		require.Equal(t, warren.Message{
			Body: []byte("full"), Headers: warren.Table{"a": "b", "x-stream-offset": int64(1)},
			ContentType: "text/plain", Priority: 3, Expiration: "1", MessageId: "m",
		}, list[1].Message)
		require.Equal(t, warren.Table{"a": "b", "x-stream-offset": "mine"}, headers, "the publisher's headers are as they were")
		_, ok := (&warren.Delivery{}).StreamOffset()
		require.False(t, ok)
	})
}

func TestStreamsRefuseConsumersThatTheyCannotHave(t *testing.T) {
	type rule struct {
		o    warren.ConsumeOptions
		code uint16
		text string
	}
	arg := func(name string, v any, problem string) rule {
		return rule{warren.ConsumeOptions{Prefetch: 1, Args: warren.Table{name: v}}, 406, badArg(name, problem)}
	}
	rules := map[string]rule{
		"no prefetch":           {warren.ConsumeOptions{}, 406, "PRECONDITION_FAILED - consumer prefetch count is not set for 'queue 's' in vhost '/''"},
		"unlimited":             {warren.ConsumeOptions{Prefetch: -1}, 406, "PRECONDITION_FAILED - consumer prefetch count is not set for 'queue 's' in vhost '/''"},
		"neither":               {warren.ConsumeOptions{NoAck: true}, 406, "PRECONDITION_FAILED - consumer prefetch count is not set for 'queue 's' in vhost '/''"},
		"no ack":                {warren.ConsumeOptions{NoAck: true, Prefetch: 1}, 540, "NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queues queue 's' in vhost '/'"},
		"priority":              {warren.ConsumeOptions{Prefetch: 1, Priority: 1}, 406, foreignArg("x-priority")},
		"priority 0":            {warren.ConsumeOptions{Prefetch: 1, Args: warren.Table{"x-priority": 0}}, 406, foreignArg("x-priority")},
		"priority of any value": {warren.ConsumeOptions{Prefetch: 1, Args: warren.Table{"x-priority": "x"}}, 406, foreignArg("x-priority")},
		"failover":              {warren.ConsumeOptions{Prefetch: 1, Args: warren.Table{"x-cancel-on-ha-failover": true}}, 406, foreignArg("x-cancel-on-ha-failover")},
		"odd filter":            arg("x-stream-filter", 5, "{unacceptable_type,long}"),
		"odd filter in list":    arg("x-stream-filter", []any{"a", true}, "{unacceptable_type,bool}"),
		"odd match":             arg("x-stream-match-unfiltered", "yes", "{unacceptable_type,longstr}"),
		"odd offset":            arg("x-stream-offset", 2.5, "{invalid_stream_offset_arg,{unacceptable_type,double}}"),
		"void offset":           arg("x-stream-offset", nil, "{invalid_stream_offset_arg,{unacceptable_type,void}}"),
		"odd offset, no ack":    {warren.ConsumeOptions{NoAck: true, Args: warren.Table{"x-stream-offset": "5"}}, 406, badArg("x-stream-offset", `{invalid_stream_offset_arg,{longstr,<<"5">>}}`)},
	}
	for _, s := range []string{"", "First", "5", "0s", "-1s", "1x", "bogus"} {
		rules["offset "+s] = arg("x-stream-offset", s, `{invalid_stream_offset_arg,{longstr,<<"`+s+`">>}}`)
	}
	for name, c := range rules {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				streamOf(t, ch)
				_, err := ch.Consume("s", c.o)
				brokertest.Fails(t, err, c.code, 60, 20, c.text)
				require.Zero(t, b.Stats().Consumers)
			})
		})
	}
}

func TestAStreamTakesOffsetsInAllTheirForms(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		streamOf(t, brokertest.Channel(t, b), brokertest.Numbers(0, 4)...)
		for _, c := range []struct {
			offset any
			first  int
		}{
			{int8(3), 3}, {uint8(3), 3}, {int16(3), 3}, {uint16(3), 3}, {int32(3), 3}, {uint32(3), 3}, {int64(3), 3}, {3, 3},
			{"1s", 0}, {"5D", 0}, {"100Y", 0}, {"99999999999Y", 0}, {[]byte("last"), 4}, {time.Now(), 0},
		} {
			r := brokertest.Consume(t, brokertest.Channel(t, b), "s", warren.ConsumeOptions{Prefetch: 10, Args: warren.Table{"x-stream-offset": c.offset}})
			var bodies []string
			synctest.Wait()
			for range 5 - c.first {
				bodies = append(bodies, string(brokertest.Next(t, r).Body))
			}
			require.Equal(t, brokertest.Numbers(c.first, 4), bodies, "%T %v", c.offset, c.offset)
		}
	})
}

func TestExclusiveMeansNothingToAStream(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		streamOf(t, brokertest.Channel(t, b), "0")
		for range 2 {
			r := brokertest.Consume(t, brokertest.Channel(t, b), "s", warren.ConsumeOptions{Prefetch: 1, Exclusive: true, Offset: warren.StreamFirst()})
			require.Equal(t, "0", string(brokertest.Next(t, r).Body))
		}
	})
}

func TestStreamsHaveNoGetAndNoPurge(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch, "0")
		for _, autoAck := range []bool{false, true} {
			_, _, err := ch.Get("s", autoAck)
			brokertest.Fails(t, err, 540, 60, 70, "NOT_IMPLEMENTED - basic.get not supported by stream queues queue 's' in vhost '/'")
		}
		_, err := ch.QueuePurge("s")
		brokertest.Fails(t, err, 540, 50, 30, "NOT_IMPLEMENTED - queue.purge not supported by stream queues queue 's' in vhost '/'")
		require.Equal(t, 1, brokertest.Ready(t, ch, "s"))
	})
}

func TestAStreamIsDeletedAsItsConditionsSay(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch, "0", "1", "2")
		r := streamReader(t, b, warren.StreamFirst(), 2)
		require.Equal(t, "0", string(brokertest.Next(t, r).Body))
		_, err := ch.QueueDelete("s", warren.QueueDeleteOptions{IfUnused: true})
		brokertest.Fails(t, err, 406, 50, 40, "PRECONDITION_FAILED - queue 's' in vhost '/' in use")
		_, err = ch.QueueDelete("s", warren.QueueDeleteOptions{IfEmpty: true})
		brokertest.Fails(t, err, 406, 50, 40, "PRECONDITION_FAILED - queue 's' in vhost '/' not empty")
		n, err := ch.QueueDelete("s", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, 3, n)
		d, err := r.Next(t.Context())
		require.NoError(t, err, "what had arrived can be read")
		require.NoError(t, d.Ack(true))
		_, err = r.Next(t.Context())
		require.ErrorIs(t, err, warren.ErrConsumerCancelled)
		require.Zero(t, b.Stats().Bytes)
	})
}

func TestManyReadersGetEachMessageOnce(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		const messages = 1000
		streamOf(t, brokertest.Channel(t, b))
		got := make(chan []string, 10)
		for i := range 10 {
			c := streamReader(t, b, warren.StreamFirst(), 1+i*i)
			go func() {
				var list []string
				for d, err := range c.Deliveries(t.Context()) {
					if err != nil || d.Ack(false) != nil {
						break
					}
					if list = append(list, string(d.Body)); len(list) == messages {
						break
					}
				}
				got <- list
			}()
		}
		brokertest.Put(t, brokertest.Channel(t, b), "", "s", brokertest.Numbers(1, messages)...)
		for range 10 {
			require.Equal(t, brokertest.Numbers(1, messages), <-got)
		}
	})
}

func TestAStreamReaderThatDoesNotReadHoldsNobodyBack(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch)
		slow, stopped := streamReader(t, b, warren.StreamNext(), 2), brokertest.Channel(t, b)
		paused := brokertest.Consume(t, stopped, "s", warren.ConsumeOptions{Prefetch: 1000})
		require.NoError(t, stopped.Flow(false))
		fast := streamReader(t, b, warren.StreamNext(), 2)
		brokertest.Put(t, ch, "", "s", brokertest.Numbers(1, 600)...)
		require.Equal(t, brokertest.Numbers(1, 600), readAcking(t, fast))
		require.Equal(t, 2, b.Stats().Unacked, "of the slow one; it has no more in its mailbox")
		require.Empty(t, brokertest.Read(t, paused))
		require.NoError(t, stopped.Flow(true))
		require.Equal(t, brokertest.Numbers(1, 600), readAcking(t, paused))
		require.Equal(t, brokertest.Numbers(1, 600), readAcking(t, slow))
	})
}

func TestConsumersOfAStreamShareAChannelsLimit(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch, brokertest.Numbers(0, 9)...)
		require.NoError(t, ch.Qos(3, warren.QosOptions{Global: true}))
		r := brokertest.Consume(t, ch, "s", warren.ConsumeOptions{Offset: warren.StreamFirst(), Prefetch: 10})
		list := brokertest.Read(t, r)
		require.Equal(t, brokertest.Numbers(0, 2), brokertest.Bodies(list))
		require.NoError(t, list[2].Ack(true))
		require.Equal(t, brokertest.Numbers(3, 5), brokertest.Bodies(brokertest.Read(t, r)))
	})
}

func TestPublishingToAStreamIsAnswered(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch)
		require.NoError(t, ch.QueueBind("s", "k", "amq.topic", nil))
		require.NoError(t, brokertest.Send(ch, "amq.topic", "k", warren.Message{}, warren.PublishOptions{Mandatory: true}))
		require.ErrorIs(t, brokertest.Send(ch, "amq.topic", "other", warren.Message{}, warren.PublishOptions{Mandatory: true}), warren.ErrNoRoute)
		require.ErrorIs(t, brokertest.Send(ch, "", "s", warren.Message{}, warren.PublishOptions{Immediate: true}), warren.ErrNoConsumers)
		r := streamReader(t, b, warren.StreamNext(), 1)
		require.NoError(t, brokertest.Send(ch, "", "s", warren.Message{Body: []byte("now")}, warren.PublishOptions{Immediate: true}))
		require.Equal(t, "now", string(brokertest.Next(t, r).Body))
		require.NoError(t, ch.Confirm())
		require.NoError(t, brokertest.Send(ch, "", "s", warren.Message{}, warren.PublishOptions{}))

		tx := brokertest.Channel(t, b)
		require.NoError(t, tx.Tx())
		brokertest.Put(t, tx, "", "s", "held")
		require.Equal(t, 3, brokertest.Ready(t, ch, "s"))
		require.NoError(t, tx.TxCommit())
		require.Equal(t, 4, brokertest.Ready(t, ch, "s"))
	})
}

func TestDeadLettersGoIntoAStream(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		streamOf(t, ch)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "s"}, MessageTTL: time.Second})
		r := streamReader(t, b, warren.StreamNext(), 1)
		brokertest.Put(t, ch, "", "q", "m")
		time.Sleep(time.Second)
		d := brokertest.Next(t, r)
		require.Equal(t, "expired", d.Headers["x-first-death-reason"])
		require.Equal(t, int64(0), d.Headers["x-stream-offset"])
	})
}
