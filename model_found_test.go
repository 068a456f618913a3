package warren_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// Histories in which the broker once differed from the model, as short as
// they can be.

func mbBrokerChannels(t *testing.T, n int) []*warren.Channel {
	b := warren.New(nil)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	s, err := b.Session()
	require.NoError(t, err)
	list := make([]*warren.Channel, n)
	for i := range list {
		list[i], err = s.Channel()
		require.NoError(t, err)
	}
	return list
}

func mbDeclare(t *testing.T, ch *warren.Channel, name string, bodies ...string) {
	_, err := ch.QueueDeclare(name, warren.QueueOptions{})
	require.NoError(t, err)
	mbPublish(t, ch, name, bodies...)
}

func mbPublish(t *testing.T, ch *warren.Channel, queue string, bodies ...string) {
	for _, body := range bodies {
		err := ch.Publish(t.Context(), "", queue, warren.Message{Body: []byte(body)}, warren.PublishOptions{Mandatory: true})
		require.NoError(t, err)
	}
}

func mbConsume(t *testing.T, ch *warren.Channel, queue string, o warren.ConsumeOptions) *warren.Consumer {
	c, err := ch.Consume(queue, o)
	require.NoError(t, err)
	return c
}

// mbRead reads until nothing is there.
func mbRead(t *testing.T, c *warren.Consumer) (bodies []string) {
	for {
		d, err := c.Next(mbNoWait)
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			return bodies
		}
		bodies = append(bodies, string(d.Body))
	}
}

// mbNoWait makes Consumer.Next return at once.
var mbNoWait = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

func TestNothingIsReadOnceTheChannelIsClosed(t *testing.T) {
	ch := mbBrokerChannels(t, 1)[0]
	mbDeclare(t, ch, "q")
	c := mbConsume(t, ch, "q", warren.ConsumeOptions{NoAck: true})
	mbPublish(t, ch, "q", "a")
	_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
	require.NoError(t, err)
	require.NoError(t, ch.Close())
	_, err = c.Next(mbNoWait)
	require.ErrorIs(t, err, warren.ErrClosed)
}

func TestCancelAfterTheQueueWasDeletedGivesBackSharedRoom(t *testing.T) {
	ch := mbBrokerChannels(t, 1)[0]
	require.NoError(t, ch.Qos(1, warren.QosOptions{Global: true}))
	mbDeclare(t, ch, "q1", "a")
	mbDeclare(t, ch, "q2", "b")
	first := mbConsume(t, ch, "q1", warren.ConsumeOptions{})
	second := mbConsume(t, ch, "q2", warren.ConsumeOptions{})
	_, err := ch.QueueDelete("q1", warren.QueueDeleteOptions{})
	require.NoError(t, err)
	require.Empty(t, mbRead(t, second))
	require.NoError(t, first.Cancel())
	_, err = first.Next(mbNoWait)
	require.ErrorIs(t, err, warren.ErrClosed)
	require.Equal(t, []string{"b"}, mbRead(t, second))
}

func TestFlowOnServesTheOldestConsumerFirst(t *testing.T) {
	for range 20 { // what goes over a map is right now and then
		list := mbBrokerChannels(t, 1)
		ch := list[0]
		mbDeclare(t, ch, "q")
		var consumers []*warren.Consumer
		for range 3 {
			consumers = append(consumers, mbConsume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1}))
		}
		require.NoError(t, ch.Flow(false))
		mbPublish(t, ch, "q", "a", "b", "c")
		require.NoError(t, ch.Flow(true))
		require.Equal(t, []string{"a"}, mbRead(t, consumers[0]))
		require.Equal(t, []string{"b"}, mbRead(t, consumers[1]))
		require.Equal(t, []string{"c"}, mbRead(t, consumers[2]))
	}
}

// The transaction's deliveries come back in the order they were given out,
// too, although another consumer takes what comes first.
func TestCloseGivesBackInOrderWhatATransactionHeld(t *testing.T) {
	list := mbBrokerChannels(t, 2)
	ch, other := list[0], list[1]
	mbDeclare(t, ch, "q")
	c := mbConsume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
	mbPublish(t, ch, "q", "a", "b")
	_, err := c.Next(mbNoWait)
	require.NoError(t, err)
	d, ok, err := ch.Get("q", false)
	require.NoError(t, err)
	require.True(t, ok)
	require.NoError(t, ch.Tx())
	require.NoError(t, d.Ack(false))
	reader := mbConsume(t, other, "q", warren.ConsumeOptions{})
	require.NoError(t, ch.Close())
	require.Equal(t, []string{"a", "b"}, mbRead(t, reader))
}

func TestPublishConfirmOnClosedChannel(t *testing.T) {
	ch := mbBrokerChannels(t, 1)[0]
	require.NoError(t, ch.Close())
	_, err := ch.PublishConfirm(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{})
	require.ErrorIs(t, err, warren.ErrClosed)
}
