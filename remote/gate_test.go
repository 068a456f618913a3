package remote_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// gate stands between a client and a server, and holds up what the client reads or writes.
type gate struct {
	dial func(network, addr string) (net.Conn, error)

	mu sync.Mutex
	// Guarded by mu.
	reads, writes chan struct{} // nil: it is open
}

func (g *gate) Dial(network, addr string) (net.Conn, error) {
	nc, err := g.dial(network, addr)
	return &gateConn{nc, g}, err
}

// shut holds up reads or writes until f is called.
func (g *gate) shut(what *chan struct{}) (open func()) {
	c := make(chan struct{})
	set := func(c chan struct{}) {
		g.mu.Lock()
		defer g.mu.Unlock()
		*what = c
	}
	set(c)
	return func() {
		set(nil)
		close(c)
	}
}

// await waits if it is shut, and reports whether it was.
func (g *gate) await(what *chan struct{}) bool {
	g.mu.Lock()
	c := *what
	g.mu.Unlock()
	if c != nil {
		<-c
	}
	return c != nil
}

type gateConn struct {
	net.Conn
	gate *gate
}

func (c *gateConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.gate.await(&c.gate.reads)
	return n, err
}

// Write fails, with nothing taken, if it had to wait.
func (c *gateConn) Write(p []byte) (int, error) {
	if c.gate.await(&c.gate.writes) {
		c.Conn.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// gated runs f with a client whose connection has a gate.
func gated(t *testing.T, f func(t *testing.T, real *warren.Broker, client *remote.Broker, g *gate)) {
	synctest.Test(t, func(t *testing.T) {
		real, srv := brokertest.Serve(t, nil, nil)
		g := &gate{dial: srv.Dial}
		client, err := remote.Dial(t.Context(), anyURL, &remote.Options{Dial: g.Dial, Heartbeat: time.Hour})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		f(t, real, client, g)
	})
}

// What a connection has not taken before it has failed goes out by the next one.
func TestWhatWasNotWrittenIsSentAgain(t *testing.T) {
	gated(t, func(t *testing.T, real *warren.Broker, client *remote.Broker, g *gate) {
		served := map[string]int{}
		_, err := real.Handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			served[string(req.Body)]++
			return req.Message, nil
		}, warren.HandleOptions{Concurrency: 1})
		require.NoError(t, err)
		require.NoError(t, client.Enqueue(t.Context(), "jobs", warren.Message{}))
		open := g.shut(&g.writes)
		var waiting sync.WaitGroup
		for i := range 5 {
			waiting.Go(func() {
				body := fmt.Sprint("call ", i)
				reply, err := client.Call(t.Context(), "echo", warren.Message{Body: []byte(body)})
				require.NoError(t, err)
				require.Equal(t, body, string(reply.Body))
			})
			waiting.Go(func() {
				require.NoError(t, client.Enqueue(t.Context(), "jobs", warren.Message{Body: fmt.Append(nil, "job ", i)}))
			})
		}
		brokertest.Later(time.Second)
		require.Empty(t, served)
		open()
		waiting.Wait()
		require.Len(t, served, 5)
		for body, n := range served {
			require.Equal(t, 1, n, body)
		}
		require.Len(t, bodies(t, real, "jobs"), 6)
	})
}

// Whether a message has arrived whose confirm does not come in time is not known.
func TestPublishesThatAreNotConfirmedInTime(t *testing.T) {
	gated(t, func(t *testing.T, real *warren.Broker, client *remote.Broker, g *gate) {
		require.NoError(t, client.Enqueue(t.Context(), "jobs", warren.Message{}))
		open := g.shut(&g.reads)
		var waiting sync.WaitGroup
		var unknown atomic.Int32
		for range 300 { // more than wait for their confirm at a time
			waiting.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := client.Enqueue(ctx, "jobs", warren.Message{Body: []byte("x")})
				require.ErrorIs(t, err, context.DeadlineExceeded)
				if strings.Contains(err.Error(), "is not known yet") {
					unknown.Add(1)
				}
			})
		}
		waiting.Wait()
		require.EqualValues(t, 256, unknown.Load(), "others were not sent")
		large := warren.Message{Body: make([]byte, 100<<10)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, client.Enqueue(ctx, "jobs", large), context.DeadlineExceeded)
		open()
		brokertest.Later(time.Second)
		require.NoError(t, client.Enqueue(t.Context(), "jobs", warren.Message{Body: []byte("y")}))
		require.Len(t, bodies(t, real, "jobs"), 256+2, "what was sent has arrived")
	})
}
