package queue

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFlowGivesRoomUpToItsLimit(t *testing.T) {
	var f Flow
	require.False(t, f.Limited())
	require.True(t, f.reserve(), "without a limit there is always room")
	f.SetLimit(2)
	require.True(t, f.Limited())
	require.True(t, f.hasRoom())
	require.True(t, f.reserve())
	require.False(t, f.hasRoom())
	require.False(t, f.Owed(), "nobody has gone without")
	require.False(t, f.reserve())
	require.True(t, f.Owed())
	require.False(t, f.Owed(), "it is told once")
	f.release(2)
	require.True(t, f.reserve())
	require.True(t, f.reserve())
	require.False(t, f.reserve())
	f.SetLimit(0)
	require.True(t, f.reserve())
}

// TestFlowIsNeverOverItsLimit: what many queues reserve at once stays within
// the limit, and who found no room is owed something.
func TestFlowIsNeverOverItsLimit(t *testing.T) {
	const limit = 3
	var f Flow
	f.SetLimit(limit)
	var wg sync.WaitGroup
	var mu sync.Mutex
	out := 0
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if !f.reserve() {
					f.Owed()
					continue
				}
				mu.Lock()
				if out++; out > limit {
					t.Errorf("%d are out", out)
				}
				mu.Unlock()
				mu.Lock()
				out--
				mu.Unlock()
				f.release(1)
			}
		})
	}
	wg.Wait()
	require.True(t, f.hasRoom())
	require.Zero(t, f.out.Load())
}

// TestFlowIsHeldForTwoReasons: it goes on when neither is left.
func TestFlowIsHeldForTwoReasons(t *testing.T) {
	var f Flow
	c := &Consumer{flow: &f}
	require.True(t, c.reserve())
	require.False(t, f.Pause(true), "it was not paused")
	require.True(t, f.Pause(true))
	f.Stall(true)
	require.False(t, c.reserve())
	require.False(t, c.hasRoom())
	require.True(t, f.Pause(false))
	require.False(t, f.Pause(false))
	require.False(t, c.reserve(), "stalled still")
	f.Owed()
	f.Stall(false)
	require.True(t, f.Owed(), "consumers are to be revived")
	require.True(t, c.hasRoom())
	require.True(t, c.reserve())
}
