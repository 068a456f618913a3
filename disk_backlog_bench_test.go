package warren_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// procStatus is a figure of the process in bytes, such as VmRSS, or 0 if the system does
// not tell.
func procStatus(name string) (n int64) {
	status, _ := os.ReadFile("/proc/self/status")
	_, text, _ := strings.Cut(string(status), name+":")
	_, _ = fmt.Sscan(text, &n)
	return n << 10
}

// BenchmarkDiskBacklog fills a durable queue with persistent messages of 100 bytes, and tells
// what the process takes then; opens a copy of the directory, which is what a crash leaves;
// closes the broker, opens it again, and reads all with acks. Run it with -benchtime 1x.
func BenchmarkDiskBacklog(b *testing.B) {
	for _, n := range []int{1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for range b.N {
				diskBacklog(b, n)
			}
		})
	}
}

func diskBacklog(b *testing.B, n int) {
	dir := b.TempDir()
	broker, err := warren.Open(dir, nil)
	require.NoError(b, err)
	brokertest.Queue(b, brokertest.Channel(b, broker), "q", warren.QueueOptions{Durable: true})
	ch := brokertest.Channel(b, broker)
	require.NoError(b, ch.Confirm())
	start := time.Now()
	publishConfirmed(b, ch, n, 1000, warren.Message{Body: make([]byte, 100), DeliveryMode: warren.Persistent})
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(n), "fill-ns/msg")
	time.Sleep(3 * time.Second) // page files are written, and the system gets memory back
	b.ReportMetric(float64(procStatus("VmRSS"))/1e6, "resident-MB")
	b.ReportMetric(float64(procStatus("VmHWM"))/1e6, "peak-MB")

	crashed := b.TempDir()
	copyStore(b, dir, crashed)
	require.NoError(b, broker.Close())
	debug.FreeOSMemory()
	start = time.Now()
	broker, err = warren.Open(crashed, nil)
	require.NoError(b, err)
	b.ReportMetric(float64(time.Since(start).Microseconds())/1e3, "open-crash-ms")
	require.Equal(b, n, broker.Stats().Ready)
	require.NoError(b, broker.Close())
	debug.FreeOSMemory()

	start = time.Now()
	broker, err = warren.Open(dir, nil)
	require.NoError(b, err)
	b.ReportMetric(float64(time.Since(start).Microseconds())/1e3, "open-clean-ms")
	b.ReportMetric(float64(procStatus("VmRSS"))/1e6, "opened-MB")
	ch = brokertest.Channel(b, broker)
	start = time.Now()
	got := 0
	for d, err := range ch.Deliveries(context.Background(), "q", warren.ConsumeOptions{Prefetch: 1000}) {
		require.NoError(b, err)
		require.NoError(b, d.Ack(false))
		if got++; got == n {
			break
		}
	}
	b.ReportMetric(float64(time.Since(start).Nanoseconds())/float64(n), "drain-ns/msg")
	b.ReportMetric(float64(procStatus("VmRSS"))/1e6, "drained-MB")
	start = time.Now()
	require.NoError(b, broker.Close())
	b.ReportMetric(float64(time.Since(start).Microseconds())/1e3, "close-ms")
	b.ReportMetric(0, "ns/op")
}

// copyStore copies the files of a broker that goes on with its work but has nothing to do.
func copyStore(b *testing.B, from, to string) {
	entries, err := os.ReadDir(from)
	require.NoError(b, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(from, e.Name()))
		require.NoError(b, err)
		require.NoError(b, os.WriteFile(filepath.Join(to, e.Name()), data, 0o600))
	}
}
