package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// BenchmarkConfirm publishes 16-byte messages in confirm mode to a queue that drops
// them, in memory: each is answered at once.
func BenchmarkConfirm(b *testing.B) {
	open := func(b *testing.B) *warren.Channel {
		ch := brokertest.Channel(b, brokertest.New(b, nil))
		brokertest.Queue(b, ch, "q", warren.QueueOptions{MaxLength: 1})
		require.NoError(b, ch.Confirm())
		b.ReportAllocs()
		return ch
	}
	b.Run("Publish", func(b *testing.B) {
		ch := open(b)
		for b.Loop() {
			ch.Publish(b.Context(), "", "q", warren.Message{Body: body16}, warren.PublishOptions{})
		}
	})
	b.Run("PublishConfirm", func(b *testing.B) {
		ch := open(b)
		for b.Loop() {
			c, err := ch.PublishConfirm(b.Context(), "", "q", warren.Message{Body: body16}, warren.PublishOptions{})
			if err != nil || c.Wait(b.Context()) != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Plain", func(b *testing.B) {
		ch := brokertest.Channel(b, brokertest.New(b, nil))
		brokertest.Queue(b, ch, "q", warren.QueueOptions{MaxLength: 1})
		b.ReportAllocs()
		for b.Loop() {
			ch.Publish(b.Context(), "", "q", warren.Message{Body: body16}, warren.PublishOptions{})
		}
	})
}
