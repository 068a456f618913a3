package memconn_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memconn"
)

func TestAnIdlePairIsSmall(t *testing.T) {
	const pairs = 500
	conns := make([]*memconn.Conn, 0, 2*pairs)
	p := make([]byte, 16<<10)
	before := heapInUse()
	for range pairs {
		client, server := memconn.Pipe(0)
		conns = append(conns, client, server)
	}
	require.Less(t, (heapInUse()-before)/pairs, int64(1100), "new")

	for i := range conns {
		mustWrite(t, conns[i], p)
		copy(p, mustRead(t, conns[i^1], len(p)))
	}
	require.Less(t, (heapInUse()-before)/pairs, int64(1300), "after a burst")

	for i := 0; i < len(conns); i += 2 {
		mustWrite(t, conns[i], p)
		conns[i+1].Close()
	}
	require.Less(t, (heapInUse()-before)/pairs, int64(1300), "closed with something unread")
	runtime.KeepAlive(conns)
}

func heapInUse() int64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestLargeWritesDoNotAllocate(t *testing.T) {
	client, server := memconn.Pipe(0)
	p := make([]byte, 32<<10)
	allocs := testing.AllocsPerRun(1000, func() {
		client.Write(p)
		server.Read(p)
	})
	require.Zero(t, allocs)
}
