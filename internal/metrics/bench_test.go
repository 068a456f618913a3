package metrics_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/metrics"
)

// 10,000 queues, as a whole and each of them.
func BenchmarkMetrics10k(b *testing.B) {
	broker := warren.New(nil)
	defer broker.Close()
	ch := brokertest.Channel(b, broker)
	for i := range 10_000 {
		_, err := ch.QueueDeclare(fmt.Sprint("queue-", i), warren.QueueOptions{})
		require.NoError(b, err)
	}
	s := newSource(broker)
	defer s.Close()
	for name, families := range map[string]func() []metrics.Family{"whole": s.Overall, "objects": s.PerObject} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, metrics.WriteText(io.Discard, families()))
			}
		})
	}
}
