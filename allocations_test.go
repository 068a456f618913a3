//go:build !paged

package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestAMessageThatIsPublishedTakenAndAckedAllocatesNothing(t *testing.T) {
	opened, err := warren.Open(t.TempDir(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, opened.Close()) }()
	for _, c := range []struct {
		name   string
		broker *warren.Broker
		mode   uint8
	}{
		{"in memory", brokertest.New(t, nil), warren.Transient},
		{"transient, opened", opened, warren.Transient},
		{"persistent, opened", opened, warren.Persistent},
	} {
		ch := brokertest.Channel(t, c.broker)
		brokertest.Queue(t, ch, c.name, warren.QueueOptions{Durable: true})
		msg := warren.Message{Body: []byte("body"), DeliveryMode: c.mode}
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			require.NoError(t, ch.Publish(t.Context(), "", c.name, msg, warren.PublishOptions{}))
			d, ok, err := ch.Get(c.name, false)
			require.NoError(t, err)
			require.True(t, ok)
			require.NoError(t, d.Ack(false))
		}), c.name)
	}
}

// TestACallAllocatesItsRequestAlone: the handler may keep the request, so that it cannot
// be used again.
func TestACallAllocatesItsRequestAlone(t *testing.T) {
	b := brokertest.New(t, nil)
	brokertest.Handle(t, b, "echo", brokertest.Echo)
	msg := warren.Message{Body: []byte("body")}
	call := func() {
		_, err := b.Call(t.Context(), "echo", msg)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, testing.AllocsPerRun(1000, call), 1.0)
	defer b.Watch()()
	require.LessOrEqual(t, testing.AllocsPerRun(1000, call), 1.0, "while somebody watches")
}
