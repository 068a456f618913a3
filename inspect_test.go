package warren_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestQueuesShowThemselves(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		v, err := b.VirtualHost(warren.DefaultVirtualHost)
		require.NoError(t, err)
		s, err := v.Session()
		require.NoError(t, err)
		ch, err := s.Channel()
		require.NoError(t, err)
		require.NoError(t, v.PolicySet(warren.Policy{Name: "p", Pattern: "^jobs$", Definition: warren.Table{"max-length": 7}}))
		brokertest.Queue(t, ch, "mine", warren.QueueOptions{Exclusive: true, Expires: time.Hour})
		brokertest.Queue(t, ch, "jobs", warren.QueueOptions{Durable: true, MaxPriority: 3, SingleActiveConsumer: true})
		brokertest.Queue(t, ch, "log", warren.QueueOptions{Durable: true, Type: warren.Stream})
		brokertest.Fill(t, ch, "jobs", "one", "four")
		brokertest.Fill(t, ch, "log", "a", "b", "c")
		brokertest.Consume(t, ch, "jobs", warren.ConsumeOptions{Tag: "active", Prefetch: 1})
		brokertest.Consume(t, ch, "jobs", warren.ConsumeOptions{Tag: "other"})

		queues := v.Queues()
		require.Len(t, queues, 3)
		jobs, log, mine := queues[0], queues[1], queues[2]
		require.Equal(t, []string{"jobs", "log", "mine"}, []string{jobs.Name, log.Name, mine.Name}, "sorted by name")
		one, err := v.Queue("jobs")
		require.NoError(t, err)
		require.Equal(t, jobs, one)

		require.Equal(t, "/", jobs.VirtualHost)
		require.Equal(t, warren.Classic, jobs.Type)
		require.True(t, jobs.Durable)
		require.Equal(t, warren.Table{"x-max-priority": int64(3), "x-single-active-consumer": true}, jobs.Arguments)
		require.Equal(t, warren.EffectivePolicy{Policy: "p", Definition: warren.Table{"max-length": 7}}, jobs.Policy)
		require.Equal(t, 2, jobs.Consumers)
		require.Equal(t, "active", jobs.ActiveConsumer)
		require.Empty(t, jobs.Owner)
		require.Equal(t, []int{1, 1}, []int{jobs.Ready, jobs.Unacked})
		require.EqualValues(t, len("four"), jobs.ReadyBytes)
		require.Greater(t, jobs.Bytes, int64(len("onefour")))
		require.Equal(t, warren.QueueCounts{Published: 2, Delivered: 1}, jobs.QueueCounts)
		require.True(t, jobs.IdleSince.IsZero())
		require.Nil(t, jobs.Stream)

		require.Equal(t, warren.Stream, log.Type)
		require.Equal(t, &warren.StreamInfo{Segments: 1, FirstOffset: 0, NextOffset: 3}, log.Stream)
		require.Equal(t, 3, log.Ready)
		require.EqualValues(t, 3, log.ReadyBytes)

		require.True(t, mine.Exclusive)
		require.Equal(t, s.ID(), mine.Owner)
		require.Equal(t, time.Now(), mine.IdleSince, "time stands still in a bubble")
		brokertest.Consume(t, ch, "mine", warren.ConsumeOptions{Tag: "alone", Exclusive: true})
		mine, err = v.Queue("mine")
		require.NoError(t, err)
		require.Equal(t, "alone", mine.ExclusiveConsumer)
		require.True(t, mine.IdleSince.IsZero(), "it has a consumer")

		_, err = v.Queue("none")
		brokertest.FailsWith(t, err, 404, "NOT_FOUND - no queue 'none' in vhost '/'")
	})
}

func TestExchangesAndBindingsShowThemselves(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		v, err := b.VirtualHost(warren.DefaultVirtualHost)
		require.NoError(t, err)
		require.NoError(t, ch.ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Fanout, Durable: true}))
		require.NoError(t, ch.ExchangeDeclare("in", warren.Direct, warren.ExchangeOptions{Internal: true, AutoDelete: true}))
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "", "later", nil))
		require.NoError(t, ch.QueueBind("q", "a~b", "later", nil))
		require.NoError(t, ch.QueueBind("q", "a~b", "later", warren.Table{"x": "1"}))
		require.NoError(t, ch.QueueBind("q", "a~b", "later", warren.Table{"x": "2"}))
		require.NoError(t, ch.ExchangeBind("in", "k", "amq.direct", nil))
		require.NoError(t, ch.Publish(t.Context(), "later", "", warren.Message{Headers: warren.Table{warren.DelayHeader: 60_000}}, warren.PublishOptions{}))

		var names []string
		for _, x := range v.Exchanges() {
			names = append(names, x.Name)
		}
		require.Equal(t, []string{"", "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic", "in", "later"}, names)
		later, err := v.Exchange("later")
		require.NoError(t, err)
		require.Equal(t, warren.ExchangeInfo{
			Name: "later", VirtualHost: "/", Type: warren.DelayedMessage, Durable: true,
			Arguments: warren.Table{"x-delayed-type": "fanout"}, Bindings: 4, Delayed: 1,
		}, later)
		in, err := v.Exchange("in")
		require.NoError(t, err)
		require.True(t, in.Internal)
		require.True(t, in.AutoDelete)
		_, err = v.Exchange("none")
		brokertest.FailsWith(t, err, 404, "NOT_FOUND - no exchange 'none' in vhost '/'")

		bindings := v.Bindings()
		require.Len(t, bindings, 5, "those of the default exchange are left out")
		require.Equal(t, warren.BindingInfo{VirtualHost: "/", Source: "amq.direct", Destination: "in", RoutingKey: "k", Key: "k"}, bindings[0])
		keys := make(map[string]bool)
		for _, b := range bindings[1:] {
			require.True(t, b.ToQueue)
			keys[b.Key] = true
		}
		require.Len(t, keys, 4, "keys tell bindings apart")
		require.True(t, keys["~"] && keys["a%7Eb"])
	})
}

