package both_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

const halfHour = 30 * time.Minute

// How a channel comes to have an unsettled delivery.
var givers = map[string]func(t *side, ch sideChannel) warren.Delivery{
	"by a consumer": func(t *side, ch sideChannel) warren.Delivery {
		d, ok := t.consume(ch, "q", warren.ConsumeOptions{Tag: "c"}).next()
		require.True(t, ok)
		return d
	},
	"by get": func(t *side, ch sideChannel) warren.Delivery { return brokertest.Take(t, ch, "q") },
}

func TestAChannelThatDoesNotSettleInTimeIsClosed(t *testing.T) {
	eachOnBothSides(t, givers, func(t *side, give func(t *side, ch sideChannel) warren.Delivery) {
		ch, other := t.open(), t.open()
		brokertest.Queue(t, other, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
		t.put(other, "q", "1", "2")
		give(t, ch)
		brokertest.Later(halfHour - time.Millisecond)
		require.NoError(t, ch.Closed())
		brokertest.Later(time.Millisecond)
		brokertest.FailsWith(t, ch.Closed(), 406, brokertest.Overdue(halfHour))
		d := brokertest.Take(t, other, "q")
		require.Equal(t, "1", string(d.Body), "it returns to its place")
		require.True(t, d.Redelivered)
		require.Equal(t, []string{"2"}, brokertest.Drain(t, other, "q"))
		require.NoError(t, other.Closed(), "others go on")
	})
}

func TestADeliveryIsSettledInTime(t *testing.T) {
	settle := map[string]func(ch sideChannel, tag uint64) error{
		"ack":     func(ch sideChannel, tag uint64) error { return ch.Ack(tag, false) },
		"nack":    func(ch sideChannel, tag uint64) error { return ch.Nack(tag, true, false) },
		"reject":  func(ch sideChannel, tag uint64) error { return ch.Reject(tag, false) },
		"recover": func(ch sideChannel, tag uint64) error { return errors.Join(ch.Cancel("c"), ch.Recover(true)) },
	}
	eachOnBothSides(t, settle, func(t *side, settle func(ch sideChannel, tag uint64) error) {
		for _, give := range givers {
			ch := t.open()
			brokertest.Queue(t, ch, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
			t.put(ch, "q", "1")
			d := give(t, ch)
			brokertest.Later(halfHour - time.Millisecond)
			require.NoError(t, settle(ch, d.DeliveryTag))
			brokertest.Later(2 * halfHour)
			require.NoError(t, ch.Closed())
			require.NoError(t, ch.Close())
			_, err := t.open().QueueDelete("q", warren.QueueDeleteOptions{})
			require.NoError(t, err)
		}
	})
}

// Each delivery has its own time, and each queue its own timeout: the first
// that is late ends the channel.
func TestTheFirstLateDeliveryCounts(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "slow", warren.QueueOptions{ConsumerTimeout: 2 * halfHour})
		brokertest.Queue(t, ch, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
		brokertest.Queues(t, ch, "free")
		t.put(ch, "free", "1")
		t.put(ch, "slow", "2")
		t.put(ch, "q", "3", "4", "5")
		brokertest.Take(t, ch, "free")
		brokertest.Take(t, ch, "slow")
		first := brokertest.Take(t, ch, "q")
		brokertest.Later(time.Minute)
		second := brokertest.Take(t, ch, "q")
		brokertest.Later(time.Minute)
		brokertest.Take(t, ch, "q")
		require.NoError(t, ch.Ack(first.DeliveryTag, false))
		brokertest.Later(halfHour - 2*time.Minute)
		require.NoError(t, ch.Closed(), "the first was acked")
		require.NoError(t, ch.Ack(second.DeliveryTag, false))
		brokertest.Later(2*time.Minute - time.Millisecond)
		require.NoError(t, ch.Closed(), "the second, too")
		brokertest.Later(time.Millisecond)
		brokertest.FailsWith(t, ch.Closed(), 406, brokertest.Overdue(halfHour))
		require.Equal(t, 3, t.ready())
	})
}

func TestWhatNeedsNoAckIsNeverLate(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
		t.put(ch, "q", "1", "2")
		require.Equal(t, []string{"1", "2"}, t.read(t.consume(ch, "q", warren.ConsumeOptions{NoAck: true, Tag: "c"})))
		require.NoError(t, ch.Cancel("c"))
		t.put(ch, "q", "3")
		require.Equal(t, []string{"3"}, brokertest.Drain(t, ch, "q"))
		brokertest.Later(24 * time.Hour)
		require.NoError(t, ch.Closed())
	})
}

func TestWithoutATimeoutADeliveryIsNeverLate(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch := t.open()
		brokertest.Queues(t, ch, "q")
		brokertest.Queue(t, ch, "zero", warren.QueueOptions{Args: warren.Table{"x-consumer-timeout": 0}})
		t.put(ch, "q", "1")
		t.put(ch, "zero", "1")
		brokertest.Take(t, ch, "q")
		brokertest.Take(t, ch, "zero")
		brokertest.Later(365 * 24 * time.Hour)
		require.NoError(t, ch.Closed())
	})
}

func TestALateChannelsConsumersAndExclusiveQueues(t *testing.T) {
	onBothSides(t, func(t *side) {
		ch, next := t.open(), t.open()
		brokertest.Queue(t, ch, "own", warren.QueueOptions{Exclusive: true})
		brokertest.Queue(t, ch, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
		hangs := t.consume(ch, "q", warren.ConsumeOptions{Prefetch: 2})
		waiting := t.consume(next, "q", warren.ConsumeOptions{Priority: -1})
		t.put(next, "q", "1", "2")
		_, ok := hangs.next()
		require.True(t, ok)
		require.Empty(t, t.read(waiting))
		brokertest.Later(halfHour)
		require.Error(t, ch.Closed())
		if t.native { // the second was never read
			require.Equal(t, []string{"1'", "2"}, t.read(waiting), "others get what it had")
		} else {
			require.Equal(t, []string{"1'", "2'"}, t.read(waiting), "others get what it had")
		}
		require.Equal(t, 1, t.broker.Stats().Consumers)
		require.Equal(t, 2, t.broker.Stats().Queues, "the connection stays, and what it owns")
	})
}
