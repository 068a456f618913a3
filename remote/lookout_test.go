package remote_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// withRabbitMQ is with a broker that says that it is RabbitMQ.
func withRabbitMQ(t *testing.T, f func(t *testing.T, real *warren.Broker, client, server *remote.Broker)) {
	withBroker(t, &warren.Options{Like: warren.LikeRabbitMQ}, f)
}

// called calls in another goroutine. It returns what the call ends with, and how long it
// took.
func called(ctx context.Context, b *remote.Broker, queue string) (end <-chan error, took *time.Duration) {
	done := make(chan error, 1)
	began := time.Now()
	took = new(time.Duration)
	go func() {
		_, err := b.Call(ctx, queue, warren.Message{Body: []byte("x")})
		*took = time.Since(began)
		done <- err
	}()
	return done, took
}

// A node of a cluster takes the requests along that wait in its queues, and handlers may be
// back before anybody sees that the queue was gone. A purge does the same.
func TestACallWhoseRequestIsLostInTheBrokerEnds(t *testing.T) {
	withRabbitMQ(t, func(t *testing.T, real *warren.Broker, client, server *remote.Broker) {
		release := make(chan struct{})
		_, err := server.Handle("slow", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			<-release
			return req.Message, nil
		}, warren.HandleOptions{Concurrency: 1})
		require.NoError(t, err)
		first, _ := called(context.Background(), client, "slow")
		brokertest.Later(time.Second)
		lost, took := called(context.Background(), client, "slow")
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		limited, tookLimited := called(ctx, client, "slow")
		brokertest.Later(time.Second)
		n, err := brokertest.Channel(t, real).QueuePurge("slow")
		require.NoError(t, err)
		require.Equal(t, 2, n)

		brokertest.Later(2 * time.Hour)
		require.Empty(t, first, "its handler has said that it works on it")
		require.ErrorIs(t, <-lost, remote.ErrAbandoned)
		require.Greater(t, *took, 30*time.Minute)
		require.Less(t, *took, 33*time.Minute)
		require.ErrorIs(t, <-limited, context.DeadlineExceeded)
		require.Equal(t, time.Hour, *tookLimited)
		close(release)
		require.NoError(t, <-first)
	})
}

// A request that waits for its turn is not lost, and neither is one that a server has which
// does not say so.
func TestACallWaitsForABusyServer(t *testing.T) {
	withRabbitMQ(t, func(t *testing.T, real *warren.Broker, client, _ *remote.Broker) {
		ch := brokertest.Channel(t, real)
		_, err := ch.QueueDeclare("work", warren.QueueOptions{})
		require.NoError(t, err)
		c, err := ch.Consume("work", warren.ConsumeOptions{Prefetch: 1})
		require.NoError(t, err)
		first, _ := called(context.Background(), client, "work")
		second, _ := called(context.Background(), client, "work")
		for range 2 {
			d, err := c.Next(t.Context())
			require.NoError(t, err)
			brokertest.Later(29 * time.Minute)
			require.NoError(t, ch.Publish(t.Context(), "", d.ReplyTo, warren.Message{CorrelationId: d.CorrelationId}, warren.PublishOptions{}))
			require.NoError(t, d.Ack(false))
		}
		require.NoError(t, <-first)
		require.NoError(t, <-second)
	})
}

// A handler in the program of a Warren's listener does not say that it has a request, and
// may keep it for as long as it likes.
func TestACallWaitsForAHandlerOfTheListener(t *testing.T) {
	with(t, func(t *testing.T, real *warren.Broker, client, _ *remote.Broker) {
		_, err := real.Handle("slow", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			time.Sleep(5 * time.Hour)
			return req.Message, nil
		})
		require.NoError(t, err)
		end, _ := called(context.Background(), client, "slow")
		require.NoError(t, <-end)
	})
}
