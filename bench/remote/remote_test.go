// Package remote_test measures package remote beside code that was written by hand with
// amqp091-go for the same broker, whose listener is in a process of its own:
//
//	go test -run '^$' -bench . -count 10 ./bench/remote | tee new && benchstat new
//
// Both take turns within each benchmark, so that a busy machine is busy for both.
package remote_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/remote"
)

// brokerVariable makes the program the broker's process.
const brokerVariable = "WARREN_BENCH_BROKER"

func TestMain(m *testing.M) {
	if os.Getenv(brokerVariable) != "" {
		serve()
		return
	}
	m.Run()
}

// serve runs a broker and its listener until the other process ends, and prints where it
// is.
func serve() {
	b := warren.New(nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	srv := amqp.NewServer(b, nil)
	go srv.Serve(l)
	fmt.Printf("amqp://guest:guest@%s/\n", l.Addr())
	io.Copy(io.Discard, os.Stdin)
	srv.Close()
	b.Close()
}

// broker starts the other process, and returns where its listener is.
func broker(tb testing.TB) (url string) {
	program, err := os.Executable()
	require.NoError(tb, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), brokerVariable+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(tb, err)
	out, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	tb.Cleanup(func() {
		in.Close()
		require.NoError(tb, cmd.Wait())
	})
	url, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(tb, err)
	return strings.TrimSpace(url)
}

// caller calls a queue.
type caller func(ctx context.Context, queue string, body []byte) ([]byte, error)

// byHand and byRemote return a caller and serve a queue with an echo, each on a connection
// of its own.
func byHand(tb testing.TB, url, queue string) caller {
	serveByHand(tb, url, queue)
	return newHandCaller(tb, url).call
}

func byRemote(tb testing.TB, url, queue string) caller {
	dial := func() *remote.Broker {
		r, err := remote.Dial(tb.Context(), []string{url}, nil)
		require.NoError(tb, err)
		tb.Cleanup(func() { require.NoError(tb, r.Close()) })
		return r
	}
	_, err := dial().Handle(queue, func(_ context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{Body: req.Body}, nil
	})
	require.NoError(tb, err)
	client := dial()
	return func(ctx context.Context, queue string, body []byte) ([]byte, error) {
		reply, err := client.Call(ctx, queue, warren.Message{Body: body})
		return reply.Body, err
	}
}

func TestBothAnswer(t *testing.T) {
	url := broker(t)
	for name, call := range map[string]caller{"hand": byHand(t, url, "hand"), "remote": byRemote(t, url, "remote")} {
		reply, err := call(t.Context(), name, []byte("x"))
		require.NoError(t, err)
		require.Equal(t, "x", string(reply))
	}
	_, err := newHandCaller(t, url).call(t.Context(), "nobody", nil)
	require.ErrorIs(t, err, errReturned)
}

// BenchmarkCall calls an echo of 16 bytes and waits for the reply. The handler is on a
// connection of its own in the same process as the callers.
func BenchmarkCall(b *testing.B) { each(b, byHand, byRemote) }

// BenchmarkPublish publishes 16 persistent bytes to a durable queue by its name, mandatory,
// and waits for the confirm.
func BenchmarkPublish(b *testing.B) { each(b, publishByHand, publishByRemote) }

func publishByRemote(tb testing.TB, url, _ string) caller {
	r, err := remote.Dial(tb.Context(), []string{url}, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, r.Close()) })
	return func(ctx context.Context, queue string, body []byte) ([]byte, error) {
		return nil, r.Enqueue(ctx, queue, warren.Message{Body: body})
	}
}

// each compares for one caller and for many.
func each(b *testing.B, byHand, byRemote func(tb testing.TB, url, queue string) caller) {
	for _, callers := range []int{1, 64} {
		b.Run("callers="+strconv.Itoa(callers), func(b *testing.B) {
			url := broker(b)
			var hand, far caller
			labelled("hand", func() { hand = byHand(b, url, "hand") })
			labelled("remote", func() { far = byRemote(b, url, "remote") })
			compare(b, callers, hand, far)
		})
	}
}

// turns is how often one follows the other.
const turns = 20

// spent is what calls took: on the clock, and of this process.
type spent struct{ wall, cpu time.Duration }

// compare lets both make as many calls, in turn, and reports what a call of each takes.
func compare(b *testing.B, callers int, hand, remote caller) {
	names, calls := [...]string{"hand", "remote"}, [...]caller{hand, remote}
	var total [2]spent
	run := func(who, n int) {
		labelled(names[who], func() { total[who].add(b, callers, calls[who], names[who], n) })
	}
	run(0, callers)
	run(1, callers)
	total = [2]spent{}
	b.ResetTimer()
	for i := range turns {
		n := b.N*(i+1)/turns - b.N*i/turns
		run(i%2, n)
		run(1-i%2, n)
	}
	b.StopTimer()
	for i, name := range names {
		b.ReportMetric(float64(total[i].wall.Nanoseconds())/float64(b.N), name+"-ns/op")
		b.ReportMetric(float64(total[i].cpu.Nanoseconds())/float64(b.N), name+"-cpu-ns/op")
	}
	b.ReportMetric(float64(total[1].wall)/float64(total[0].wall), "remote/hand")
	b.ReportMetric(float64(total[1].cpu)/float64(max(1, total[0].cpu)), "remote/hand-cpu")
	b.ReportMetric(0, "ns/op") // of both together, which means nothing
}

// add makes n calls.
func (s *spent) add(b *testing.B, callers int, call caller, queue string, n int) {
	body := make([]byte, 16)
	var left atomic.Int64
	left.Store(int64(n))
	began, cpu := time.Now(), cpuTime()
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := call(b.Context(), queue, body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	s.wall += time.Since(began)
	s.cpu += cpuTime() - cpu
}

// labelled runs f so that a CPU profile tells whose goroutines work: go tool pprof
// -tagfocus by=remote.
func labelled(by string, f func()) {
	pprof.Do(context.Background(), pprof.Labels("by", by), func(context.Context) { f() })
}
