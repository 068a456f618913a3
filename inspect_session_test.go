package warren_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestSessionsAndChannelsShowThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := brokertest.New(t, nil)
		v, err := b.VirtualHost(warren.DefaultVirtualHost)
		require.NoError(t, err)
		opened := time.Now()
		s, err := v.SessionFor(warren.Guest)
		require.NoError(t, err)
		time.Sleep(time.Second)
		ch, err := s.Channel()
		require.NoError(t, err)
		later, err := b.Session()
		require.NoError(t, err)
		brokertest.Queue(t, ch, "mine", warren.QueueOptions{Exclusive: true})
		brokertest.Fill(t, ch, "mine", "a", "b", "c")
		require.NoError(t, ch.Qos(10, warren.QosOptions{}))
		c := brokertest.Consume(t, ch, "mine", warren.ConsumeOptions{Tag: "c"})
		brokertest.Next(t, c)
		require.NoError(t, ch.Confirm())
		require.NoError(t, brokertest.Send(ch, "", "none", warren.Message{}, warren.PublishOptions{}))
		require.NoError(t, ch.Flow(false))

		tx, err := s.Channel()
		require.NoError(t, err)
		require.NoError(t, tx.Tx())
		brokertest.Put(t, tx, "", "mine", "held")

		sessions := b.Sessions()
		require.Len(t, sessions, 2)
		require.Equal(t, warren.SessionInfo{
			ID: s.ID(), VirtualHost: "/", User: "guest", Opened: opened, Channels: 2, Queues: 1,
			ChannelCounts: warren.ChannelCounts{Delivered: 3},
		}, sessions[0])
		require.Equal(t, later.ID(), sessions[1].ID)
		channels := b.Channels()
		require.Len(t, channels, 2)
		require.Equal(t, warren.ChannelInfo{
			Session: s.ID(), Number: 1, VirtualHost: "/", User: "guest", Confirms: true, Stopped: true, Prefetch: 10,
			Consumers: 1, Unacked: 1, ChannelCounts: warren.ChannelCounts{Delivered: 3},
		}, channels[0])
		require.True(t, channels[1].Transactional)
		require.Equal(t, 1, channels[1].Uncommitted)
		require.EqualValues(t, 1, b.Stats().Confirmed)
	})
}

func TestConsumersShowThemselves(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		v, err := b.VirtualHost(warren.DefaultVirtualHost)
		require.NoError(t, err)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", "a", "b")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "c", Prefetch: 5, Priority: 2})
		d := brokertest.Next(t, c)
		require.NoError(t, d.Ack(false))
		brokertest.Next(t, c)
		replies := brokertest.Consume(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		brokertest.Handle(t, b, "echo", brokertest.Echo, warren.HandleOptions{Concurrency: 3})
		_, err = b.Call(t.Context(), "echo", warren.Message{})
		require.NoError(t, err)
		synctest.Wait()

		id := b.Sessions()[0].ID
		list := v.Consumers()
		require.Len(t, list, 3)
		require.Equal(t, warren.ConsumerInfo{
			Tag: replies.Tag(), Queue: warren.DirectReplyTo, VirtualHost: "/", Session: id, Channel: 1, Reply: true, NoAck: true, Active: true,
		}, list[0])
		handler := list[1]
		require.NotEmpty(t, handler.Tag)
		handler.Tag = ""
		require.Equal(t, warren.ConsumerInfo{
			Queue: "echo", VirtualHost: "/", Handler: true, Active: true, Prefetch: 3, Delivered: 1, Acked: 1,
		}, handler)
		require.Equal(t, warren.ConsumerInfo{
			Tag: "c", Queue: "q", VirtualHost: "/", Session: id, Channel: 1, Active: true, Priority: 2, Prefetch: 5, Unacked: 1, Delivered: 2, Acked: 1,
		}, list[2])

		// What a consumer has counted outlives it, without what nobody has read.
		brokertest.Fill(t, ch, "q", "unread")
		require.NoError(t, c.Cancel())
		require.NoError(t, c.Cancel())
		counts := b.Channels()[0].ChannelCounts
		require.EqualValues(t, 2, counts.Delivered)
		require.EqualValues(t, 1, counts.Acked)
	})
}

func TestASessionIsClosedFromOutside(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		id := b.Sessions()[0].ID
		brokertest.FailsWith(t, b.SessionClose("none", "x"), 404, "NOT_FOUND - no session 'none'")
		require.NoError(t, b.SessionClose(id, "closed by hand"))
		require.ErrorIs(t, ch.QueueBind("q", "", "amq.fanout", nil), warren.ErrClosed)
		require.Empty(t, b.Sessions())
		brokertest.FailsWith(t, b.SessionClose(id, "x"), 404, "NOT_FOUND - no session '"+id+"'")
	})
}

func TestAChannelIsClosedFromOutside(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", "x")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
		brokertest.Next(t, c)
		id := b.Sessions()[0].ID
		brokertest.FailsWith(t, b.ChannelClose(id, 2, "x"), 404, "NOT_FOUND - no channel '2'")
		require.NoError(t, b.ChannelClose(id, 1, "closed by hand"))
		_, err := c.Next(t.Context())
		require.ErrorIs(t, err, warren.ErrClosed)
		brokertest.FailsWith(t, err, 406, "PRECONDITION_FAILED - closed by hand")
		require.Empty(t, b.Channels())
		require.Equal(t, 1, b.Stats().Ready, "what was not settled is in its queue again")
	})
}

func TestAConsumerIsCancelledFromOutside(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", "x", "y")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "c"})
		d := brokertest.Next(t, c)
		id := b.Sessions()[0].ID
		brokertest.FailsWith(t, b.ConsumerCancel(id, 1, "d"), 404, "NOT_FOUND - no consumer 'd'")
		require.NoError(t, b.ConsumerCancel(id, 1, "c"))
		_, err := c.Next(t.Context())
		require.ErrorIs(t, err, warren.ErrConsumerCancelled)
		require.Equal(t, []int{1, 1}, []int{b.Stats().Ready, b.Stats().Unacked})
		require.NoError(t, d.Ack(false), "what was read stays with the channel")
		brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Tag: "c"}) // the tag is free again

		r := brokertest.Consume(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		require.NoError(t, b.ConsumerCancel(id, 1, r.Tag()))
		_, err = r.Next(t.Context())
		require.ErrorIs(t, err, warren.ErrConsumerCancelled)
	})
}
