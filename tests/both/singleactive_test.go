package both_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestOneConsumerAtATimeIsActive(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{SingleActiveConsumer: true})
		first := t.consume(t.open(), "q", warren.ConsumeOptions{Prefetch: 1})
		second := t.consume(t.open(), "q", warren.ConsumeOptions{})
		third := t.consume(t.open(), "q", warren.ConsumeOptions{Priority: 10})
		t.put(ch, "q", "1", "2", "3")
		require.Equal(t, []string{"1"}, t.read(first))
		require.Empty(t, t.read(second), "the others wait, even if the active one has no room")
		require.Empty(t, t.read(third), "and if they have a higher priority")
		require.Equal(t, 3, t.broker.Stats().Consumers)
	})
}

// leavings are the ways to be no consumer any more, and what the next one
// gets: what its predecessor has not settled, at once or later.
var leavings = map[string]struct {
	leave func(t *side, ch sideChannel)
	next  []string
}{
	"cancel":                 {func(t *side, ch sideChannel) { require.NoError(t, ch.Cancel("active")) }, []string{"3", "4"}},
	"close":                  {func(t *side, ch sideChannel) { require.NoError(t, ch.Close()) }, []string{"1'", "2'", "3", "4"}},
	"loss of the connection": {func(t *side, ch sideChannel) { ch.Lose() }, []string{"1'", "2'", "3", "4"}},
	"an error": {func(t *side, ch sideChannel) {
		if ch.Ack(99, false); t.native { // where an error closes nothing
			ch.Close()
		}
	}, []string{"1'", "2'", "3", "4"}},
}

func TestTheNextConsumerBecomesActive(t *testing.T) {
	eachOnBothSides(t, leavings, func(t *side, c struct {
		leave func(t *side, ch sideChannel)
		next  []string
	}) {
		ch, leaving := t.open(), t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{SingleActiveConsumer: true})
		active := t.consume(leaving, "q", warren.ConsumeOptions{Tag: "active", Prefetch: 2})
		last := t.consume(t.open(), "q", warren.ConsumeOptions{Priority: -1})
		next := t.consume(t.open(), "q", warren.ConsumeOptions{})
		later := t.consume(t.open(), "q", warren.ConsumeOptions{})
		t.put(ch, "q", "1", "2", "3", "4")
		require.Equal(t, []string{"1", "2"}, t.read(active))
		c.leave(t, leaving)
		require.Equal(t, c.next, t.read(next), "in order")
		require.Empty(t, t.read(last), "the highest priority is the next")
		require.Empty(t, t.read(later), "and of equal ones the oldest")
		require.Equal(t, 3, t.broker.Stats().Consumers)
	})
}

func TestWhatTheActiveConsumerHadComesBackAfterItsCancel(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch, leaving := t.open(), t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{SingleActiveConsumer: true})
		active := t.consume(leaving, "q", warren.ConsumeOptions{Tag: "active", Prefetch: 2})
		next := t.consume(t.open(), "q", warren.ConsumeOptions{})
		t.put(ch, "q", "1", "2")
		require.Equal(t, []string{"1", "2"}, t.read(active))
		require.NoError(t, leaving.Cancel("active"))
		require.Empty(t, t.read(next))
		require.NoError(t, leaving.Ack(1, false), "it can still settle")
		require.NoError(t, leaving.Nack(2, false, true))
		require.Equal(t, []string{"2'"}, t.read(next))
	})
}

func TestConsumersThatWaitMayLeave(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch, waiting := t.open(), t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{SingleActiveConsumer: true, AutoDelete: true})
		active := t.consume(ch, "q", warren.ConsumeOptions{Tag: "active"})
		t.consume(waiting, "q", warren.ConsumeOptions{})
		waiting.Lose()
		t.put(ch, "q", "1")
		require.Equal(t, []string{"1"}, t.read(active))
		require.NoError(t, ch.Cancel("active"))
		require.Zero(t, t.broker.Stats().Queues, "nobody is left")
	})
}

func TestAQueueWithASingleActiveConsumerRefuses(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{SingleActiveConsumer: true})
		brokertest.Queue(t, ch, "quorum", warren.QueueOptions{
			Durable: true, SingleActiveConsumer: true, Args: warren.Table{"x-queue-type": "quorum"},
		})
		t.put(ch, "q", "1")
		t.refuses(403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", func(ch sideChannel) error {
			_, err := ch.Consume("q", warren.ConsumeOptions{Exclusive: true})
			return err
		})
		for queue, kind := range map[string]string{"q": "classic", "quorum": "quorum"} {
			for _, autoAck := range []bool{false, true} {
				t.refuses(405, "RESOURCE_LOCKED - cannot obtain access to locked queue '"+queue+"' in vhost '/'. basic.get operations are not supported by "+kind+" queues with single active consumer", func(ch sideChannel) error {
					_, _, err := ch.Get(queue, autoAck)
					return err
				})
			}
		}
		require.Equal(t, []string{"1"}, t.read(t.consume(ch, "q", warren.ConsumeOptions{})))
	})
}

func TestImmediateMeansTheActiveConsumer(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{SingleActiveConsumer: true})
		t.consume(t.open(), "q", warren.ConsumeOptions{Prefetch: 1})
		t.consume(t.open(), "q", warren.ConsumeOptions{})
		t.put(ch, "q", "1")
		require.ErrorIs(t, ch.Publish("", "q", warren.Message{}, warren.PublishOptions{Immediate: true}), warren.ErrNoConsumers)
	})
}
