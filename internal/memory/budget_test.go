package memory_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memory"
)

// alarms records what is announced.
type alarms struct{ told []bool }

func (a *alarms) RecordMemoryAlarm(on bool) { a.told = append(a.told, on) }
func (a *alarms) NotifyMemoryAlarm()        {}

// admitted starts a publisher and returns its result, which is there once it
// has been let in or has failed.
func admitted(ctx context.Context, b *memory.Budget, gone *atomic.Bool) chan error {
	result := make(chan error, 1)
	go func() { result <- b.Admit(ctx, gone, nil) }()
	synctest.Wait()
	return result
}

// TestWaitingPublishersGoOnBelowSevenEighths checks the bound to the byte.
func TestWaitingPublishersGoOnBelowSevenEighths(t *testing.T) {
	for limit, low := range map[int64]int64{800: 700, 1000: 875, 1001: 876, 7: 7, 1 << 30: 7 << 27} {
		synctest.Test(t, func(t *testing.T) {
			var b memory.Budget
			b.Init(limit, false, &alarms{})
			b.Add(limit - 1)
			require.False(t, b.Full(), "limit %d: one byte is left", limit)
			b.Add(1)
			require.True(t, b.Full(), "limit %d", limit)
			waiting := admitted(t.Context(), &b, nil)
			b.Add(low - limit)
			synctest.Wait()
			require.Empty(t, waiting, "limit %d: at %d bytes nobody goes on", limit, low)
			require.True(t, b.Full(), "limit %d: at %d bytes nobody passes those who wait", limit, low)
			b.Add(-1)
			require.False(t, b.Full(), "limit %d", limit)
			synctest.Wait()
			require.Len(t, waiting, 1, "limit %d: at %d bytes they go on", limit, low-1)
			require.NoError(t, <-waiting)
			b.Add(1)
			require.Equal(t, low == limit, b.Full(), "limit %d: with nobody waiting the limit counts", limit)
		})
	}
}

func TestAWaitingPublisherFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Budget
		b.Init(10, false, &alarms{})
		b.Add(10)

		ctx, cancel := context.WithCancel(t.Context())
		ended := admitted(ctx, &b, nil)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)

		var gone atomic.Bool
		removed := admitted(t.Context(), &b, &gone)
		other := admitted(t.Context(), &b, new(atomic.Bool))
		gone.Store(true)
		b.Wake()
		require.ErrorIs(t, <-removed, memory.ErrClosed)
		synctest.Wait()
		require.Empty(t, other, "it waits on")

		b.Close()
		require.ErrorIs(t, <-other, memory.ErrClosed)
	})
}

func TestTheAlarmIsToldOncePerChange(t *testing.T) {
	var a alarms
	var b memory.Budget
	b.Init(10, true, &a)
	require.True(t, b.Open())
	b.Add(10)
	for range 2 {
		require.ErrorIs(t, b.Admit(t.Context(), nil, nil), memory.ErrFull)
	}
	b.Add(-1)
	require.False(t, b.Full())
	require.False(t, b.Open(), "somebody has to tell that publishers go on")
	for range 2 {
		require.NoError(t, b.Admit(t.Context(), nil, nil))
	}
	require.True(t, b.Open())
	require.Equal(t, []bool{true, false}, a.told)
}

func TestQueuesReportInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Budget
		b.Init(640, false, &alarms{}) // a step is a sixty-fourth
		require.False(t, b.Due(9, 100))
		require.True(t, b.Due(10, 100))
		require.False(t, b.Due(-9, 100))
		require.True(t, b.Due(-10, 100))
		require.True(t, b.Due(-1, 0), "an empty queue owes nothing")
		require.False(t, b.Due(0, 0))
		b.Add(640)
		waiting := admitted(t.Context(), &b, nil)
		require.True(t, b.Due(1, 100), "while publishers wait every byte counts")
		b.Close()
		<-waiting

		var large, none memory.Budget
		large.Init(1<<40, false, &alarms{})
		require.False(t, large.Due(64<<10-1, 1<<20))
		require.True(t, large.Due(64<<10, 1<<20), "a step is 64 KiB at most")
		none.Init(-1, false, &alarms{})
		none.Add(1 << 50)
		require.False(t, none.Full())
		require.False(t, none.Due(1<<40, 1<<50))
	})
}
