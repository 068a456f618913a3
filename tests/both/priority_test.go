package both_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// putPriorities publishes messages that say which priority they have; equal
// ones are numbered.
func (t *side) putPriorities(ch sideChannel, queue string, priorities ...uint8) {
	t.Helper()
	seen := map[uint8]int{}
	for _, p := range priorities {
		seen[p]++
		t.send(ch, queue, warren.Message{Body: fmt.Appendf(nil, "p%d.%d", p, seen[p]), Priority: p})
	}
}

func TestAPriorityQueueServesTheHighestPriorityFirst(t *testing.T) {
	eachOnBothSides(t, map[string]struct {
		most    any
		publish []uint8
		served  []string
	}{
		"and equals in order":              {5, []uint8{1, 2, 1, 2, 5}, []string{"p5.1", "p2.1", "p2.2", "p1.1", "p1.2"}},
		"and what is too high as highest":  {2, []uint8{1, 2, 9, 2, 255}, []string{"p2.1", "p9.1", "p2.2", "p255.1", "p1.1"}},
		"of 256":                           {255, []uint8{0, 255, 128, 0, 254}, []string{"p255.1", "p254.1", "p128.1", "p0.1", "p0.2"}},
		"of two":                           {1, []uint8{0, 1, 0, 7}, []string{"p1.1", "p7.1", "p0.1", "p0.2"}},
		"unless there is one only":         {0, []uint8{0, 5, 1}, []string{"p0.1", "p5.1", "p1.1"}},
		"unless it has none":               {nil, []uint8{0, 5, 1}, []string{"p0.1", "p5.1", "p1.1"}},
		"whatever integer the argument is": {int8(3), []uint8{1, 3}, []string{"p3.1", "p1.1"}},
	}, func(t *side, c struct {
		most    any
		publish []uint8
		served  []string
	}) {
		ch := t.open()
		o := warren.QueueOptions{}
		if c.most != nil {
			o.Args = warren.Table{"x-max-priority": c.most}
		}
		brokertest.Queue(t, ch, "q", o)
		t.putPriorities(ch, "q", c.publish...)
		state, err := ch.QueueDeclarePassive("q")
		require.NoError(t, err)
		require.Equal(t, len(c.publish), state.Messages)
		d := brokertest.Take(t, ch, "q")
		require.Equal(t, c.served[0], string(d.Body))
		require.Equal(t, len(c.publish)-1, d.MessageCount)
		require.Equal(t, c.served[1:], brokertest.Drain(t, ch, "q"))
	})
}

func TestAConsumerOfAPriorityQueue(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxPriority: 3})
		t.putPriorities(ch, "q", 1, 3, 2)
		consumer := t.consume(ch, "q", warren.ConsumeOptions{Prefetch: 2})
		require.Equal(t, []string{"p3.1", "p2.1"}, t.read(consumer))
		t.putPriorities(ch, "q", 3)
		require.Empty(t, t.read(consumer), "what is out stays out")
		require.NoError(t, ch.Ack(1, false))
		require.Equal(t, []string{"p3.1"}, t.read(consumer), "it overtakes what waits")
	})
}

func TestARequeuedMessageKeepsItsPlaceInItsPriority(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxPriority: 3})
		t.putPriorities(ch, "q", 1, 2, 1, 2)
		brokertest.Take(t, ch, "q")
		brokertest.Take(t, ch, "q")
		third := brokertest.Take(t, ch, "q")
		t.putPriorities(ch, "q", 2)
		require.NoError(t, ch.Nack(third.DeliveryTag, true, true))
		require.Equal(t, []string{"p2.1", "p2.2", "p2.1", "p1.1", "p1.2"}, brokertest.Drain(t, ch, "q"))
	})
}

// Like RabbitMQ, a queue looks for expired messages where it is served next.
func TestALowPriorityExpiresWhenItIsNext(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxPriority: 5})
		t.send(ch, "q", warren.Message{Body: []byte("low"), Priority: 1, Expiration: "1000"})
		t.send(ch, "q", warren.Message{Body: []byte("high"), Priority: 4})
		brokertest.Later(time.Hour)
		require.Equal(t, 2, t.ready())
		high := brokertest.Take(t, ch, "q")
		require.Equal(t, "high", string(high.Body))
		require.Zero(t, t.ready())

		t.send(ch, "q", warren.Message{Body: []byte("low"), Priority: 1})
		t.send(ch, "q", warren.Message{Body: []byte("high"), Priority: 4, Expiration: "1000"})
		brokertest.Later(time.Second)
		require.Equal(t, []string{"low"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestPurgeOfAPriorityQueue(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxPriority: 9})
		t.putPriorities(ch, "q", 9, 0, 4)
		n, err := ch.QueuePurge("q")
		require.NoError(t, err)
		require.Equal(t, 3, n)
		t.putPriorities(ch, "q", 0, 4)
		require.Equal(t, []string{"p4.1", "p0.1"}, brokertest.Drain(t, ch, "q"))
	})
}
