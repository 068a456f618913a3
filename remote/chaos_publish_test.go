package remote_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// work begins to work on jobs and to read events.
func (s *script) work(b *remote.Broker) {
	done := func(_ context.Context, d warren.Delivery) error {
		s.serve(string(d.Body))
		return nil
	}
	s.within("Work", func() {
		_, err := b.Work("jobs"+s.suffix, done)
		require.NoError(s.t, err)
		_, err = b.Subscribe("events"+s.suffix, "#", done, warren.SubscribeOptions{Queue: "events" + s.suffix})
		require.NoError(s.t, err)
	})
}

// publish enqueues and publishes without a deadline, and returns what was confirmed.
func (s *script) publish(b *remote.Broker) (confirmed []string, failed int) {
	for i := range 6 {
		body := fmt.Sprint("job ", i)
		var err error
		s.within("a publish", func() {
			m := warren.Message{Body: []byte(body)}
			if i%2 == 0 {
				err = b.Enqueue(context.Background(), "jobs"+s.suffix, m)
			} else {
				err = b.Publish(context.Background(), "events"+s.suffix, "key", m, warren.EventOptions{Mandatory: true})
			}
		})
		if err == nil {
			confirmed = append(confirmed, body)
			continue
		}
		failed++
		require.ErrorIs(s.t, err, remote.ErrConnectionLost)
		require.False(s.t, warren.Repeatable(err))
		require.True(s.t, s.was(body), "it was not sent: %v", err)
	}
	return confirmed, failed
}

// allDone requires that all of a list was worked on.
func (s *script) allDone(confirmed []string) {
	if s.real != nil {
		brokertest.Later(time.Minute)
	}
	for _, body := range confirmed {
		if s.real == nil {
			require.Eventually(s.t, func() bool { return s.times(body) > 0 }, patient, time.Millisecond, body)
		}
		require.NotZero(s.t, s.times(body), body)
	}
}

func TestPublishesEndWhereverTheConnectionIsCut(t *testing.T) {
	directions(t, func(t *testing.T, written bool, how cutKind) {
		each(t, written, func(s *script) {
			s.how = how
			s.connect()
			s.work(s.other)
			confirmed, failed := s.publish(s.touched)
			require.LessOrEqual(s.t, failed, 1, "one connection was cut")
			s.allDone(confirmed)
			s.end()
		})
	})
}

func TestWorkGoesOnWhereverTheConnectionIsCut(t *testing.T) {
	directions(t, func(t *testing.T, written bool, how cutKind) {
		each(t, written, func(s *script) {
			s.how = how
			s.connect()
			s.work(s.touched)
			confirmed, failed := s.publish(s.other)
			require.Zero(s.t, failed)
			s.allDone(confirmed)
			s.end()
		})
	})
}
