package warren_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestCapacityTellsLimits(t *testing.T) {
	b := warren.New(nil)
	require.Equal(t, warren.Capacity{MemoryLimit: 1 << 30, MessageSize: 128 << 20}, b.Capacity())
	b = warren.New(&warren.Options{MemoryLimit: -1, MaxMessageSize: 1000})
	require.Equal(t, warren.Capacity{MessageSize: 1000}, b.Capacity())
}

func TestCapacityTellsOfTheDisk(t *testing.T) {
	b, err := warren.Open(t.TempDir(), &warren.Options{DiskLimit: 1})
	require.NoError(t, err)
	defer b.Close()
	c := b.Capacity()
	require.True(t, c.Disk)
	require.NotZero(t, c.DiskFree)
	require.EqualValues(t, 1, c.DiskLimit)
	require.False(t, c.DiskAlarm)
	warren.DiskFails(b, errDevice)
	require.True(t, b.Capacity().DiskAlarm)
	warren.DiskFails(b, nil)
	require.False(t, b.Capacity().DiskAlarm)

	b, err = warren.Open(t.TempDir(), &warren.Options{DiskLimit: -1})
	require.NoError(t, err)
	defer b.Close()
	require.Zero(t, b.Capacity().DiskLimit, "no limit")
}

func TestCapacityTellsThatMemoryIsShort(t *testing.T) {
	for _, policy := range []warren.MemoryPolicy{warren.BlockPublishers, warren.FailPublishers} {
		synctest.Test(t, func(t *testing.T) {
			b := warren.New(&warren.Options{MemoryLimit: 1000, MemoryPolicy: policy})
			defer b.Close()
			ch := brokertest.Channel(t, b)
			_, err := ch.QueueDeclare("q", warren.QueueOptions{})
			require.NoError(t, err)
			publish := func() error {
				return ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 1000)}, warren.PublishOptions{})
			}
			require.NoError(t, publish())
			require.False(t, b.Capacity().MemoryAlarm, "nobody is held back yet")
			result := make(chan error, 1)
			go func() { result <- publish() }()
			synctest.Wait()
			require.True(t, b.Capacity().MemoryAlarm)
			_, err = ch.QueuePurge("q")
			require.NoError(t, err)
			if policy == warren.FailPublishers {
				require.ErrorIs(t, <-result, warren.ErrMemoryLimit)
				require.NoError(t, publish())
			} else {
				require.NoError(t, <-result)
			}
			synctest.Wait()
			require.False(t, b.Capacity().MemoryAlarm)
		})
	}
}
