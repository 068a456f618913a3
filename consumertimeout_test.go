package warren_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// overdueText is what RabbitMQ says.
const overdueText = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms. This timeout value can be configured, see consumers doc guide to learn more"

const halfHour = 30 * time.Minute

// How a channel comes to have an unsettled delivery.
var givers = map[string]func(t *both, ch sideChannel) warren.Delivery{
	"by a consumer": func(t *both, ch sideChannel) warren.Delivery {
		d, ok := t.consume(ch, "q", warren.ConsumeOptions{Tag: "c"}).next()
		require.True(t, ok)
		return d
	},
	"by get": func(t *both, ch sideChannel) warren.Delivery { return t.take(ch, "q") },
}

func TestAChannelThatDoesNotSettleInTimeIsClosed(t *testing.T) {
	eachBoth(t, givers, func(t *both, give func(t *both, ch sideChannel) warren.Delivery) {
		ch, other := t.open(), t.open()
		t.declare(other, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
		t.put(other, "q", "1", "2")
		give(t, ch)
		brokertest.Later(halfHour - time.Millisecond)
		require.NoError(t, ch.Closed())
		brokertest.Later(time.Millisecond)
		t.isError(ch.Closed(), 406, overdueText)
		d := t.take(other, "q")
		require.Equal(t, "1", string(d.Body), "it returns to its place")
		require.True(t, d.Redelivered)
		require.Equal(t, []string{"2"}, t.drain(other, "q"))
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
	eachBoth(t, settle, func(t *both, settle func(ch sideChannel, tag uint64) error) {
		for _, give := range givers {
			ch := t.open()
			t.declare(ch, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
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
	runBoth(t, func(t *both) {
		ch := t.open()
		t.declare(ch, "slow", warren.QueueOptions{ConsumerTimeout: 2 * halfHour})
		t.declare(ch, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
		t.declare(ch, "free", warren.QueueOptions{})
		t.put(ch, "free", "1")
		t.put(ch, "slow", "2")
		t.put(ch, "q", "3", "4", "5")
		t.take(ch, "free")
		t.take(ch, "slow")
		first := t.take(ch, "q")
		brokertest.Later(time.Minute)
		second := t.take(ch, "q")
		brokertest.Later(time.Minute)
		t.take(ch, "q")
		require.NoError(t, ch.Ack(first.DeliveryTag, false))
		brokertest.Later(halfHour - 2*time.Minute)
		require.NoError(t, ch.Closed(), "the first was acked")
		require.NoError(t, ch.Ack(second.DeliveryTag, false))
		brokertest.Later(2*time.Minute - time.Millisecond)
		require.NoError(t, ch.Closed(), "the second, too")
		brokertest.Later(time.Millisecond)
		t.isError(ch.Closed(), 406, overdueText)
		require.Equal(t, 3, t.ready())
	})
}

func TestWhatNeedsNoAckIsNeverLate(t *testing.T) {
	runBoth(t, func(t *both) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
		t.put(ch, "q", "1", "2")
		require.Equal(t, []string{"1", "2"}, t.read(t.consume(ch, "q", warren.ConsumeOptions{NoAck: true, Tag: "c"})))
		require.NoError(t, ch.Cancel("c"))
		t.put(ch, "q", "3")
		require.Equal(t, []string{"3"}, t.drain(ch, "q"))
		brokertest.Later(24 * time.Hour)
		require.NoError(t, ch.Closed())
	})
}

func TestWithoutATimeoutADeliveryIsNeverLate(t *testing.T) {
	runBoth(t, func(t *both) {
		ch := t.open()
		t.declare(ch, "q", warren.QueueOptions{})
		t.declare(ch, "zero", warren.QueueOptions{Args: warren.Table{"x-consumer-timeout": 0}})
		t.put(ch, "q", "1")
		t.put(ch, "zero", "1")
		t.take(ch, "q")
		t.take(ch, "zero")
		brokertest.Later(365 * 24 * time.Hour)
		require.NoError(t, ch.Closed())
	})
}

func TestALateChannelsConsumersAndExclusiveQueues(t *testing.T) {
	runBoth(t, func(t *both) {
		ch, next := t.open(), t.open()
		t.declare(ch, "own", warren.QueueOptions{Exclusive: true})
		t.declare(ch, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
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

// channelInTime opens a channel with a queue that has a timeout, and messages in it.
func channelInTime(t *testing.T, b *warren.Broker, bodies ...string) *warren.Channel {
	t.Helper()
	ch := brokertest.Channel(t, b)
	_, err := ch.QueueDeclare("q", warren.QueueOptions{ConsumerTimeout: halfHour})
	require.NoError(t, err)
	brokertest.Put(t, ch, "", "q", bodies...)
	return ch
}

// In process nobody waits for an answer when a delivery is late: all that is
// done with the channel afterwards tells why it is closed.
func TestALateChannelTellsWhyItIsClosed(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := channelInTime(t, b, "1")
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 1})
		d := brokertest.Next(t, c)
		start := time.Now()
		late := func(err error) {
			t.Helper()
			brokertest.Fails(t, err, 406, 0, 0, overdueText)
			require.ErrorIs(t, err, warren.ErrPreconditionFailed)
			require.ErrorIs(t, err, warren.ErrClosed)
			require.ErrorIs(t, err, net.ErrClosed)
		}
		_, err := c.Next(context.Background())
		require.Equal(t, halfHour, time.Since(start), "a reader that waits is woken")
		late(err)
		_, err = c.Next(context.Background())
		late(err)
		late(d.Ack(false))
		late(ch.Publish(t.Context(), "", "q", warren.Message{}, warren.PublishOptions{}))
		_, err = ch.Consume("q", warren.ConsumeOptions{})
		late(err)
		late(ch.Tx())
		for _, err := range c.Deliveries(t.Context()) {
			late(err)
		}
		require.NoError(t, ch.Close())
		require.Equal(t, 1, b.Stats().Ready)
	})
}

func TestALateCallbackEndsItsConsumer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := channelInTime(t, b, "1", "2")
		calls := 0
		c, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(d warren.Delivery) {
			calls++
			time.Sleep(time.Hour)
			require.ErrorIs(t, d.Ack(false), warren.ErrPreconditionFailed)
		})
		require.NoError(t, err)
		brokertest.Later(halfHour)
		require.Equal(t, 2, b.Stats().Ready, "its messages do not wait for it")
		<-c.Done()
		require.Equal(t, 1, calls)
	})
}

// What waits to be read in process has not been delivered yet: a slow reader
// has time for each message.
func TestUnreadMessagesAreNotLate(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := channelInTime(t, b, "1", "2", "3", "4")
		n := 0
		for d, err := range ch.Deliveries(t.Context(), "q", warren.ConsumeOptions{}) {
			require.NoError(t, err)
			time.Sleep(halfHour - time.Second)
			require.NoError(t, d.Ack(false))
			if n++; n == 4 {
				break
			}
		}
	})
}

func TestADeliveryInATransactionIsLateOnceItIsRolledBack(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := channelInTime(t, b, "1")
		require.NoError(t, ch.Tx())
		d := brokertest.Take(t, ch, "q")
		require.NoError(t, d.Ack(false))
		brokertest.Later(2 * halfHour)
		require.NoError(t, ch.TxRollback())
		synctest.Wait()
		require.ErrorIs(t, ch.TxCommit(), warren.ErrPreconditionFailed)
		require.Equal(t, 1, b.Stats().Ready)
	})
}

func TestAHandlerHasNoConsumerTimeout(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		channelInTime(t, b)
		_, err := b.Handle("q", func(context.Context, *warren.Request) (warren.Message, error) {
			time.Sleep(3 * halfHour)
			return warren.Message{Body: []byte("done")}, nil
		})
		require.NoError(t, err)
		reply, err := b.Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "done", string(reply.Body))
	})
}
