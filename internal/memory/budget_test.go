package memory_test

import (
	"context"
	"math"
	"runtime"
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

// admitted starts a publisher of n bytes and returns its result, which is there once
// it has been let in or has failed.
func admitted(ctx context.Context, b *memory.Budget, n int64, gone *atomic.Bool) chan error {
	result := make(chan error, 1)
	go func() { result <- b.Admit(ctx, n, gone, nil) }()
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
			require.True(t, b.Fits(1), "limit %d: one byte is left", limit)
			b.Add(1)
			require.False(t, b.Fits(0), "limit %d", limit)
			waiting := admitted(t.Context(), &b, 1, nil)
			b.Add(low - limit)
			synctest.Wait()
			require.Empty(t, waiting, "limit %d: at %d bytes nobody goes on", limit, low)
			require.False(t, b.Fits(0), "limit %d: at %d bytes nobody passes those who wait", limit, low)
			b.Add(-1)
			synctest.Wait()
			require.Len(t, waiting, 1, "limit %d: at %d bytes they go on", limit, low-1)
			require.NoError(t, <-waiting)
			require.Equal(t, low, b.Used(), "limit %d: what was let in counts", limit)
			require.Equal(t, low < limit, b.Fits(0), "limit %d: with nobody waiting the limit counts", limit)
		})
	}
}

// TestPublishersAreLetInInTurn has three that wait: a large one for which there is no
// room yet keeps a small one back that came later.
func TestPublishersAreLetInInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Budget
		b.Init(1600, false, &alarms{}) // publishers go on below 1400, and may exceed the limit by 100
		b.Add(1600)
		first := admitted(t.Context(), &b, 50, nil)
		large := admitted(t.Context(), &b, 600, nil)
		last := admitted(t.Context(), &b, 1, nil)
		require.Equal(t, 3, b.Waiting())
		b.Add(-250)
		synctest.Wait()
		require.Len(t, first, 1)
		require.Empty(t, large, "1400 + 600 > 1700")
		require.Empty(t, last, "it does not overtake")
		require.False(t, b.Fits(1), "nor does a new one")
		b.Add(-300)
		synctest.Wait()
		require.Len(t, large, 1)
		require.Empty(t, last, "there is no room beside the large one")
		b.Add(-301)
		synctest.Wait()
		require.Len(t, last, 1)
		require.Zero(t, b.Waiting())
		require.Equal(t, int64(1400), b.Used(), "all that was let in counts")
	})
}

// TestWhoeverGivesUpMakesRoomForTheNext cancels the large one at the front.
func TestWhoeverGivesUpMakesRoomForTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Budget
		b.Init(1600, false, &alarms{})
		b.Add(1200)
		ctx, cancel := context.WithCancel(t.Context())
		large := admitted(ctx, &b, 700, nil)
		small := admitted(t.Context(), &b, 1, nil)
		require.Empty(t, small)
		cancel()
		require.ErrorIs(t, <-large, context.Canceled)
		synctest.Wait()
		require.Len(t, small, 1)
		require.Equal(t, int64(1201), b.Used())
		require.True(t, b.Fits(1))
	})
}

// TestAMessageOfHalfTheLimitFitsAlone says why there is a MaxMessage.
func TestAMessageOfHalfTheLimitFitsAlone(t *testing.T) {
	var b memory.Budget
	b.Init(64<<20, false, &alarms{})
	require.Equal(t, int64(32<<20), b.MaxMessage())
	require.True(t, b.Reserve(32<<20), "topology may have half")
	require.False(t, b.Reserve(1))
	require.True(t, b.Fits(b.MaxMessage()+100))
}

func TestAWaitingPublisherFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Budget
		b.Init(10, false, &alarms{})
		b.Add(10)

		ctx, cancel := context.WithCancel(t.Context())
		ended := admitted(ctx, &b, 1, nil)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)

		var gone atomic.Bool
		other := admitted(t.Context(), &b, 1, new(atomic.Bool))
		removed := admitted(t.Context(), &b, 1, &gone)
		gone.Store(true)
		b.Wake()
		require.ErrorIs(t, <-removed, memory.ErrClosed)
		synctest.Wait()
		require.Empty(t, other, "it waits on")

		b.Close()
		require.ErrorIs(t, <-other, memory.ErrClosed)
		require.Equal(t, int64(10), b.Used(), "nothing counts of those who failed")
	})
}

func TestTheAlarmIsToldOncePerChange(t *testing.T) {
	var a alarms
	var b memory.Budget
	b.Init(10, true, &a)
	require.True(t, b.Fits(1))
	b.Add(10)
	for range 2 {
		require.ErrorIs(t, b.Admit(t.Context(), 1, nil, nil), memory.ErrFull)
	}
	b.Add(-3)
	require.False(t, b.Fits(1), "somebody has to tell that publishers go on")
	for range 2 {
		require.NoError(t, b.Admit(t.Context(), 1, nil, nil))
	}
	require.True(t, b.Fits(1))
	require.Equal(t, []bool{true, false}, a.told)
}

func TestAnAlarmLastsAsLongAsPublishersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a alarms
		var b memory.Budget
		b.Init(1600, false, &a)
		b.Add(1600)
		first, second := admitted(t.Context(), &b, 300, nil), admitted(t.Context(), &b, 300, nil)
		require.Equal(t, []bool{true}, a.told)
		b.Add(-300)
		synctest.Wait()
		require.Len(t, first, 1)
		require.Equal(t, []bool{true}, a.told, "the second waits still")
		b.Add(-300)
		synctest.Wait()
		require.Len(t, second, 1)
		require.Equal(t, []bool{true, false}, a.told)
	})
}

