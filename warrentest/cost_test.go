package warrentest_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/warrentest"
)

// BenchmarkNew is a whole test: a broker, a queue, a message that goes through it, and the
// end.
func BenchmarkNew(b *testing.B) {
	for _, bench := range []struct {
		name string
		test func(t testing.TB, b *warrentest.Broker)
	}{
		{"NativeChannel", nativeRound},
		{"AMQP091", clientRound},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fake := run(b, func(t testing.TB) { bench.test(t, warrentest.New(t)) })
				if fake.failed {
					b.Fatal(fake.fatal, fake.errors)
				}
			}
		})
	}
}

// nativeRound sends a message through a queue by a channel of the program.
func nativeRound(t testing.TB, b *warrentest.Broker) {
	ch := brokertest.Channel(t, b)
	brokertest.Queues(t, ch, "q")
	brokertest.Fill(t, ch, "q", "hello")
	d, ok, err := ch.Get("q", true)
	if err != nil || !ok || string(d.Body) != "hello" {
		t.Fatalf("got %q, %v, %v", d.Body, ok, err)
	}
}

// clientRound does the same by a client that dials.
func clientRound(t testing.TB, b *warrentest.Broker) {
	conn, err := amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
	require.NoError(t, err)
	require.NoError(t, clientMessage(conn, "hello"))
}

// clientMessage sends a message through a queue, which must have no other, and closes the
// connection.
func clientMessage(conn *amqp091.Connection, body string) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if _, err := ch.QueueDeclare("q", false, false, false, false, nil); err != nil {
		return err
	}
	if err := ch.Publish("", "q", false, false, amqp091.Publishing{Body: []byte(body)}); err != nil {
		return err
	}
	if d, ok, err := ch.Get("q", true); err != nil || !ok || string(d.Body) != body {
		return fmt.Errorf("got %q, %v, %w", d.Body, ok, err)
	}
	return conn.Close()
}

func TestThousandParallelTests(t *testing.T) {
	t.Run("all", func(t *testing.T) {
		for i := range 1000 {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				switch i % 4 {
				case 0, 1:
					synctest.Test(t, func(t *testing.T) { clientRound(t, warrentest.New(t)) })
				case 2:
					clientRound(t, warrentest.New(t))
				default:
					conn, err := amqp091.Dial(warrentest.New(t).URL())
					require.NoError(t, err)
					require.NoError(t, clientMessage(conn, t.Name()))
				}
			})
		}
	})
	noGoroutines(t)
}

// The bubble fails if a goroutine of a broker or a client is left.
func TestThousandBrokersAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		failures := make(chan error, n)
		start := make(chan struct{})
		for i := range n {
			b := warrentest.New(t)
			conn, err := amqp091.DialConfig("amqp://", amqp091.Config{Dial: b.Dial})
			require.NoError(t, err)
			go func() {
				<-start
				failures <- clientMessage(conn, strconv.Itoa(i))
			}()
		}
		close(start)
		for range n {
			require.NoError(t, <-failures)
		}
	})
}

// noGoroutines requires that no goroutine works for the kit any more, nor for a broker or
// a client.
func noGoroutines(t *testing.T) {
	t.Helper()
	brokertest.NoGoroutines(t)
	stacks := make([]byte, 1<<20)
	require.Eventually(t, func() bool {
		return !strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "warren/warrentest.")
	}, time.Minute, 10*time.Millisecond, "goroutines are left")
}

// A day of a client that reconnects, with its connection cut and stalled each hour.
func TestDay(t *testing.T) {
	started := time.Now()
	synctest.Test(t, func(t *testing.T) {
		b := warrentest.New(t)
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "late")
		brokertest.Queue(t, ch, "soon", warren.QueueOptions{MessageTTL: 30 * time.Second, DeadLetter: &warren.DeadLetter{RoutingKey: "late"}})
		ctx, stop := context.WithCancel(t.Context())
		r := &reconnecting{dial: b.Dial, bodies: make(map[string]bool)}
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })

		const minutes = 24 * 60
		for i := range minutes {
			brokertest.Fill(t, ch, "soon", strconv.Itoa(i))
			switch i % 60 {
			case 20:
				b.Now(warrentest.Match{Connection: "worker"}, warrentest.Cut())
			case 40:
				stall := b.Now(warrentest.Match{Connection: "worker"}, warrentest.Stall())
				time.Sleep(time.Minute)
				stall.Undo()
			}
			time.Sleep(time.Minute)
		}
		heartbeats := len(b.Recorded(warrentest.Match{Method: warrentest.Heartbeat}))
		require.Greater(t, heartbeats, minutes)
		require.Zero(t, brokertest.Ready(t, ch, "soon"))
		stop()
		running.Wait()
		require.NoError(t, r.failure)
		require.Len(t, r.bodies, minutes, "each message has expired, and come")
		require.Equal(t, 1+2*24, r.connections)
	})
	t.Logf("24 hours took %v", time.Since(started))
}

// reconnecting is a client that dials again 5 seconds after its connection has ended.
type reconnecting struct {
	dial brokertest.Dialer

	// Of run.
	connections int
	bodies      map[string]bool // that came
	failure     error
}

// run receives from the queue late until ctx ends.
func (r *reconnecting) run(ctx context.Context) {
	for ctx.Err() == nil && r.failure == nil {
		r.failure = r.connect(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
}

// connect receives until the connection or ctx ends.
func (r *reconnecting) connect(ctx context.Context) error {
	conn, err := amqp091.DialConfig("amqp://", amqp091.Config{
		Dial: r.dial, Heartbeat: 10 * time.Second, Properties: amqp091.Table{"connection_name": "worker"},
	})
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer conn.Close()
	r.connections++
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	deliveries, err := ch.Consume("late", "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return nil
			}
			r.bodies[string(d.Body)] = true
			d.Ack(false) // if the connection has ended, it comes again
		case <-ctx.Done():
			return nil
		}
	}
}
