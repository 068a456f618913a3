package queue

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/message"
)

// keeper is the sink of a consumer whose channel is closed.
type keeper struct {
	taker
	c *Consumer
}

func (k *keeper) Deliver(it message.Item) *mailbox.Mailbox {
	k.c.Keep(&it)
	return nil
}

// A message that a closed channel could not send comes back redelivered, since
// others may have got later ones meanwhile: what is not redelivered keeps its order.
func TestWhatAClosedChannelCouldNotSendComesBackRedelivered(t *testing.T) {
	for _, noAck := range []bool{false, true} {
		shared := &Shared{Clock: clock.Start()}
		shared.Memory.Init(-1, false, nil)
		q := &Queue{}
		q.Init("q", noHost{}, shared, &Options{})
		sink := &keeper{}
		sink.c = NewConsumer(q, sink, &ConsumerOptions{Direct: true, Prefetch: 1, NoAck: noAck})
		require.NoError(t, q.Add(sink.c))
		_, err := q.Push(&message.Publishing{})
		require.NoError(t, err)

		sink.c.Remove(nil)
		d, _, ok, err := q.Get(false, nil)
		require.NoError(t, err)
		require.True(t, ok)
		require.True(t, d.Item.Redelivered)
		require.EqualValues(t, 1, q.counts.Redelivered, "what was not sent is not counted")
		require.EqualValues(t, 1, q.counts.Delivered)
	}
}
