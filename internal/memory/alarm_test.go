package memory_test

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memory"
)

func TestAnAlarmByHandHoldsPublishersBack(t *testing.T) {
	for _, limit := range []int64{1000, -1, math.MaxInt64} {
		synctest.Test(t, func(t *testing.T) {
			var a alarms
			var b memory.Budget
			b.Init(limit, false, &a)
			require.True(t, b.Raise(memory.Memory))
			require.False(t, b.Raise(memory.Memory), "it is on already")
			require.True(t, b.Alarm())
			require.True(t, b.Raised(memory.Memory))
			require.False(t, b.FitsAny())
			require.False(t, b.Fits(1))
			var account memory.Account
			account.Open(&b)
			require.False(t, account.Take(1))
			var gone atomic.Bool
			first, second := admitted(t.Context(), &b, 10, nil), admitted(t.Context(), &b, 10, &gone)
			synctest.Wait()
			require.Equal(t, 2, b.Waiting())
			require.False(t, b.Clear(memory.Memory))
			gone.Store(true)
			b.Wake()
			require.ErrorIs(t, <-second, memory.ErrClosed)
			synctest.Wait()
			require.Equal(t, 1, b.Waiting(), "one alarm is left")
			require.True(t, b.Clear(memory.Memory))
			require.NoError(t, <-first)
			b.Add(-10)
			require.Zero(t, b.Used())
			synctest.Wait()
			require.True(t, b.FitsAny())
			require.False(t, b.Alarm())
			require.Equal(t, []bool{true, false}, a.told)
		})
	}
}

func TestAnAlarmOfTheDiskIsNotOneOfMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a alarms
		var b memory.Budget
		b.Init(1000, false, &a)
		b.Raise(memory.Disk)
		waiting := admitted(t.Context(), &b, 10, nil)
		synctest.Wait()
		require.Equal(t, 1, b.Waiting())
		require.False(t, b.Alarm())
		require.False(t, b.FitsAny())
		b.Raise(memory.Memory)
		require.True(t, b.Alarm())
		b.Clear(memory.Disk)
		b.Clear(memory.Memory)
		require.NoError(t, <-waiting)
		synctest.Wait()
		require.Equal(t, []bool{true, false}, a.told)

		var refusing memory.Budget
		refusing.Init(1000, true, &alarms{})
		refusing.Raise(memory.Disk)
		require.ErrorIs(t, refusing.Admit(t.Context(), 1, nil, nil), memory.ErrFull)
		require.False(t, refusing.Alarm())
		refusing.Clear(memory.Disk)
		require.NoError(t, refusing.Admit(t.Context(), 1, nil, nil))
	})
}
