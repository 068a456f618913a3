package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestMessagesAreCountedBySize(t *testing.T) {
	b := brokertest.New(t, nil)
	ch := brokertest.Channel(t, b)
	require.NoError(t, ch.ExchangeDeclare("x", warren.Fanout, warren.ExchangeOptions{}))
	publish := func(exchange string, sizes ...int) {
		t.Helper()
		for _, n := range sizes {
			require.NoError(t, brokertest.Send(ch, exchange, "", warren.Message{Body: make([]byte, n)}, warren.PublishOptions{}))
		}
	}
	publish("x", 1)
	require.Zero(t, b.Stats().Sizes, "nobody watches")
	defer b.Watch()()

	publish("x", 0, 100, 101, 1000, 1001)
	publish("amq.fanout", 10_000, 10_001, 100_000, 1_000_001)
	want := warren.MessageSizes{Counts: [9]uint64{2, 2, 2, 2, 0, 1}, Bytes: 1_122_204}
	require.Equal(t, want, b.Stats().Sizes)
	require.EqualValues(t, 9, b.Stats().Received)

	require.NoError(t, ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{}))
	require.Equal(t, want, b.Stats().Sizes, "an exchange that is deleted")
	require.NoError(t, ch.Close())
	require.Equal(t, want, b.Stats().Sizes, "a channel that is closed")
	limits := warren.SizeLimits()
	require.Equal(t, []int{100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000}, limits[:])
}

func TestMessagesToBeConfirmedAreCounted(t *testing.T) {
	b := brokertest.New(t, nil)
	plain, confirms := brokertest.Channel(t, b), brokertest.Channel(t, b)
	require.NoError(t, confirms.Confirm())
	brokertest.Put(t, plain, "amq.fanout", "", "1")
	brokertest.Put(t, confirms, "amq.fanout", "", "2", "3")
	require.EqualValues(t, 2, b.Stats().ReceivedConfirm)
	require.NoError(t, confirms.Close())
	require.EqualValues(t, 2, b.Stats().ReceivedConfirm)
}
