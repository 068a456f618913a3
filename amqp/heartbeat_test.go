package amqp_test

import (
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/memconn"
	"github.com/warrenmq/warren/internal/wire"
)

// beatingClient is a connection with a heartbeat of so many seconds.
func beatingClient(t *testing.T, seconds uint16) *rawClient {
	_, srv := brokertest.Serve(t, nil, nil)
	r := dialRaw(t, srv)
	r.open(seconds)
	return r
}

// readToTheEnd reads until the end and returns when it came, and how many
// heartbeats.
func readToTheEnd(r *rawClient) (after time.Duration, heartbeats int) {
	start := time.Now()
	for {
		f, err := r.frames.Next()
		if err != nil {
			require.Equal(r.t, io.EOF, err)
			return time.Since(start), heartbeats
		}
		require.Equal(r.t, wire.Frame{Type: wire.FrameHeartbeat, Payload: []byte{}}, f)
		heartbeats++
	}
}

func TestASilentClientIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after, heartbeats := readToTheEnd(beatingClient(t, 10))
		require.GreaterOrEqual(t, after, 20*time.Second)
		require.LessOrEqual(t, after, 30*time.Second)
		require.GreaterOrEqual(t, heartbeats, 2, "one each half interval")
	})
}

func TestAClientThatFallsSilentIsCutOffAfterTwoToThreeIntervals(t *testing.T) {
	for _, talk := range []time.Duration{time.Second, 9 * time.Second, 11 * time.Second, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			r := beatingClient(t, 10)
			for range talk / time.Second {
				time.Sleep(time.Second)
				r.write(wire.AppendHeartbeat(nil))
			}
			after, _ := readToTheEnd(r)
			require.GreaterOrEqual(t, after, 20*time.Second)
			require.LessOrEqual(t, after, 30*time.Second)
		})
	}
}

func TestAnyFrameCountsAsHeartbeat(t *testing.T) {
	for name, say := range map[string]func(r *rawClient){
		"heartbeats": func(r *rawClient) { r.write(wire.AppendHeartbeat(nil)) },
		"methods":    func(r *rawClient) { r.send(1, &wire.BasicAck{Multiple: true}) },
		"messages":   func(r *rawClient) { r.publish(1, "nowhere", "x") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := beatingClient(t, 10)
				r.send(1, &wire.ChannelOpen{})
				expect[*wire.ChannelOpenOk](r)
				for range 100 {
					time.Sleep(9 * time.Second)
					say(r)
				}
				r.hangUp()
			})
		})
	}
}

func TestTheServerSendsHeartbeatsOnlyWhenItIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := beatingClient(t, 10)
		start := time.Now()
		for n := range 60 {
			f, err := r.frames.Next()
			require.NoError(t, err)
			require.Equal(t, wire.FrameHeartbeat, f.Type)
			if n > 0 {
				require.Equal(t, 5*time.Second, time.Since(start), "each half interval")
			}
			start = time.Now()
			r.write(wire.AppendHeartbeat(nil))
		}
		for range 60 { // a server that answers need not send them
			time.Sleep(2 * time.Second)
			r.send(0, &wire.ConnectionUpdateSecret{})
			f, err := r.frames.Next()
			require.NoError(t, err)
			require.Equal(t, wire.FrameMethod, f.Type)
		}
		r.hangUp()
	})
}

// TestTheServerIsNeverSilentForMoreThanHalfAnInterval has answers at all distances
// from the ticks of a clock, and looks from open-ok on.
func TestTheServerIsNeverSilentForMoreThanHalfAnInterval(t *testing.T) {
	for _, seconds := range []uint16{1, 10} {
		for percent := range 100 { // of the interval
			synctest.Test(t, func(t *testing.T) {
				interval := time.Duration(seconds) * time.Second
				r := beatingClient(t, seconds)
				last, frames := time.Now(), 0
				go func() {
					for range 20 {
						time.Sleep(interval * time.Duration(percent) / 100)
						r.conn.Write(wire.AppendMethod(nil, 0, &wire.ConnectionUpdateSecret{}))
						time.Sleep(interval)
						r.conn.Write(wire.AppendHeartbeat(nil))
					}
					r.conn.Close()
				}()
				for {
					_, err := r.frames.Next()
					if err != nil {
						break
					}
					require.LessOrEqual(t, time.Since(last), interval/2, "%d %%", percent)
					last = time.Now()
					frames++
				}
				require.GreaterOrEqual(t, frames, 40)
			})
		}
	}
}

func TestAClientThatDoesNotReadGetsOneHeartbeatInItsBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		client, server := memconn.Pipe(0)
		stuck := newStuckConn(server)
		go srv.ServeConn(stuck)
		r := rawOver(t, client)
		r.open(10)
		stuck.stuck.Store(true)
		for range 60 {
			time.Sleep(10 * time.Second)
			r.write(wire.AppendHeartbeat(nil)) // it is alive
		}
		stuck.release()
		synctest.Wait()
		require.NoError(t, r.conn.SetReadDeadline(time.Now().Add(time.Second)))
		octets, err := io.ReadAll(r.conn)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, 2*len(wire.AppendHeartbeat(nil)), len(octets), "one that was being written, and one that waited")
	})
}

// stuckConn is a connection whose writes wait while it is stuck, until it is released
// or closed.
type stuckConn struct {
	net.Conn
	stuck   atomic.Bool
	free    chan struct{}
	release func()
}

func newStuckConn(c net.Conn) *stuckConn {
	s := &stuckConn{Conn: c, free: make(chan struct{})}
	s.release = sync.OnceFunc(func() { close(s.free) })
	return s
}

func (c *stuckConn) Write(b []byte) (int, error) {
	if c.stuck.Load() {
		<-c.free
	}
	return c.Conn.Write(b)
}

func (c *stuckConn) Close() error {
	c.release()
	return c.Conn.Close()
}

func TestTheClientsHeartbeatCounts(t *testing.T) {
	for _, seconds := range []uint16{1, 600} {
		synctest.Test(t, func(t *testing.T) {
			after, _ := readToTheEnd(beatingClient(t, seconds))
			interval := time.Duration(seconds) * time.Second
			require.GreaterOrEqual(t, after, 2*interval)
			require.LessOrEqual(t, after, 3*interval)
		})
	}
}

func TestNoHeartbeatMeansNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := beatingClient(t, 0)
		r.quiet(24 * time.Hour)
		r.hangUp()
	})
}

func TestHeartbeatsBelongToChannelZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		r := rawChannel(t, srv)
		r.sendFrame(wire.FrameHeartbeat, 1, "")
		r.closed(505, "UNEXPECTED_FRAME - type 8, all octets = <<>>")
	})
}
