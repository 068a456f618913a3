package delay_test

import (
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/delay"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/tasks"
)

func delayed(v any) message.Content {
	return message.NewPublished(&message.Properties{Headers: table.Table{delay.Header: v}})
}

func TestDelayOfAHeader(t *testing.T) {
	require.Zero(t, delay.Of(nil))
	require.Zero(t, delay.Of(message.NewPublished(&message.Properties{})))
	for _, tt := range []struct {
		header any
		want   int64
	}{
		{int8(5), 5}, {uint32(math.MaxUint32), math.MaxUint32}, {int64(delay.Max), delay.Max}, {int64(delay.Max + 1), delay.Max},
		{int64(-1), 0}, {int64(math.MinInt64), 0}, {0, 0},
		{"17", 17}, {"-1", 0}, {"x", 0}, {"", 0}, {"99999999999999999999", delay.Max}, {"1.5", 0},
		{1.9, 1}, {float32(2.5), 2}, {-0.5, 0}, {float64(delay.Max), delay.Max}, {float64(delay.Max + 1), delay.Max},
		{math.NaN(), 0}, {math.Inf(1), delay.Max}, {math.Inf(-1), 0}, {true, 0}, {nil, 0}, {[]byte("5"), 0},
	} {
		require.Equal(t, tt.want, delay.Of(delayed(tt.header)), "%#v", tt.header)
	}
}

// env is a store with what it needs, and what it has released.
type env struct {
	*delay.Store
	clock  clock.Clock
	memory memory.Budget
	tasks  tasks.Group
	during func(n int) // called while the nth message is routed

	refuses bool // nothing can be routed

	mu       sync.Mutex
	released []string // routing keys
}

type noAlarm struct{}

func (noAlarm) RecordMemoryAlarm(bool) {}
func (noAlarm) NotifyMemoryAlarm()     {}

func newEnv() *env {
	e := &env{clock: clock.Start()}
	e.memory.Init(1, true, noAlarm{}) // full with a single byte
	e.Store = delay.New(&e.clock, &e.memory, &e.tasks, func(p *message.Publishing) bool {
		if e.refuses {
			return false
		}
		e.mu.Lock()
		e.released = append(e.released, p.Key)
		n := len(e.released)
		e.mu.Unlock()
		if e.during != nil {
			e.during(n)
		}
		return true
	})
	return e
}

func (e *env) keys() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.released)
}

func (e *env) add(key string, ms int) bool {
	return e.Add(&message.Publishing{Entry: message.Entry{Body: []byte(key), Key: key, Content: delayed(ms)}})
}

// sleep lets time pass, and what comes due happen.
func sleep(ms int) {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	synctest.Wait()
}

func TestMessagesComeWhenTheyAreDueInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		for _, m := range []struct {
			key string
			ms  int
		}{{"c", 20}, {"a", 10}, {"d", 20}, {"e", 20}, {"b", 10}, {"f", 30}} {
			require.True(t, e.add(m.key, m.ms))
		}
		messages, bytes := e.Stats()
		require.Equal(t, 6, messages)
		require.Greater(t, bytes, 6*(&message.Entry{Body: []byte("a")}).Cost(), "headers count, too")
		sleep(9)
		require.Empty(t, e.keys())
		sleep(1)
		require.Equal(t, []string{"a", "b"}, e.keys())
		sleep(10)
		require.Equal(t, []string{"a", "b", "c", "d", "e"}, e.keys(), "those of one time in the order in which they came")
		require.False(t, e.memory.Fits(0), "the last one is kept back still")
		sleep(10)
		require.Len(t, e.keys(), 6)
		require.True(t, e.memory.Fits(0), "nothing is held any more")
		messages, bytes = e.Stats()
		require.Zero(t, messages)
		require.Zero(t, bytes)
	})
}

func TestWhatComesDueWhileOthersAreRoutedIsReleasedBehindThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		e.during = func(n int) {
			require.False(t, e.memory.Fits(0), "it counts until the queues hold it")
			messages, bytes := e.Stats()
			require.Positive(t, messages)
			require.Positive(t, bytes)
			if n == 1 {
				e.add("late", 5)
				time.Sleep(10 * time.Millisecond)
			}
		}
		for range 1000 {
			require.True(t, e.add("x", 1))
		}
		sleep(20)
		require.Len(t, e.keys(), 1001)
		require.Equal(t, "late", e.keys()[1000])
		require.NoError(t, e.tasks.Wait(t.Context()))
	})
}

func TestAClosedStoreDropsItsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv()
		require.True(t, e.add("a", 10))
		e.Close(false)
		require.True(t, e.memory.Fits(0), "what they held is free")
		require.False(t, e.add("b", 10))
		require.True(t, e.memory.Fits(0))
		sleep(20)
		require.Empty(t, e.keys())
		messages, bytes := e.Stats()
		require.Zero(t, messages)
		require.Zero(t, bytes)
	})
}
