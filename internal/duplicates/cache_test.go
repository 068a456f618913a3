package duplicates_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// id is the content of a message with this value in the header id, and with
// further headers.
func id(v any, more ...table.Table) message.Content {
	headers := table.Table{"id": v}
	for _, m := range more {
		headers = table.Join(headers, m)
	}
	return message.NewPublished(&message.Properties{Headers: headers})
}

func newCache(size, ttl int64) *duplicates.Cache {
	c := clock.Start()
	var b memory.Budget
	b.Init(-1, false, nil)
	return duplicates.New(duplicates.Options{Header: "id", Size: size, TTL: ttl}, &c, &b)
}

func TestValuesAreToldApartByTypeAndNotByWidth(t *testing.T) {
	c := newCache(100, -1)
	for _, v := range []any{"1", int64(1), 1.5, true, []byte("1"), "i1", table.Table{"a": "1"}} {
		require.True(t, c.Add(id(v)), "%#v", v)
		require.False(t, c.Add(id(v)), "%#v", v)
	}
	require.False(t, c.Add(id(int8(1))), "an integer of another width is the same")
	for range 2 {
		require.True(t, c.Add(nil), "no content says what it is")
		require.True(t, c.Add(message.NewPublished(&message.Properties{})))
		require.True(t, c.Add(id(nil)))
	}
}

func TestTheOldestValueGivesItsPlace(t *testing.T) {
	c := newCache(2, -1)
	require.True(t, c.Add(id("a")))
	require.True(t, c.Add(id("b")))
	require.False(t, c.Add(id("a")), "a duplicate does not count as new")
	require.True(t, c.Add(id("c")), "it takes the place of a")
	require.False(t, c.Add(id("b")))
	require.True(t, c.Add(id("a")), "it takes the place of b")
	require.False(t, c.Add(id("c")))
	require.True(t, c.Add(id("b")))
}

func TestForgetMakesAMessageFresh(t *testing.T) {
	c := newCache(2, -1)
	c.Add(id("a"))
	c.Add(id("b"))
	c.Forget(id("a"))
	c.Forget(id("never came"))
	c.Forget(nil)
	require.True(t, c.Add(id("a")))
	require.False(t, c.Add(id("b")), "there was room")
	(*duplicates.Cache)(nil).Forget(id("a"))
}

func TestValuesAreRememberedForTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(2, 1000)
		own := table.Table{duplicates.TTLHeader: int32(10)}
		require.True(t, c.Add(id("a")))
		require.True(t, c.Add(id("b", own)), "the message's own time counts")
		time.Sleep(10*time.Millisecond - 1)
		require.False(t, c.Add(id("b")))
		time.Sleep(time.Nanosecond)
		require.True(t, c.Add(id("b")), "its time is over, and starts anew")
		require.False(t, c.Add(id("a")))
		time.Sleep(time.Second - 10*time.Millisecond)
		require.True(t, c.Add(id("a")))
		require.False(t, c.Add(id("b")))

		require.True(t, c.Add(id("c", table.Table{duplicates.TTLHeader: int64(-1)})), "a negative time does not count")
		require.False(t, c.Add(id("a")), "b was the oldest")
		time.Sleep(time.Second)
		require.True(t, c.Add(id("c")))
	})
}

// TestACacheGrowsWhileThereIsMemory: then it is one of the size that it has grown to.
func TestACacheGrowsWhileThereIsMemory(t *testing.T) {
	c := clock.Start()
	var b memory.Budget
	b.Init(0, false, nil) // topology has 8 MiB
	cache := duplicates.New(duplicates.Options{Header: "id", Size: 1 << 40, TTL: -1}, &c, &b)
	for i := range 128 {
		require.True(t, cache.Add(id(i)))
	}
	require.Zero(t, b.Topology(), "the caller takes it")
	const many = 200_000
	for i := range many {
		require.True(t, cache.Add(id(1000+i)))
	}
	require.LessOrEqual(t, b.Topology(), int64(8<<20))
	require.Greater(t, b.Topology(), int64(7<<20))
	for i := range 50_000 {
		require.False(t, cache.Add(id(1000+many-1-i)), "the newest are remembered")
	}
	require.True(t, cache.Add(id(1000)), "the oldest is not")
	cache.Forget(id(1000 + many - 1))
	require.True(t, cache.Add(id(1000+many-1)))

	cache.Close()
	require.Zero(t, b.Topology())
	require.True(t, cache.Add(id(1)))
	require.True(t, cache.Add(id(1)))
	require.Zero(t, b.Topology())
}

// TestACacheHoldsWhatIsCounted compares with the heap.
func TestACacheHoldsWhatIsCounted(t *testing.T) {
	const all = 100_000 // values, in caches of n; so many that what else the process holds is nothing
	for _, n := range []int{128, 1000, all} {
		heap := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := heap()
		caches := make([]*duplicates.Cache, all/n)
		for c := range caches {
			caches[c] = newCache(int64(n), -1)
			for i := range n {
				caches[c].Add(id(i))
			}
		}
		held := (heap() - before) / int64(len(caches)*n)
		t.Logf("%d values: %d bytes each", n, held)
		require.LessOrEqual(t, held, int64(96+24))
		runtime.KeepAlive(caches)
	}
}
