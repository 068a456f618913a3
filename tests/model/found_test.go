package model_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// Histories in which the broker once differed from the model, as short as
// they can be.

func channelsOfOneSession(t *testing.T, n int) []*warren.Channel {
	s := brokertest.Session(t, brokertest.New(t, nil))
	list := make([]*warren.Channel, n)
	for i := range list {
		list[i] = brokertest.Channel(t, s)
	}
	return list
}

func declareWith(t *testing.T, ch *warren.Channel, name string, bodies ...string) {
	brokertest.Queues(t, ch, name)
	brokertest.Fill(t, ch, name, bodies...)
}

// read reads until nothing is there.
func read(t *testing.T, c *warren.Consumer) (bodies []string) {
	for {
		d, err := c.Next(noWait)
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			return bodies
		}
		bodies = append(bodies, string(d.Body))
	}
}

func TestNothingIsReadOnceTheChannelIsClosed(t *testing.T) {
	ch := channelsOfOneSession(t, 1)[0]
	declareWith(t, ch, "q")
	c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{NoAck: true})
	brokertest.Fill(t, ch, "q", "a")
	_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
	require.NoError(t, err)
	require.NoError(t, ch.Close())
	_, err = c.Next(noWait)
	require.ErrorIs(t, err, warren.ErrClosed)
}

func TestCancelAfterTheQueueWasDeletedGivesBackSharedRoom(t *testing.T) {
	ch := channelsOfOneSession(t, 1)[0]
	require.NoError(t, ch.Qos(1, warren.QosOptions{Global: true}))
	declareWith(t, ch, "q1", "a")
	declareWith(t, ch, "q2", "b")
	first := brokertest.Consume(t, ch, "q1", warren.ConsumeOptions{})
	second := brokertest.Consume(t, ch, "q2", warren.ConsumeOptions{})
	_, err := ch.QueueDelete("q1", warren.QueueDeleteOptions{})
	require.NoError(t, err)
	require.Empty(t, read(t, second))
	require.NoError(t, first.Cancel())
	_, err = first.Next(noWait)
	require.ErrorIs(t, err, warren.ErrClosed)
	require.Equal(t, []string{"b"}, read(t, second))
}

func TestFlowOnServesTheOldestConsumerFirst(t *testing.T) {
	for range 20 { // what goes over a map is right now and then
		list := channelsOfOneSession(t, 1)
		ch := list[0]
		declareWith(t, ch, "q")
		var consumers []*warren.Consumer
		for range 3 {
			consumers = append(consumers, brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1}))
		}
		require.NoError(t, ch.Flow(false))
		brokertest.Fill(t, ch, "q", "a", "b", "c")
		require.NoError(t, ch.Flow(true))
		require.Equal(t, []string{"a"}, read(t, consumers[0]))
		require.Equal(t, []string{"b"}, read(t, consumers[1]))
		require.Equal(t, []string{"c"}, read(t, consumers[2]))
	}
}

// The transaction's deliveries come back in the order they were given out,
// too, although another consumer takes what comes first.
func TestCloseGivesBackInOrderWhatATransactionHeld(t *testing.T) {
	list := channelsOfOneSession(t, 2)
	ch, other := list[0], list[1]
	declareWith(t, ch, "q")
	c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
	brokertest.Fill(t, ch, "q", "a", "b")
	_, err := c.Next(noWait)
	require.NoError(t, err)
	d, ok, err := ch.Get("q", false)
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, ch.Tx())
	require.NoError(t, d.Ack(false))
	reader := brokertest.Consume(t, other, "q", warren.ConsumeOptions{})
	require.NoError(t, ch.Close())
	require.Equal(t, []string{"a", "b"}, read(t, reader))
}

func TestPublishConfirmOnClosedChannel(t *testing.T) {
	ch := channelsOfOneSession(t, 1)[0]
	require.NoError(t, ch.Close())
	_, err := ch.PublishConfirm(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{})
	require.ErrorIs(t, err, warren.ErrClosed)
}
