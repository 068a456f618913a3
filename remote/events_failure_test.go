package remote_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// TestACopyThatIsRefusedIsTriedAgain until the connection is lost: then the original comes
// again, and the copy of before does not come beside it.
func TestACopyThatIsRefusedIsTriedAgain(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		ch := brokertest.Channel(t, real)
		_, err := ch.QueueDeclare("jobs.failed", warren.QueueOptions{Durable: true, MaxLength: 1, Overflow: warren.RejectPublish})
		require.NoError(t, err)
		require.NoError(t, brokertest.Send(ch, "", "jobs.failed", warren.Message{}, warren.PublishOptions{}))
		calls := 0
		_, err = warren.WorkFor(two, "jobs", func(context.Context, string) error {
			calls++
			return warren.NoRetry(errors.New("never"))
		})
		require.NoError(t, err)
		require.NoError(t, warren.EnqueueFor(t.Context(), one, "jobs", "j"))
		brokertest.Later(time.Hour)
		require.Equal(t, 1, calls, "its copy is tried again, it is not")
		cut(real)
		brokertest.Later(time.Second)
		require.Equal(t, 2, calls)
		_, err = ch.QueuePurge("jobs.failed")
		require.NoError(t, err)
		brokertest.Later(time.Hour)
		require.Equal(t, 2, calls)
		require.Equal(t, 1, ready(t, real, "jobs.failed"))
		_, err = ch.QueuePurge("jobs.failed")
		require.NoError(t, err)
		brokertest.Later(time.Hour)
		require.Zero(t, ready(t, real, "jobs.failed"), "there was one")
		require.Zero(t, ready(t, real, "jobs"))
	})
}

// TestARetryWithoutAQueueName: the queue in which the event waits belongs to the
// connection, too.
func TestARetryWithoutAQueueName(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		var got collected
		_, err := warren.SubscribeFor(two, "x", "#", func(ctx context.Context, s string) error {
			d := warren.DeliveryFrom(ctx)
			got.add(fmt.Sprint(s, d.Attempt(), d.Exchange, d.RoutingKey))
			return errors.New("always")
		}, warren.SubscribeOptions{Retry: warren.Retry{Attempts: 2}})
		require.NoError(t, err)
		require.NoError(t, warren.PublishFor(t.Context(), one, "x", "k", "e"))
		brokertest.Later(time.Minute)
		require.Equal(t, []string{"e1xk", "e2xk"}, got.take())
		for _, q := range queues(t, real) {
			require.NotContains(t, q.Name, ".failed", "it has no dead letters")
		}
	})
}

// TestOneMessageThatIsRefused closes the channel of others. They are there, or say that
// they may be.
func TestOneMessageThatIsRefused(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		ch := brokertest.Channel(t, real)
		brokertest.Queues(t, ch, "q")
		var all sync.WaitGroup
		var mu sync.Mutex
		good, lost := 0, 0
		for i := range 300 {
			all.Go(func() {
				if i%50 == 49 {
					err := one.Enqueue(t.Context(), "q", warren.Message{UserId: "somebody"})
					e, ok := errors.AsType[*warren.Error](err)
					require.True(t, ok, err)
					require.Equal(t, []uint16{406, 60, 40}, []uint16{e.Code, e.Class, e.Method})
					return
				}
				err := one.Enqueue(t.Context(), "q", warren.Message{})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					good++
					return
				}
				require.ErrorIs(t, err, remote.ErrConnectionLost)
				require.ErrorIs(t, err, warren.ErrPreconditionFailed, "why")
				lost++
			})
		}
		all.Wait()
		n := ready(t, real, "q")
		require.GreaterOrEqual(t, n, good)
		require.LessOrEqual(t, n, good+lost)
		require.Equal(t, 294, good+lost)
	})
}

// TestALongMessage is written by a goroutine of its own.
func TestALongMessage(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		got := make(chan int)
		_, err := two.Work("q", func(_ context.Context, d warren.Delivery) error {
			got <- len(d.Body)
			return nil
		})
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, one.Enqueue(t.Context(), "q", warren.Message{Body: make([]byte, 1<<20)}))
			require.Equal(t, 1<<20, <-got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, one.Enqueue(ctx, "q", warren.Message{Body: make([]byte, 1<<20)}), context.Canceled)
	})
}

// TestATopologyThatIsGone: what somebody deletes while the connection is lost is declared
// again.
func TestATopologyThatIsGone(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		var got collected
		_, err := warren.SubscribeFor(two, "x", "#", got.get, warren.SubscribeOptions{Queue: "q"})
		require.NoError(t, err)
		require.NoError(t, warren.PublishFor(t.Context(), one, "x", "k", 1))
		synctest.Wait()
		cut(real)
		ch := brokertest.Channel(t, real)
		_, err = ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.NoError(t, ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{}))
		brokertest.Later(time.Second)
		require.NoError(t, warren.PublishFor(t.Context(), one, "x", "k", "again"))
		synctest.Wait()
		require.Equal(t, []string{"again"}, got.take())
		require.NoError(t, ch.ExchangeDelete("x", warren.ExchangeDeleteOptions{}))
		require.NoError(t, warren.PublishFor(t.Context(), one, "x", "k", "nobody"), "its channel is closed by 404 and opened again")
		require.NoError(t, ch.ExchangeDeclarePassive("x"))
	})
}
