package warren_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// order is an event and a job in these tests.
type order struct{ Number int }

// attempts notes at what time after its beginning something was tried.
type attempts struct {
	start time.Time
	at    []time.Duration
}

func newAttempts() *attempts { return &attempts{start: time.Now()} }

func (a *attempts) note() { a.at = append(a.at, time.Since(a.start)) }

func TestAFailedJobComesAgainAfterTheDelay(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		a := newAttempts()
		_, err := warren.WorkFor(b, "jobs", func(ctx context.Context, o order) error {
			a.note()
			require.Equal(t, len(a.at), warren.DeliveryFrom(ctx).Attempt())
			return errors.New("oh dear")
		})
		require.NoError(t, err)
		require.NoError(t, warren.EnqueueFor(t.Context(), b, "jobs", order{1}))
		time.Sleep(time.Hour)
		require.Equal(t, []time.Duration{0, 1 * time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second}, a.at)
		d := brokertest.Take(t, brokertest.Channel(t, b), "jobs.failed")
		require.Equal(t, `{"Number":1}`, string(d.Body))
		require.Equal(t, warren.Table{
			warren.AttemptsHeader: int64(5), warren.ErrorCodeHeader: "error", warren.ErrorTextHeader: "oh dear",
			warren.ExchangeHeader: "", warren.RoutingKeyHeader: "jobs",
		}, d.Headers)
		synctest.Wait()
		require.NoError(t, d.Ack(false))
	})
}
