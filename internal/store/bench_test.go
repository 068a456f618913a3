package store_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// disk is a store in a real directory.
func disk(b *testing.B, dir files.Dir) *store.Store {
	c := clock.Start()
	s, err := store.Open(dir, store.Options{Clock: &c}, func(uint32) bool { return true })
	require.NoError(b, err)
	return s
}

func realDir(b *testing.B) files.Dir {
	dir, err := files.Open(b.TempDir())
	require.NoError(b, err)
	return dir
}

// nobody takes nothing.
type nobody struct{ loaded chan *store.Block }

func (n nobody) Loaded(b *store.Block) { n.loaded <- b }
func (n nobody) Paged()                {}

func publishing(size int) *message.Publishing {
	exchange := "exchange"
	return &message.Publishing{Entry: message.Entry{
		Body: make([]byte, size), Key: "key", Exchange: &exchange,
		Content: &message.Encoded{Raw: (&message.Properties{DeliveryMode: 2}).AppendTo(nil)},
	}}
}

// BenchmarkAddRemove adds messages and settles them after some others were added: at once,
// so that nothing is written, and after they are written.
func BenchmarkAddRemove(b *testing.B) {
	for _, window := range []uint64{1, 1000, 200_000} {
		b.Run(fmt.Sprint("window ", window), func(b *testing.B) {
			s := disk(b, realDir(b))
			var mu sync.Mutex
			k := s.Queue(1, &mu, nil)
			p := publishing(100)
			pos := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				mu.Lock()
				k.Add(pos, p, 0, true)
				if pos >= window {
					k.Remove(pos - window)
				}
				mu.Unlock()
				if pos++; s.Full() {
					require.NoError(b, s.WaitRoom(b.Context()))
				}
			}
			st := s.Stats()
			b.ReportMetric(float64(st.Written)/float64(b.N), "written/op")
			require.NoError(b, s.Close(b.Context()))
		})
	}
}

// BenchmarkFanout adds a message to eight queues, and settles it there later.
func BenchmarkFanout(b *testing.B) {
	s := disk(b, realDir(b))
	var mu [8]sync.Mutex
	var queues [8]*store.Queue
	for i := range queues {
		queues[i] = s.Queue(uint32(i+1), &mu[i], nil)
	}
	pos := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		p := *publishing(1000)
		p.Shared = true
		for i, k := range queues {
			mu[i].Lock()
			k.Add(pos, &p, 0, true)
			if pos >= 10_000 {
				k.Remove(pos - 10_000)
			}
			mu[i].Unlock()
		}
		if pos++; s.Full() {
			require.NoError(b, s.WaitRoom(b.Context()))
		}
	}
	b.ReportMetric(float64(s.Stats().Written)/float64(b.N), "written/op")
	require.NoError(b, s.Close(b.Context()))
}

// heap is how many bytes live.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// resident is the most memory that the process has had, in bytes; 0 if the system does not
// tell.
func resident() (n int64) {
	status, _ := os.ReadFile("/proc/self/status")
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(text, &n)
	return n << 10
}

// BenchmarkBacklog fills a queue with messages of 100 bytes, and reports what each costs;
// then it opens the store after a crash and after a close, and reads all.
func BenchmarkBacklog(b *testing.B) {
	for _, n := range []uint64{1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				backlog(b, n)
			}
		})
	}
}

func backlog(b *testing.B, n uint64) {
	path := b.TempDir()
	dir, err := files.Open(path)
	require.NoError(b, err)
	before := heap()
	s := disk(b, dir)
	var mu sync.Mutex
	k := s.Queue(1, &mu, nobody{})
	p := publishing(100)
	start := time.Now()
	for pos := range n {
		mu.Lock()
		k.Add(pos, p, 0, true)
		mu.Unlock()
		if s.Full() {
			require.NoError(b, s.WaitRoom(b.Context()))
		}
	}
	require.NoError(b, s.Wait(b.Context(), store.Seq(p.Synced)))
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(n), "fill-ns/msg")
	require.Error(b, s.Close(canceled(b)))
	start = time.Now()
	s = disk(b, dir)
	require.False(b, s.Clean())
	b.ReportMetric(float64(time.Since(start).Milliseconds()), "open-crash-ms")
	s.Queue(1, &mu, nobody{})
	s.PageOut()
	for s.Stats().Messages < int64(n) {
		time.Sleep(10 * time.Millisecond)
	}
	b.ReportMetric(float64(heap()-before)/float64(n), "heap/msg")
	b.ReportMetric(float64(s.Stats().PageBytes)/float64(n), "disk/msg")
	b.ReportMetric(float64(resident())/(1<<20), "peak-MiB")
	require.NoError(b, s.Close(b.Context()))
	start = time.Now()
	s = disk(b, dir)
	b.ReportMetric(float64(time.Since(start).Milliseconds()), "open-clean-ms")

	taker := nobody{make(chan *store.Block, 1)}
	k = s.Queue(1, &mu, taker)
	start = time.Now()
	mu.Lock()
	first, last, c := k.Out(0)
	mu.Unlock()
	require.Equal(b, int(n), c.Len)
	for got := 0; got < c.Len; {
		mu.Lock()
		k.Load(first, last)
		mu.Unlock()
		block := <-taker.loaded
		mu.Lock()
		k.Keep(block)
		for i := range block.Items {
			k.Remove(block.Items[i].Pos)
		}
		mu.Unlock()
		got += block.Count.Len
		first = block.Last + 1
	}
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(n), "drain-ns/msg")
	require.NoError(b, s.Close(b.Context()))
}

// BenchmarkManyQueues puts ten messages into each of many queues.
func BenchmarkManyQueues(b *testing.B) {
	const n = 100_000
	for b.Loop() {
		dir := realDir(b)
		s := disk(b, dir)
		mu := make([]sync.Mutex, n)
		before := heap()
		queues := make([]*store.Queue, n)
		p := publishing(100)
		for i := range queues {
			queues[i] = s.Queue(uint32(i+1), &mu[i], nil)
		}
		b.ReportMetric(float64(heap()-before)/n, "heap/empty-queue")
		for pos := range uint64(10) {
			for i, k := range queues {
				mu[i].Lock()
				k.Add(pos, p, 0, true)
				mu[i].Unlock()
				if s.Full() {
					require.NoError(b, s.WaitRoom(b.Context()))
				}
			}
		}
		start := time.Now()
		s.PageOut()
		for s.Stats().Messages < 10*n {
			time.Sleep(10 * time.Millisecond)
		}
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "page-out-ms")
		b.ReportMetric(float64(heap()-before)/n, "heap/queue")
		start = time.Now()
		require.NoError(b, s.Close(b.Context()))
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "close-ms")
		runtime.KeepAlive(queues)
		queues = nil
		start = time.Now()
		s = disk(b, dir)
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "open-ms")
		require.NoError(b, s.Close(b.Context()))
	}
}
