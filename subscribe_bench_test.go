package warren_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// BenchmarkEvents publishes values, which a subscription gets.
func BenchmarkEvents(b *testing.B) {
	benchmarkEvents(b, func(p warren.Publisher) error {
		return warren.PublishFor(b.Context(), p, "events", "k", order{1})
	})
}

// BenchmarkEventBodies is BenchmarkEvents without values.
func BenchmarkEventBodies(b *testing.B) {
	msg := warren.Message{Body: []byte(`{"Number":1}`)}
	benchmarkEvents(b, func(p warren.Publisher) error { return p.Publish(b.Context(), "events", "k", msg) })
}

func benchmarkEvents(b *testing.B, publish func(warren.Publisher) error) {
	broker := brokertest.New(b, nil)
	got := make(chan struct{}, 1)
	n, want := 0, 1
	_, err := warren.SubscribeFor(broker, "events", "#", func(context.Context, order) error {
		if n++; n == want {
			got <- struct{}{}
		}
		return nil
	}, warren.SubscribeOptions{Prefetch: 256})
	require.NoError(b, err)
	require.NoError(b, publish(broker))
	<-got
	n, want = 0, b.N
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := publish(broker); err != nil {
			b.Fatal(err)
		}
	}
	<-got
}

// BenchmarkRetry is a failure and the attempt that comes after it.
func BenchmarkRetry(b *testing.B) {
	broker := brokertest.New(b, nil)
	done := make(chan struct{})
	_, err := warren.WorkFor(broker, "jobs", func(ctx context.Context, _ order) error {
		if warren.DeliveryFrom(ctx).Attempt() == 1 {
			return errWork
		}
		done <- struct{}{}
		return nil
	}, warren.WorkOptions{Retry: warren.Retry{Delay: -1}})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if err := warren.EnqueueFor(b.Context(), broker, "jobs", order{1}); err != nil {
			b.Fatal(err)
		}
		<-done
	}
}
