package warren_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestStatsOfAnEmptyBroker(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		// The default exchange and the five that AMQP brokers predeclare.
		require.Equal(t, warren.Stats{VirtualHosts: 1, Exchanges: 6}, b.Stats())
		_, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		require.Equal(t, warren.Stats{VirtualHosts: 2, Exchanges: 12}, b.Stats())
		require.NoError(t, b.VirtualHostDelete("v"))
		require.Equal(t, warren.Stats{VirtualHosts: 1, Exchanges: 6}, b.Stats())
	})
}

func TestStatsFollowAMessage(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Fill(t, ch, "q", "1", "2", "3")
		s := b.Stats()
		require.Equal(t, 1, s.Sessions)
		require.Equal(t, 1, s.Queues)
		require.Equal(t, 3, s.Ready)
		require.Positive(t, s.Bytes)
		require.Equal(t, warren.QueueCounts{Published: 3}, s.QueueCounts)

		d, _, err := ch.Get("q", false)
		require.NoError(t, err)
		require.NoError(t, d.Nack(false, true))
		d, _, err = ch.Get("q", false)
		require.NoError(t, err)
		require.Equal(t, 1, b.Stats().Unacked)
		require.Equal(t, warren.QueueCounts{Published: 3, Delivered: 2, Got: 2, Redelivered: 1}, b.Stats().QueueCounts)
		require.NoError(t, d.Ack(false))
		_, _, err = ch.Get("q", true)
		require.NoError(t, err)
		d, _, err = ch.Get("q", false)
		require.NoError(t, err)
		require.NoError(t, d.Reject(false))
		end := warren.QueueCounts{Published: 3, Delivered: 4, NoAck: 1, Got: 4, GotNoAck: 1, Redelivered: 1, Acked: 2, Dropped: 1}
		require.Equal(t, end, b.Stats().QueueCounts)

		// What a queue has counted outlives it.
		_, err = ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, end, b.Stats().QueueCounts)
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{}))
		require.EqualValues(t, 1, b.Stats().Unroutable)
		require.Error(t, ch.Publish(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{Mandatory: true}))
		require.EqualValues(t, 1, b.Stats().Unroutable)
		require.EqualValues(t, 1, b.Stats().Returned)
	})
}

func TestStatsOfRequesters(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{ReplyBuffer: 2}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		c, err := ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		call := brokertest.Call(ctx, b, "q", "call")
		synctest.Wait()
		require.NoError(t, ch.Publish(ctx, "", "q", warren.Message{ReplyTo: warren.DirectReplyTo}, warren.PublishOptions{}))
		require.Equal(t, 2, b.Stats().Requesters)
		require.Zero(t, b.Stats().Consumers)

		first, _, err := ch.Get("q", true)
		require.NoError(t, err)
		second, _, err := ch.Get("q", true)
		require.NoError(t, err)
		cancel()
		require.ErrorIs(t, (<-call).Err, context.Canceled)
		require.Equal(t, 1, b.Stats().Requesters)
		reply := func(to string) {
			require.NoError(t, ch.Publish(t.Context(), "", to, warren.Message{}, warren.PublishOptions{}))
		}
		reply(first.ReplyTo)
		for range 3 {
			reply(second.ReplyTo)
		}
		s := b.Stats()
		require.EqualValues(t, 2, s.Replies)
		require.EqualValues(t, 1, s.RepliesTooLate)
		require.EqualValues(t, 1, s.RepliesTooFast)
		require.Zero(t, s.Unroutable, "a dropped reply is no unroutable message")
		require.Zero(t, s.Requesters, "the slow one was cancelled")
		for range 2 {
			_, err = c.Next(t.Context())
			require.NoError(t, err)
		}
		_, err = c.Next(t.Context())
		require.ErrorIs(t, err, warren.ErrSlowConsumer)
	})
}

// No table keeps an entry of what has come and gone.
func TestNothingStaysOfWhatHasGone(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		for range 20 {
			s, err := b.Session()
			require.NoError(t, err)
			ch := brokertest.Channel(t, s)
			brokertest.Queue(t, ch, "own", warren.QueueOptions{Exclusive: true})
			require.NoError(t, ch.ExchangeDeclare("x", warren.Fanout, warren.ExchangeOptions{AutoDelete: true}))
			require.NoError(t, ch.QueueBind("own", "", "x", nil))
			require.NoError(t, ch.Publish(t.Context(), "x", "", warren.Message{}, warren.PublishOptions{Mandatory: true}))
			_, err = ch.Consume("own", warren.ConsumeOptions{})
			require.NoError(t, err)
			_, err = ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
			require.NoError(t, err)
			h := brokertest.Handle(t, b, "rpc", brokertest.Echo)
			_, err = b.Call(t.Context(), "rpc", warren.Message{})
			require.NoError(t, err)
			_, err = b.Call(t.Context(), "nobody", warren.Message{})
			require.ErrorIs(t, err, warren.ErrNoRoute)
			require.NoError(t, h.Close())
			require.NoError(t, s.Close())
		}
		synctest.Wait()
		s := b.Stats()
		require.Equal(t, warren.Stats{
			VirtualHosts: 1, Exchanges: 6,
			QueueCounts: s.QueueCounts, Returned: 20, Replies: 20,
			SessionsOpened: 20, SessionsClosed: 20, ChannelsOpened: 20, ChannelsClosed: 20,
			QueuesDeclared: 40, QueuesDeleted: 40,
		}, s)
		require.EqualValues(t, 40, s.Published)
	})
}
