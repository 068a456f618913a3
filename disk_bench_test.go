package warren_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// BenchmarkKeep publishes a 16-byte message, gets it and acks it, in one goroutine: a
// transient message in memory, the same in an opened broker, and one that is kept on disk
// as long as it is there.
func BenchmarkKeep(b *testing.B) {
	run := func(b *testing.B, broker *warren.Broker, msg warren.Message) {
		ch := brokertest.Channel(b, broker)
		brokertest.Queue(b, ch, "q", warren.QueueOptions{Durable: true})
		b.ReportAllocs()
		for b.Loop() {
			if err := ch.Publish(b.Context(), "", "q", msg, warren.PublishOptions{}); err != nil {
				b.Fatal(err)
			}
			d, ok, err := ch.Get("q", false)
			if err != nil || !ok {
				b.Fatal(err)
			}
			if err := d.Ack(false); err != nil {
				b.Fatal(err)
			}
		}
	}
	transient := warren.Message{Body: body16}
	open := func(b *testing.B) *warren.Broker {
		broker, err := warren.Open(b.TempDir(), nil)
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, broker.Close()) })
		return broker
	}
	b.Run("memory", func(b *testing.B) { run(b, brokertest.New(b, nil), transient) })
	b.Run("transient", func(b *testing.B) { run(b, open(b), transient) })
	b.Run("persistent", func(b *testing.B) {
		run(b, open(b), warren.Message{Body: body16, DeliveryMode: warren.Persistent})
	})
}
