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

// gets reads messages, which may have to come from the disk first. Nothing comes after them.
func gets(t *testing.T, c *warren.Consumer, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		d, err := c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, body, string(d.Body))
	}
	_, err := c.Next(noWait)
	require.ErrorIs(t, err, context.Canceled)
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
	gets(t, second)
	require.NoError(t, first.Cancel())
	_, err = first.Next(noWait)
	require.ErrorIs(t, err, warren.ErrClosed)
	gets(t, second, "b")
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
	gets(t, reader, "a", "b")
}

func TestPublishConfirmOnClosedChannel(t *testing.T) {
	ch := channelsOfOneSession(t, 1)[0]
	require.NoError(t, ch.Close())
	_, err := ch.PublishConfirm(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{})
	require.ErrorIs(t, err, warren.ErrClosed)
}
