//go:build !paged

package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

// What a consumer without acks was sent and has not read comes back when the consumer
// ends. From then on it is kept like any other message.
func TestWhatComesBackFromAConsumerWithoutAcksSurvives(t *testing.T) {
	dir := filestest.New()
	b := openFiles(t, dir, &warren.Options{Mailbox: 3})
	ch := channelOf(t, b, "/")
	_, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
	require.NoError(t, err)
	require.NoError(t, ch.Confirm())
	publish := func(body string) {
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte(body), DeliveryMode: warren.Persistent}, warren.PublishOptions{}))
	}
	for _, body := range []string{"0", "1", "2", "3"} {
		publish(body)
	}
	c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{NoAck: true})
	require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
	require.NoError(t, c.Cancel())
	var last warren.Delivery
	for range 4 {
		last = brokertest.Take(t, ch, "q")
	}
	require.NoError(t, last.Ack(false)) // it is the next after those that were settled before
	publish("4")
	afterPowerCuts(t, dir, func(b *warren.Broker) {
		require.Equal(t, []string{"0", "1", "2", "4"}, brokertest.Drain(t, channelOf(t, b, "/"), "q"))
	})
}

// A message that was read once is redelivered after a restart, also if it was on its way
// to a reader for the second time when the broker was closed.
func TestWhatIsSentAgainStaysRedeliveredOverAClose(t *testing.T) {
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	ch := channelOf(t, b, "/")
	_, err := ch.QueueDeclare("q", warren.QueueOptions{Durable: true})
	require.NoError(t, err)
	for _, body := range []string{"seen", "new"} {
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: []byte(body), DeliveryMode: warren.Persistent}, warren.PublishOptions{}))
	}
	d := brokertest.Take(t, ch, "q")
	require.NoError(t, d.Nack(false, true))
	brokertest.Consume(t, ch, "q", warren.ConsumeOptions{Prefetch: 2})
	require.Zero(t, brokertest.Ready(t, ch, "q"))
	b = reopened(t, b, dir)
	ch = channelOf(t, b, "/")
	require.True(t, brokertest.Take(t, ch, "q").Redelivered)
	require.False(t, brokertest.Take(t, ch, "q").Redelivered)
}
