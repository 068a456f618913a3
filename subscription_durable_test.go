package warren_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
)

func TestJobsAndEventsOutliveTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		var began, failed seen
		// The first job is being worked on, the second is waiting for its second attempt, the
		// third for its first and the fourth is a dead letter, when the broker closes.
		work(t, b, func(ctx context.Context, o order) error {
			began.order(ctx, o)
			switch o.Number {
			case 1:
				<-ctx.Done()
				return ctx.Err()
			case 2:
				return errWork
			}
			return warren.NoRetry(errWork)
		}, warren.WorkOptions{Concurrency: 3, Retry: warren.Retry{Delay: time.Hour}})
		enqueue(t, b, 1, 2, 4)
		require.NoError(t, warren.EnqueueFor(t.Context(), b, "jobs", order{3}, warren.EnqueueOptions{Delay: time.Hour}))
		mails := warren.SubscribeOptions{Queue: "mails"}
		require.NoError(t, subscribe(t, b, "order.*", failed.order, mails).Close())
		publish(t, b, "order.new", 5)
		brokertest.Later(time.Minute)
		require.Equal(t, []int{1, 2, 4}, began.numbers())

		b = reopened(t, b, dir)
		attempts := make(map[int]int)
		var redelivered []int
		work(t, b, func(ctx context.Context, o order) error {
			d := warren.DeliveryFrom(ctx)
			attempts[o.Number] = d.Attempt()
			if d.Redelivered {
				redelivered = append(redelivered, o.Number)
			}
			return nil
		})
		var got seen
		subscribe(t, b, "order.*", got.order, mails)
		publish(t, b, "order.new", 6)
		brokertest.Later(2 * time.Hour)
		require.Equal(t, map[int]int{1: 1, 2: 2, 3: 1}, attempts)
		require.Contains(t, redelivered, 1)
		require.Equal(t, []int{5, 6}, got.numbers())
		d := brokertest.Take(t, channelOf(t, b, "/"), "jobs.failed")
		require.Equal(t, `{"Number":4}`, string(d.Body))
		require.Equal(t, int64(1), d.Headers[warren.AttemptsHeader])
		require.NoError(t, b.Close())
	})
}

func TestTransientQueuesEndWithTheBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		work(t, b, func(context.Context, order) error { return errWork }, warren.WorkOptions{Transient: true})
		subscribe(t, b, "#", func(context.Context, order) error { return errWork })
		_, err := warren.WorkFor(b, "once", func(context.Context, order) error { return errWork },
			warren.WorkOptions{Transient: true, Retry: warren.Retry{Attempts: 1}})
		require.NoError(t, err)
		require.NoError(t, warren.EnqueueFor(t.Context(), b, "once", order{1}))
		enqueue(t, b, 1)
		publish(t, b, "k", 1)
		synctest.Wait()
		require.Len(t, queueNames(t, b), 6, "%v", queueNames(t, b))
		b = reopened(t, b, dir)
		require.Empty(t, queueNames(t, b))
		require.NoError(t, b.Close())
	})
}

// A power cut may come before any operation of the disk while two jobs are enqueued and
// worked on, the second of them after two failures, and a third becomes a dead letter: what
// Enqueue has confirmed is worked on before or after it, or is a dead letter.
func TestAPowerCutLosesNoJob(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	retry := warren.WorkOptions{Retry: warren.Retry{Attempts: 3, Delay: time.Second}}
	for n := 1; ; n++ {
		ended := false
		synctest.Test(t, func(t *testing.T) {
			dir := filestest.New()
			dir.CutAt(n)
			done := make(map[int]bool)
			confirmed := jobsUntilCut(t, dir, retry, done)
			ended = dir.Ops() < n
			for range brokertest.Less(3, 3) {
				b := openFiles(t, dir.Image(rnd), nil)
				after := maps.Clone(done)
				work(t, b, func(_ context.Context, o order) error {
					if o.Number == 3 {
						return errWork
					}
					after[o.Number] = true
					return nil
				}, retry)
				brokertest.Later(time.Hour)
				ch := channelOf(t, b, "/")
				for {
					d, ok, err := ch.Get("jobs.failed", true)
					if errors.Is(err, warren.ErrNotFound) || !ok {
						break
					}
					require.NoError(t, err)
					require.Equal(t, `{"Number":3}`, string(d.Body))
					after[3] = true
				}
				for _, number := range confirmed {
					require.True(t, after[number], "cut before operation %d, job %d", n, number)
				}
				require.NoError(t, b.Close())
			}
		})
		if ended {
			require.Greater(t, n, 20, "the disk had something to do")
			return
		}
	}
}

// jobsUntilCut enqueues jobs and works on them until the power is cut or there is nothing
// more to do. It returns the jobs that were confirmed, and notes those that are done.
func jobsUntilCut(t testing.TB, dir *filestest.Dir, retry warren.WorkOptions, done map[int]bool) (confirmed []int) {
	b, err := warren.OpenFiles(dir, &warren.Options{CloseTimeout: 1, MemoryPolicy: warren.FailPublishers})
	if err != nil {
		return nil
	}
	defer b.Close()
	_, err = warren.WorkFor(b, "jobs", func(ctx context.Context, o order) error {
		if o.Number == 3 || o.Number == 2 && warren.DeliveryFrom(ctx).Attempt() < 3 {
			return errWork
		}
		done[o.Number] = true
		return nil
	}, retry)
	if err != nil {
		return nil
	}
	for number := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if warren.EnqueueFor(ctx, b, "jobs", order{number + 1}) == nil {
			confirmed = append(confirmed, number+1)
		}
		cancel()
	}
	brokertest.Later(time.Minute)
	return confirmed
}

func TestPublishersWaitForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		b := openFiles(t, dir, nil)
		require.NoError(t, subscribe(t, b, "#", new(seen).order, warren.SubscribeOptions{Queue: "q"}).Close())
		enqueue(t, b, 1)
		time.Sleep(time.Minute) // nothing is left to be synced
		dir.Delay(time.Minute)
		begin := time.Now()
		publish(t, b, "k", 1)
		require.GreaterOrEqual(t, time.Since(begin), time.Minute)
		begin = time.Now()
		enqueue(t, b, 2)
		require.GreaterOrEqual(t, time.Since(begin), time.Minute)
		begin = time.Now()
		require.NoError(t, warren.EnqueueFor(t.Context(), b, "jobs", order{3}, warren.EnqueueOptions{Properties: warren.Message{DeliveryMode: warren.Transient}}))
		require.Zero(t, time.Since(begin), "who asks for less need not wait")
		dir.Delay(0)
		time.Sleep(time.Minute) // for what has begun
		require.NoError(t, b.Close())
	})
}
