package clock_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
)

// bell notes when it is rung, and sets the alarm for what comes next.
type bell struct {
	clock clock.Clock

	mu    sync.Mutex
	alarm clock.Alarm
	next  []int64
	rang  []int64
}

func (b *bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alarm.Rung()
	b.rang = append(b.rang, b.clock.Now())
	if len(b.next) > 0 {
		at := b.next[0]
		b.next = b.next[1:]
		b.alarm.Set(at, b.clock.Now(), b)
	}
}

func (b *bell) set(at int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alarm.Set(at, b.clock.Now(), b)
}

func TestAlarmRingsAtTheNearestOfSeveralTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bell{clock: clock.Start(), next: []int64{70, 60, 100}}
		b.set(50)
		b.set(80) // later: nothing changes
		b.set(30)
		b.set(40)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Equal(t, []int64{30, 70, 70, 100}, b.rang, "a time that is over rings at once")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Len(t, b.rang, 4, "nobody has set it again")
		b.set(b.clock.Now() + 5)
		b.alarm.Stop()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.Len(t, b.rang, 4, "it was stopped")
	})
}

func TestAlarmThatWasNeverSetCanBeStopped(t *testing.T) {
	var a clock.Alarm
	a.Stop()
}

func TestClockIsNeverZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := clock.Start()
		require.Equal(t, int64(1), c.Now())
		require.Equal(t, int64(1), c.At(start))
		require.Equal(t, int64(1), c.At(start.Add(-time.Hour)), "a time before the start is the start")
		time.Sleep(time.Second)
		require.Equal(t, int64(time.Second)+1, c.Now())
		require.Equal(t, c.Now(), c.At(time.Now()))
	})
}

func TestZeroIsLaterThanEveryTime(t *testing.T) {
	for _, tt := range [][3]int64{{0, 0, 0}, {0, 7, 7}, {7, 0, 7}, {7, 8, 7}, {8, 7, 7}, {7, 7, 7}} {
		require.Equal(t, tt[2], clock.Earlier(tt[0], tt[1]), tt)
	}
}
