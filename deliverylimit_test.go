package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// What a reader in process has not seen was not delivered.
func TestUnreadMessagesAreNotCounted(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeliveryLimit: 1})
		brokertest.Put(t, ch, "", "q", "m")
		for range 5 {
			require.NoError(t, brokertest.Consume(t, ch, "q", warren.ConsumeOptions{}).Cancel())
		}
		d := brokertest.Take(t, ch, "q")
		require.Nil(t, d.Headers)
		require.False(t, d.Redelivered)
	})
}
