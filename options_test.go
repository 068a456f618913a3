package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// A mailbox of no messages would be a consumer that never gets any.
func TestOptionsWithBuffersBelowZeroStandForTheDefaults(t *testing.T) {
	brokertest.RunWith(t, &warren.Options{Mailbox: -1, ReplyBuffer: -1}, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "jobs")
		jobs, err := ch.Consume("jobs", warren.ConsumeOptions{NoAck: true})
		require.NoError(t, err)
		replies, err := ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		require.NoError(t, err)

		request := warren.Message{ReplyTo: warren.DirectReplyTo}
		for range 3 {
			require.NoError(t, ch.Publish(t.Context(), "", "jobs", request, warren.PublishOptions{}))
		}
		for range 3 {
			d, err := jobs.Next(t.Context())
			require.NoError(t, err)
			require.NoError(t, ch.Publish(t.Context(), "", d.ReplyTo, warren.Message{}, warren.PublishOptions{Mandatory: true}))
		}
		for range 3 {
			_, err := replies.Next(t.Context())
			require.NoError(t, err)
		}
	})
}
