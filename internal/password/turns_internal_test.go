package password

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// fullTurns are turns that are all taken. The rest of the test gives one back at a
// time.
func fullTurns(t *testing.T) *turns {
	ts := new(turns)
	for range 1 << 10 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if ts.take(ctx, "first") != nil {
			return ts
		}
	}
	require.Fail(t, "turns are not bounded")
	return nil
}

// queuing makes somebody wait for a turn, who tells the name when it comes.
func queuing(ctx context.Context, ts *turns, origin string, name string, told chan<- string) {
	go func() {
		if err := ts.take(ctx, origin); err != nil {
			name += ": " + err.Error()
		}
		told <- name
	}()
	synctest.Wait()
}

func TestOriginsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := fullTurns(t)
		told := make(chan string, 10)
		for _, name := range []string{"a1", "a2", "a3", "b1", "c1", "b2"} {
			queuing(t.Context(), ts, name[:1], name, told)
		}
		require.Empty(t, told)
		got := []string{}
		for range 6 {
			ts.give()
			got = append(got, <-told)
		}
		require.Equal(t, []string{"a1", "b1", "c1", "a2", "b2", "a3"}, got)
		ts.give()
		queuing(t.Context(), ts, "d", "free", told)
		require.Equal(t, "free", <-told)
	})
}

func TestAWaitForATurnEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := fullTurns(t)
		told := make(chan string, 10)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range maxWaitingOfOne {
			queuing(ctx, ts, "a", fmt.Sprint(i), told)
		}
		queuing(t.Context(), ts, "a", "late", told)
		require.Equal(t, "late: "+ErrBusy.Error(), <-told, "those who wait are bounded")
		cancel()
		for range maxWaitingOfOne {
			require.Contains(t, <-told, context.Canceled.Error())
		}
		queuing(t.Context(), ts, "a", "next", told)
		ts.give()
		require.Equal(t, "next", <-told)
		require.Zero(t, ts.waiting)
		require.Empty(t, ts.lines)
		require.Empty(t, ts.next)
	})
}

func TestTheLongestLineMakesRoomForAnotherOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := fullTurns(t)
		told := make(chan string, maxWaiting+10)
		for i := range maxWaiting {
			queuing(t.Context(), ts, fmt.Sprint("flood", i%(maxWaiting/maxWaitingOfOne)), fmt.Sprint(i), told)
		}
		require.Empty(t, told)
		queuing(t.Context(), ts, "another", "another", told)
		require.Contains(t, <-told, ErrBusy.Error(), "one of the flood")
		require.Equal(t, maxWaiting, ts.waiting)
		for range maxWaiting {
			ts.give()
			synctest.Wait()
		}
		require.Len(t, told, maxWaiting)
		at := 0
		for name := ""; name != "another"; at++ {
			name = <-told
		}
		require.LessOrEqual(t, at, maxWaiting/maxWaitingOfOne+1, "after one of each origin")
	})
}
