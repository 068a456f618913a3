package remote_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// TestNoJobIsLost cuts all connections again and again while jobs are enqueued, some with
// a delay, and worked on, some of which fail. Every job that was enqueued without an error
// is worked on to its end, or a dead letter.
func TestNoJobIsLost(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
				random := rand.New(rand.NewPCG(seed, 0))
				done := make(map[int]int) // by job
				var mu sync.Mutex         // guards done and random
				chance := func(n int) int {
					mu.Lock()
					defer mu.Unlock()
					return random.IntN(n)
				}
				o := warren.WorkOptions{Concurrency: 3, Prefetch: 7, Retry: warren.Retry{Attempts: 2, Delay: 100 * time.Millisecond}}
				for _, r := range []*remote.Broker{one, two} {
					_, err := warren.WorkFor(r, "jobs", func(_ context.Context, job int) error {
						time.Sleep(time.Duration(chance(50)) * time.Millisecond)
						if job%10 == 0 || chance(5) == 0 {
							return errors.New("not this time")
						}
						mu.Lock()
						defer mu.Unlock()
						done[job]++
						return nil
					}, o)
					require.NoError(t, err)
				}
				var cutting, enqueuing sync.WaitGroup
				ctx, over := context.WithCancel(t.Context())
				cutting.Go(func() {
					for ctx.Err() == nil {
						time.Sleep(time.Duration(chance(1000)) * time.Millisecond)
						cut(real)
					}
				})
				sent := make(map[int]bool)
				for i := range 4 {
					enqueuing.Go(func() {
						for j := range 50 {
							time.Sleep(time.Duration(chance(100)) * time.Millisecond)
							job := 100*i + j
							eo := warren.EnqueueOptions{}
							if j%4 == 0 {
								eo.Delay = time.Duration(1+chance(3)) * 100 * time.Millisecond
							}
							err := warren.EnqueueFor(t.Context(), one, "jobs", job, eo)
							if err != nil {
								require.ErrorIs(t, err, remote.ErrConnectionLost)
								continue
							}
							mu.Lock()
							sent[job] = true
							mu.Unlock()
						}
					})
				}
				enqueuing.Wait()
				over()
				cutting.Wait()
				brokertest.Later(time.Minute)
				require.Zero(t, ready(t, real, "jobs"))
				for _, d := range drain(t, real, "jobs.failed") {
					job, err := strconv.Atoi(string(d.Body))
					require.NoError(t, err)
					done[job]++
				}
				require.NotEmpty(t, sent)
				for job := range sent {
					require.NotZero(t, done[job], job)
				}
			})
		})
	}
}

// TestEveryEventReachesANamedQueue publishes while connections are cut. A subscription
// with a queue name gets every event that was confirmed.
func TestEveryEventReachesANamedQueue(t *testing.T) {
	events(t, nil, func(t *testing.T, real *warren.Broker, one, two *remote.Broker) {
		var got collected
		_, err := warren.SubscribeFor(two, "x", "#", got.get, warren.SubscribeOptions{Queue: "q"})
		require.NoError(t, err)
		sent := make(map[string]bool)
		for i := range 200 {
			if i%17 == 0 {
				cut(real)
			}
			event := fmt.Sprint(i)
			if err := warren.PublishFor(t.Context(), one, "x", "k", event); err == nil {
				sent[event] = true
			} else {
				require.ErrorIs(t, err, remote.ErrConnectionLost)
			}
		}
		brokertest.Later(time.Minute)
		list := make(map[string]bool)
		for _, e := range got.take() {
			list[e] = true
		}
		require.Greater(t, len(sent), 150)
		for e := range sent {
			require.True(t, list[e], e)
		}
		synctest.Wait()
	})
}
