package both_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// It is kept once, so nothing of a queue is out of its reach.
func TestAQuorumQueueIsAQueueLikeAnyOther(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		o := warren.QueueOptions{Type: warren.Quorum, MaxPriority: 3, DeliveryLimit: 1, DeadLetter: t.deadLetters(ch)}
		brokertest.Queue(t, ch, "q", o)
		t.send(ch, "q", warren.Message{Body: []byte("low"), Priority: 1})
		t.send(ch, "q", warren.Message{Body: []byte("high"), Priority: 3})
		for range 2 {
			d := brokertest.Take(t, ch, "q")
			require.Equal(t, "high", string(d.Body))
			require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
		}
		require.Equal(t, []string{"high"}, brokertest.Drain(t, ch, "dead"))
		require.Equal(t, []string{"low"}, brokertest.Drain(t, ch, "q"))
		t.refuses(406, "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received none but current is the value 'quorum' of type 'longstr'", func(ch sideChannel) error {
			o := o
			o.Type = ""
			_, err := ch.QueueDeclare("q", o)
			return err
		})
	})
}
