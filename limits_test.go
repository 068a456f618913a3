package warren_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// What a reader in process has not read yet comes back as any other.
func TestUnreadMessagesOverTheLimit(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "dead")
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxLength: 2, DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})
		c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 3})
		brokertest.Put(t, ch, "", "q", "1", "2", "3", "4", "5")
		require.NoError(t, c.Cancel())
		synctest.Wait()
		require.Equal(t, []string{"1", "2", "3"}, brokertest.Drain(t, ch, "dead"))
		require.Equal(t, []string{"4", "5"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestACallToAFullQueueFails(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{MaxLength: 1, Overflow: warren.RejectPublish})
		brokertest.Put(t, ch, "", "q", "1")
		_, err := b.Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrNacked)

		brokertest.Queue(t, ch, "drops", warren.QueueOptions{MaxLength: 1})
		go func() {
			synctest.Wait()
			ch.Publish(t.Context(), "", "drops", warren.Message{}, warren.PublishOptions{})
		}()
		_, err = b.Call(t.Context(), "drops", warren.Message{})
		require.ErrorIs(t, err, warren.ErrRequestDropped)
	})
}
