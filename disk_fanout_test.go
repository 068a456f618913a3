package warren_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestAMessageOfSeveralQueuesIsWrittenOnce(t *testing.T) {
	broker, err := warren.Open(t.TempDir(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, broker.Close()) }()
	ch := brokertest.Channel(t, broker)
	for i := range 10 {
		name := fmt.Sprint("q", i)
		brokertest.Queue(t, ch, name, warren.QueueOptions{Durable: true})
		require.NoError(t, ch.QueueBind(name, "", "amq.fanout", nil))
	}
	require.NoError(t, ch.Confirm())
	before, _ := warren.LogWritten(broker)
	msg := warren.Message{Body: make([]byte, 100_000), DeliveryMode: warren.Persistent}
	require.NoError(t, ch.Publish(t.Context(), "amq.fanout", "", msg, warren.PublishOptions{}))
	after, _ := warren.LogWritten(broker)
	require.InDelta(t, 100_000, after-before, 2_000)
}