func TestWhoMustNotWaitMayExceedTheLimitByAnEighth(t *testing.T) {
	for limit, over := range map[int64]int64{1600 << 10: 200 << 10, 1000: 64 << 10, 1 << 30: 8 << 20} {
		var b memory.Budget
		b.Init(limit, false, &alarms{})
		b.Add(limit)
		require.False(t, b.Fits(1))
		require.True(t, b.Overdraw(over))
		require.False(t, b.Overdraw(1))
		require.Equal(t, limit+over, b.Used())
	}
}

func TestBookkeepingCountsBeyondEightMebibytes(t *testing.T) {
	var b memory.Budget
	b.Init(64<<20, false, &alarms{})
	b.Keep(8 << 20)
	require.Zero(t, b.Used())
	b.Keep(3)
	require.Equal(t, int64(3), b.Used())
	require.True(t, b.Reserve(4))
	require.Equal(t, int64(7), b.Used())
	b.Keep(-5)
	require.Equal(t, int64(2), b.Used())
	b.Keep(-(8 << 20))
	require.Zero(t, b.Used())
	b.Release(4)
	require.True(t, b.Reserve(32<<20), "topology may have half of the limit")

	var small memory.Budget
	small.Init(1000, false, &alarms{})
	require.True(t, small.Reserve(8<<20), "beside a small limit it may have 8 MiB")
	require.Zero(t, small.Used())
	require.False(t, small.Reserve(1))
	small.Release(8 << 20)
	require.True(t, small.Reserve(8<<20), "what was refused does not count")
}

func TestAccountsReportInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b memory.Budget
		b.Init(640, false, &alarms{}) // a step is a sixty-fourth
		var a memory.Account
		a.Open(&b)
		a.Add(9)
		require.Zero(t, b.Used())
		a.Add(1)
		require.Equal(t, int64(10), b.Used())
		a.Add(-9)
		require.Equal(t, int64(10), b.Used())
		a.Add(-1)
		require.Zero(t, b.Used(), "who has nothing owes nothing")
		b.Add(640)
		waiting := admitted(t.Context(), &b, 1, nil)
		a.Add(1)
		require.Equal(t, int64(641), b.Used(), "while publishers wait every byte counts")
		b.Close()
		<-waiting
		a.Add(1)
		require.Equal(t, int64(641), b.Used())
		a.Close()
		require.Equal(t, int64(642), b.Used(), "the rest is reported at the end")

		var large, none memory.Budget
		large.Init(1<<40, false, &alarms{})
		require.False(t, large.Due(64<<10-1, 1<<20))
		require.True(t, large.Due(64<<10, 1<<20), "a step is 64 KiB at most")
		for _, limit := range []int64{-1, math.MaxInt64} {
			none.Init(limit, false, &alarms{})
			none.Add(1 << 50)
			require.True(t, none.Fits(1<<50))
			require.True(t, none.Reserve(1<<50))
			require.False(t, none.Due(1<<40, 1<<50))
			require.Zero(t, none.Used(), "nothing is counted")
		}
	})
}

// TestManyAccountsHideLittle has 40,000 accounts that hide as much as they can, at the
// time when each is opened or when all are there.
func TestManyAccountsHideLittle(t *testing.T) {
	const limit = 64 << 20
	for _, late := range []bool{false, true} {
		var b memory.Budget
		b.Init(limit, false, &alarms{})
		accounts := make([]memory.Account, 40_000)
		total := int64(0)
		hide := func(a *memory.Account) {
			n := int64(64 << 10)
			for n > 1 && b.Due(n, 1) {
				n /= 2
			}
			a.Add(n)
			total += n
		}
		for i := range accounts {
			accounts[i].Open(&b)
			if !late {
				hide(&accounts[i])
			}
		}
		for i := range accounts {
			if late {
				hide(&accounts[i])
			}
		}
		require.Greater(t, total, int64(40_000))
		require.Less(t, total-b.Used(), int64(limit/6), "late: %v", late)
	}
}

// TestTheAlarmEndsWithTheLastWhoWaits has publishers tell the end of the alarm at the very
// moment in which they are let in or turned away.
func TestTheAlarmEndsWithTheLastWhoWaits(t *testing.T) {
	var a alarms
	var b memory.Budget
	b.Init(1000, false, &a)
	for i := range 2000 {
		var gone atomic.Bool
		result := make(chan error)
		b.Add(1000)
		go func() { result <- b.Admit(t.Context(), 1, &gone, nil) }()
		for b.Waiting() == 0 {
			runtime.Gosched()
		}
		if i%2 == 0 {
			b.Add(-1000)
			require.NoError(t, <-result)
			b.Add(-1)
		} else {
			gone.Store(true)
			b.Wake()
			require.ErrorIs(t, <-result, memory.ErrClosed)
			b.Add(-1000)
		}
		n := len(a.told) // it may have been let in before it told anything
		require.False(t, n > 0 && a.told[n-1], "round %d: nobody waits", i)
		require.True(t, b.FitsAny(), "round %d: who comes next need not ask", i)
	}
}
