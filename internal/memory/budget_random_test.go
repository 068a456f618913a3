package memory_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memory"
)

// TestNobodyWaitsWhileThereIsRoom: publishers of all sizes come, give up, are turned away
// and give back what they have. In a bubble, one that is forgotten stands still for ever.
func TestNobodyWaitsWhileThereIsRoom(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			var b memory.Budget
			b.Init(1600, false, &alarms{})
			var all sync.WaitGroup
			for i := range 40 {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				all.Go(func() {
					for range 20 {
						publish(t, &b, r)
					}
				})
			}
			all.Wait()
			require.Zero(t, b.Used())
			require.Zero(t, b.Waiting())
			require.True(t, b.Fits(1), "the alarm is over")
		})
	}
}

// publish is one publisher: it is let in, gives up, or its channel is closed.
func publish(t *testing.T, b *memory.Budget, r *rand.Rand) {
	var gone atomic.Bool
	ctx := t.Context()
	switch r.IntN(4) {
	case 0:
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(20))*time.Millisecond)
		defer cancel()
	case 1:
		closing := time.AfterFunc(time.Duration(r.IntN(20))*time.Millisecond, func() {
			gone.Store(true)
			b.Wake()
		})
		defer closing.Stop()
	}
	n := int64(1 + r.IntN(900))
	if b.Admit(ctx, n, &gone, nil) == nil {
		time.Sleep(time.Duration(r.IntN(5)) * time.Millisecond)
		b.Add(-n)
	}
}
