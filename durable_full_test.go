//go:build !paged

package warren_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// TestAFullDiskHoldsPersistentMessagesBack has less room than the limit, and no room at
// all, until there is some again.
func TestAFullDiskHoldsPersistentMessagesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, &warren.Options{MemoryPolicy: warren.FailPublishers})
		ch := channelOf(t, b, "/")
		_, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
		require.NoError(t, err)
		require.NoError(t, ch.Confirm())
		publish := func(mode uint8) error {
			return ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 100), DeliveryMode: mode}, warren.PublishOptions{})
		}
		require.NoError(t, publish(warren.Persistent))
		dir.Space(50)
		require.ErrorIs(t, publish(warren.Persistent), warren.ErrStorage)
		time.Sleep(time.Minute)
		require.ErrorIs(t, publish(warren.Persistent), warren.ErrStorage)
		require.NoError(t, publish(warren.Transient))
		require.ErrorIs(t, b.Stats().DiskError, warren.ErrStorage)
		_, err = ch.QueueDeclare("r", warren.QueueOptions{Durable: true})
		require.ErrorIs(t, err, warren.ErrStorage)
		dir.Space(-1)
		time.Sleep(time.Minute)
		require.NoError(t, b.Stats().DiskError)
		require.NoError(t, publish(warren.Persistent))
		require.NoError(t, b.Close())

		dir.Space(200 << 20) // less than the limit
		b = openFiles(t, dir, &warren.Options{MemoryPolicy: warren.FailPublishers})
		time.Sleep(time.Second)
		ch = channelOf(t, b, "/")
		require.ErrorIs(t, publish(warren.Persistent), warren.ErrDiskFull)
		_, err = ch.QueueDeclare("r", warren.QueueOptions{Durable: true})
		require.NoError(t, err, "there is room for that")
		dir.Space(1 << 30)
		time.Sleep(time.Minute)
		require.NoError(t, publish(warren.Persistent))
		require.NoError(t, b.Close())
	})
}
