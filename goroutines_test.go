package warren_test

import (
	"bytes"
	"context"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

var bubbleName = regexp.MustCompile(`synctest bubble \d+`)

// goroutines counts the goroutines of the caller's bubble.
func goroutines(t *testing.T) int {
	t.Helper()
	synctest.Wait()
	stacks := make([]byte, 1<<16)
	n := runtime.Stack(stacks, true)
	for n == len(stacks) {
		stacks = make([]byte, 2*n)
		n = runtime.Stack(stacks, true)
	}
	stacks = stacks[:n] // the caller's comes first
	first, _, _ := bytes.Cut(stacks, []byte("\n"))
	bubble := bubbleName.Find(first)
	require.NotNil(t, bubble, string(first))
	return len(regexp.MustCompile(`(?m)^goroutine .*`+string(bubble)+`\b`).FindAll(stacks, -1))
}

func TestGoroutinesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goroutines(t)
		stop := make(chan struct{})
		for range 3 {
			go func() { <-stop }()
		}
		require.Equal(t, before+3, goroutines(t))
		close(stop)
		require.Equal(t, before, goroutines(t))
	})
}

func TestIdleBrokerHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := goroutines(t)
		b := warren.New(nil)
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		for i := range 10 {
			name := strconv.Itoa(i)
			ch := brokertest.Channel(t, b)
			require.NoError(t, ch.ExchangeDeclare(name, warren.Topic, warren.ExchangeOptions{}))
			brokertest.Queues(t, ch, name)
			require.NoError(t, ch.QueueBind(name, "#", name, nil))
			brokertest.Fill(t, ch, name, brokertest.Numbers(0, 9)...)
			_, err := ch.Consume(name, warren.ConsumeOptions{Prefetch: 3})
			require.NoError(t, err)
			_, err = ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
			require.NoError(t, err)
			brokertest.Handle(t, v, name, brokertest.Echo)
			brokertest.Handle(t, v, name, brokertest.Echo)
		}
		require.Equal(t, before, goroutines(t))
		require.NoError(t, b.Close())
		require.Equal(t, before, goroutines(t))
	})
}

func TestGoroutinesOfHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		before := goroutines(t)
		gate := brokertest.NewGate()
		h := brokertest.Handle(t, b, "q", gate.Serve)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { b.Call(context.Background(), "q", warren.Message{}) })
		}
		require.Equal(t, before+2*50, goroutines(t), "one for each request and one for each caller")
		close(gate.Release)
		wg.Wait()
		require.LessOrEqual(t, goroutines(t), before+16, "up to 16 wait for the next ones")
		require.NoError(t, h.Close())
		require.Equal(t, before, goroutines(t))
		require.NoError(t, b.Close())
	})
}

func TestClosedBrokerHasNoGoroutine(t *testing.T) {
	for name, end := range map[string]func(*warren.Broker) error{
		"Close":    func(b *warren.Broker) error { return b.Close() },
		"Shutdown": func(b *warren.Broker) error { return b.Shutdown(context.Background()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := goroutines(t)
				b := warren.New(nil)
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				_, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(context.Context, warren.Delivery) error { return nil })
				require.NoError(t, err)
				brokertest.Fill(t, ch, "q", brokertest.Numbers(0, 99)...)
				brokertest.Handle(t, b, "rpc", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
					ctx, cancel := context.WithTimeout(ctx, time.Hour)
					defer cancel()
					return warren.Message{Body: req.Body}, ctx.Err()
				})
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() { b.Call(context.Background(), "rpc", warren.Message{}) })
				}
				wg.Wait()
				require.Greater(t, goroutines(t), before)
				require.NoError(t, end(b))
				require.Equal(t, before, goroutines(t))
			})
		})
	}
}
