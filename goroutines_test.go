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
)

var rpBubbleName = regexp.MustCompile(`synctest bubble \d+`)

// rpGoroutines counts the goroutines of the caller's bubble.
func rpGoroutines(t *testing.T) int {
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
	bubble := rpBubbleName.Find(first)
	require.NotNil(t, bubble, string(first))
	return len(regexp.MustCompile(`(?m)^goroutine .*`+string(bubble)+`\b`).FindAll(stacks, -1))
}

func TestGoroutinesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := rpGoroutines(t)
		stop := make(chan struct{})
		for range 3 {
			go func() { <-stop }()
		}
		require.Equal(t, before+3, rpGoroutines(t))
		close(stop)
		require.Equal(t, before, rpGoroutines(t))
	})
}

func TestIdleBrokerHasNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := rpGoroutines(t)
		b := warren.New(nil)
		v, err := b.VirtualHostDeclare("v")
		require.NoError(t, err)
		for i := range 10 {
			name := strconv.Itoa(i)
			ch := rpChannel(t, b)
			require.NoError(t, ch.ExchangeDeclare(name, warren.Topic, warren.ExchangeOptions{}))
			rpQueue(t, ch, name)
			require.NoError(t, ch.QueueBind(name, "#", name, nil))
			rpNumbers(t, ch, name, 10)
			_, err := ch.Consume(name, warren.ConsumeOptions{Prefetch: 3})
			require.NoError(t, err)
			_, err = ch.Consume(warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
			require.NoError(t, err)
			rpHandle(t, v, name, echo)
			rpHandle(t, v, name, echo)
		}
		require.Equal(t, before, rpGoroutines(t))
		require.NoError(t, b.Close())
		require.Equal(t, before, rpGoroutines(t))
	})
}

func TestGoroutinesOfHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(nil)
		before := rpGoroutines(t)
		gate := rpNewGate()
		h := rpHandle(t, b, "q", gate.serve)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { b.Call(context.Background(), "q", warren.Message{}) })
		}
		require.Equal(t, before+2*50, rpGoroutines(t), "one for each request and one for each caller")
		close(gate.release)
		wg.Wait()
		require.LessOrEqual(t, rpGoroutines(t), before+16, "up to 16 wait for the next ones")
		require.NoError(t, h.Close())
		require.Equal(t, before, rpGoroutines(t))
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
				before := rpGoroutines(t)
				b := warren.New(nil)
				ch := rpChannel(t, b)
				rpQueue(t, ch, "q")
				_, err := ch.ConsumeFunc("q", warren.ConsumeOptions{}, func(d warren.Delivery) { d.Ack(false) })
				require.NoError(t, err)
				rpNumbers(t, ch, "q", 100)
				rpHandle(t, b, "rpc", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
					ctx, cancel := context.WithTimeout(ctx, time.Hour)
					defer cancel()
					return warren.Message{Body: req.Body}, ctx.Err()
				})
				var wg sync.WaitGroup
				for range 20 {
					wg.Go(func() { b.Call(context.Background(), "rpc", warren.Message{}) })
				}
				wg.Wait()
				require.Greater(t, rpGoroutines(t), before)
				require.NoError(t, end(b))
				require.Equal(t, before, rpGoroutines(t))
			})
		})
	}
}
