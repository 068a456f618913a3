package remote_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/remote"
)

// deadConn is a connection whose client gets errors from when dead is set, while the
// broker hears nothing of that.
type deadConn struct {
	net.Conn
	dead   *atomic.Bool
	closed chan struct{}
}

func (c *deadConn) Read(b []byte) (int, error) {
	type read struct {
		n   int
		err error
	}
	done := make(chan read, 1)
	room := make([]byte, len(b))
	go func() {
		n, err := c.Conn.Read(room)
		done <- read{n, err}
	}()
	select {
	case r := <-done:
		copy(b, room[:r.n])
		return r.n, r.err
	case <-c.closed:
		return 0, errors.New("dead")
	}
}

func (c *deadConn) Write(b []byte) (int, error) {
	if c.dead.Load() {
		return 0, errors.New("dead")
	}
	return c.Conn.Write(b)
}

func (c *deadConn) Close() error {
	if c.dead.Load() {
		return nil
	}
	return c.Conn.Close()
}

// TestADeadConnectionThatTheBrokerStillHas keeps messages and exclusive queues from the
// next connection until the broker misses heartbeats.
func TestADeadConnectionThatTheBrokerStillHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		real, srv := brokertest.Serve(t, nil, nil)
		var conns []*deadConn
		r, err := remote.Dial(t.Context(), []string{"amqp://guest:guest@localhost/"}, &remote.Options{
			Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			Dial: func(network, addr string) (net.Conn, error) {
				c, err := srv.Dial(network, addr)
				if err != nil {
					return nil, err
				}
				conns = append(conns, &deadConn{c, new(atomic.Bool), make(chan struct{})})
				return conns[len(conns)-1], nil
			},
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Close()) }()
		var own, jobs collected
		_, err = warren.SubscribeFor(r, "x", "#", own.get)
		require.NoError(t, err)
		began := make(chan struct{}, 10)
		_, err = warren.WorkFor(r, "jobs", func(ctx context.Context, s string) error {
			began <- struct{}{}
			time.Sleep(5 * time.Second)
			jobs.add(s)
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, warren.EnqueueFor(t.Context(), r, "jobs", "j"))
		<-began
		conns[0].dead.Store(true)
		close(conns[0].closed)
		brokertest.Later(time.Second)
		require.Len(t, conns, 2)
		require.NoError(t, warren.EnqueueFor(t.Context(), r, "jobs", "next"))
		brokertest.Later(2 * time.Minute)
		require.Equal(t, []string{"j", "next", "j"}, jobs.take(), "it comes again when the broker has noticed")
		require.NoError(t, warren.PublishFor(t.Context(), real, "x", "k", "event"))
		synctest.Wait()
		require.Equal(t, []string{"event"}, own.take())
	})
}