func TestExchangesAndChannelsCountWhileSomebodyWatches(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		v, err := b.VirtualHost(warren.DefaultVirtualHost)
		require.NoError(t, err)
		brokertest.Queues(t, ch, "q", "r")
		require.NoError(t, ch.QueueBind("q", "", "amq.fanout", nil))
		require.NoError(t, ch.QueueBind("r", "", "amq.fanout", nil))
		counts := func(exchange string) warren.ExchangeCounts {
			x, err := v.Exchange(exchange)
			require.NoError(t, err)
			return x.ExchangeCounts
		}
		brokertest.Put(t, ch, "amq.fanout", "", "x")
		require.Zero(t, counts("amq.fanout"), "nobody watches")

		stop, again := b.Watch(), b.Watch()
		again()
		again() // a second stop does nothing
		brokertest.Put(t, ch, "amq.fanout", "", "x", "y")
		brokertest.Fill(t, ch, "q", "z")
		brokertest.Put(t, ch, "amq.direct", "nowhere", "lost")
		require.Error(t, brokertest.Send(ch, "amq.direct", "nowhere", warren.Message{}, warren.PublishOptions{Mandatory: true}))
		brokertest.Handle(t, b, "echo", brokertest.Echo)
		_, err = b.Call(t.Context(), "echo", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, warren.ExchangeCounts{In: 2, Out: 4}, counts("amq.fanout"))
		require.Equal(t, warren.ExchangeCounts{In: 2}, counts("amq.direct"))
		require.Equal(t, warren.ExchangeCounts{In: 2, Out: 2}, counts(""), "one by the channel, one by the call")
		require.EqualValues(t, 6, b.Stats().Received)

		_, _, err = ch.Get("q", true)
		require.NoError(t, err)
		d, _, err := ch.Get("q", false)
		require.NoError(t, err)
		require.NoError(t, d.Ack(false))
		want := warren.ChannelCounts{Published: 5, Unroutable: 1, Returned: 1, Got: 2, GotNoAck: 1, Acked: 1}
		require.Equal(t, want, b.Channels()[0].ChannelCounts)
		require.Equal(t, want, b.Sessions()[0].ChannelCounts)

		// What a channel has counted outlives it.
		s, err := v.Session()
		require.NoError(t, err)
		for range 2 {
			ch, err := s.Channel()
			require.NoError(t, err)
			brokertest.Put(t, ch, "amq.fanout", "", "x")
			require.NoError(t, ch.Close())
		}
		require.Equal(t, warren.ExchangeCounts{In: 4, Out: 8}, counts("amq.fanout"))
		require.EqualValues(t, 2, b.Sessions()[1].Published)
		require.NoError(t, ch.ExchangeDeclare("x", warren.Fanout, warren.ExchangeOptions{}))
		brokertest.Put(t, ch, "x", "", "x")
		require.NoError(t, ch.Close())
		require.NoError(t, s.Close())
		require.EqualValues(t, 9, b.Stats().Received)
		stop()
		brokertest.Put(t, brokertest.Channel(t, b), "amq.fanout", "", "x")
		require.EqualValues(t, 9, b.Stats().Received)
	})
}

func TestAChannelCountsForManyExchanges(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		defer b.Watch()()
		v, err := b.VirtualHost(warren.DefaultVirtualHost)
		require.NoError(t, err)
		names := brokertest.Numbers(0, 200)
		for _, name := range names {
			require.NoError(t, ch.ExchangeDeclare("x"+name, warren.Fanout, warren.ExchangeOptions{}))
		}
		for range 3 {
			for _, name := range names {
				brokertest.Put(t, ch, "x"+name, "", "m")
			}
		}
		for _, name := range names {
			x, err := v.Exchange("x" + name)
			require.NoError(t, err)
			require.EqualValues(t, 3, x.In)
		}
		require.EqualValues(t, 3*len(names), b.Channels()[0].Published)
	})
}

func TestVirtualHostsShowThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := brokertest.New(t, nil)
		time.Sleep(time.Second)
		require.Equal(t, began, b.Started())
		other, err := b.VirtualHostDeclare("other")
		require.NoError(t, err)
		ch, err := other.Channel()
		require.NoError(t, err)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", "x")
		list := b.VirtualHosts()
		require.Len(t, list, 2)
		require.Equal(t, []string{"/", "other"}, []string{list[0].Name(), list[1].Name()})
		s := other.Stats()
		require.Equal(t, []int{1, 1, 1, 1}, []int{s.VirtualHosts, s.Sessions, s.Queues, s.Ready})
		require.Zero(t, list[0].Stats().Ready)
	})
}
