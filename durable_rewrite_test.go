package warren_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/topology"
)

// logBytes is what the log of the topology takes in a directory.
func logBytes(dir *filestest.Dir) (n int) {
	for _, name := range dir.Names() {
		if strings.HasPrefix(name, topology.Prefix) {
			n += len(dir.Bytes(name))
		}
	}
	return n
}

// TestTheLogOfTheTopologyStaysSmall declares and deletes from many goroutines, while the
// log is written anew again and again: at each moment the disk has what was answered.
func TestTheLogOfTheTopologyStaysSmall(t *testing.T) {
	dir := filestest.New()
	b := openFiles(t, dir, nil)
	ch := channelOf(t, b, "/")
	require.NoError(t, ch.ExchangeDeclare("hash", warren.ConsistentHash, warren.ExchangeOptions{Durable: true}))
	for i := range 20 {
		_, err := ch.QueueDeclare(fmt.Sprint("stays ", i), warren.QueueOptions{Durable: true})
		require.NoError(t, err)
		for weight := range 3 {
			require.NoError(t, ch.QueueBind(fmt.Sprint("stays ", i), fmt.Sprint(1+(i+weight)%3), "hash", nil))
		}
	}
	before, shares := exportText(t, b), hashShares(t, ch)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			ch := brokertest.MustChannel(b)
			name := fmt.Sprint(i, strings.Repeat(" long", 40))
			for range 1000 {
				_, err := ch.QueueDeclare(name, warren.QueueOptions{Durable: true})
				if err == nil {
					err = ch.QueueBind(name, "1", "hash", nil)
				}
				if err == nil {
					err = b.UserDeclare(name, "")
				}
				if err == nil {
					_, err = ch.QueueDelete(name, warren.QueueDeleteOptions{})
				}
				if err == nil {
					err = b.UserDelete(name)
				}
				if err != nil {
					panic(err)
				}
			}
		})
	}
	wait.Wait()
	require.Less(t, logBytes(dir), 3<<20, "of far more that was written")
	require.Equal(t, before, exportText(t, b))
	b = reopened(t, b, dir)
	require.Equal(t, before, exportText(t, b))
	require.Equal(t, shares, hashShares(t, channelOf(t, b, "/")), "bindings have kept their order")
	b = reopened(t, b, dir)
	require.Equal(t, before, exportText(t, b))
}

// hashShares publishes some messages to the exchange hash, and returns how many came to
// each queue.
func hashShares(t testing.TB, ch *warren.Channel) (shares []int) {
	t.Helper()
	for i := range 200 {
		require.NoError(t, ch.Publish(t.Context(), "hash", fmt.Sprint("key ", i), warren.Message{}, warren.PublishOptions{}))
	}
	for i := range 20 {
		n, err := ch.QueuePurge(fmt.Sprint("stays ", i))
		require.NoError(t, err)
		shares = append(shares, n)
	}
	return shares
}

// BenchmarkOpenTopology opens directories with so many durable queues, each with a
// binding.
func BenchmarkOpenTopology(b *testing.B) {
	for _, n := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := b.TempDir()
			broker, err := warren.Open(path, &warren.Options{MemoryLimit: -1})
			require.NoError(b, err)
			for from := 0; from < n; from += 100_000 {
				to := min(n, from+100_000)
				var text strings.Builder
				text.WriteString(`{"queues":[`)
				for i := from; i < to; i++ {
					fmt.Fprintf(&text, `%s{"name":"queue %d","durable":true,"arguments":{"x-max-length":1000}}`, comma(i-from), i)
				}
				text.WriteString(`],"bindings":[`)
				for i := from; i < to; i++ {
					fmt.Fprintf(&text, `%s{"source":"amq.direct","destination":"queue %d","destination_type":"queue","routing_key":"%d"}`, comma(i-from), i, i)
				}
				text.WriteString(`]}`)
				require.NoError(b, broker.DefinitionsImport(strings.NewReader(text.String())))
			}
			require.NoError(b, broker.Close())
			broker = nil
			before, held := heapInUse(), int64(0)
			for b.Loop() {
				broker, err := warren.Open(path, &warren.Options{MemoryLimit: -1})
				require.NoError(b, err)
				b.StopTimer()
				held = heapInUse() - before
				b.StartTimer()
				require.NoError(b, broker.Close())
			}
			b.ReportMetric(float64(held)/float64(n), "B/queue")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/queue")
		})
	}
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// heapInUse is what the heap holds now.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
