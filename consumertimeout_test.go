package warren_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

const halfHour = 30 * time.Minute

// channelInTime opens a channel with a queue that has a timeout, and messages
// in it.
func channelInTime(t *testing.T, b *warren.Broker, bodies ...string) *warren.Channel {
	t.Helper()
	ch := brokertest.Channel(t, b)
	brokertest.Queue(t, ch, "q", warren.QueueOptions{ConsumerTimeout: halfHour})
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
			brokertest.Fails(t, err, 406, 0, 0, brokertest.Overdue(halfHour))
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
		c, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(_ context.Context, d warren.Delivery) error {
			calls++
			time.Sleep(time.Hour)
			require.ErrorIs(t, d.Ack(false), warren.ErrPreconditionFailed)
			return nil
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
