package amqp_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// The official client, as people use it, over ten minutes: heartbeats keep an
// idle connection alive, a handler of this process answers, and the client
// comes back when the server has cut it off.
func TestTheOfficialClientOverTenMinutes(t *testing.T) {
	withServer(t, func(t *env) {
		_, err := t.broker.Handle("double", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			return warren.Message{Body: append(req.Body, req.Body...)}, nil
		})
		require.NoError(t, err)
		var dialled atomic.Int64
		var first countingConn
		conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", amqp091.Config{
			Heartbeat: 10 * time.Second,
			Dial: func(network, addr string) (net.Conn, error) {
				c, err := t.server.Dial(network, addr)
				if dialled.Add(1) == 1 {
					first.Conn = c
					return &first, err
				}
				return c, err
			},
			Recovery: &amqp091.Recovery{ReconnectionConfig: amqp091.DefaultReconnectionConfig},
		})
		require.NoError(t, err)
		defer conn.Close()
		ch := brokertest.ClientChannel(t, conn)
		replies := t.consume(ch, warren.DirectReplyTo, "", true)
		call := func(body string) string {
			require.NoError(t, ch.PublishWithContext(t.Context(), "", "double", true, false,
				amqp091.Publishing{ReplyTo: warren.DirectReplyTo, CorrelationId: body, Body: []byte(body)}))
			d := t.next(replies)
			require.Equal(t, body, d.CorrelationId)
			return string(d.Body)
		}
		require.Equal(t, "abab", call("ab"))
		first.reads.Store(0)
		first.writes.Store(0)
		time.Sleep(10 * time.Minute)
		require.False(t, conn.IsClosed())
		require.EqualValues(t, 1, dialled.Load(), "it was never lost")
		require.InDelta(t, 2*60, first.reads.Load(), 5, "the server's heartbeats, two in an interval")
		require.GreaterOrEqual(t, first.writes.Load(), int64(60), "the client's")
		require.Equal(t, "cdcd", call("cd"))

		first.Close() // the connection is lost
		time.Sleep(time.Minute)
		require.EqualValues(t, 2, dialled.Load())
		require.Equal(t, "efef", call("ef"), "consumers are there again, with new addresses")
	})
}

// countingConn counts what passes in calls of Read and Write.
type countingConn struct {
	net.Conn
	reads, writes atomic.Int64
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.reads.Add(1)
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// A frame that comes slowly is no silence: heartbeats cannot come within it.
func TestAClientThatSendsALargeFrameSlowlyIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		r := dialRaw(t, srv)
		r.open(10)
		r.send(1, &wire.ChannelOpen{}, &wire.QueueDeclare{Queue: "q"})
		expect[*wire.ChannelOpenOk](r)
		expect[*wire.QueueDeclareOk](r)
		message := wire.AppendPublish(nil, 1, &wire.BasicPublish{RoutingKey: []byte("q")}, nil, make([]byte, 1000), 4096)
		for _, octet := range message { // more than an hour and a half
			time.Sleep(5 * time.Second)
			r.write([]byte{octet})
		}
		r.send(1, &wire.BasicGet{Queue: []byte("q"), NoAck: true})
		expect[*wire.BasicGetOk](r)
		r.nextFrame()
		r.nextFrame()
		r.hangUp()
		require.NoError(t, b.Close())
	})
}

// useConnections has each of many connections with many channels do something
// on each.
func useConnections(t *testing.T, connections, channels int, dial func(string, string) (net.Conn, error)) {
	t.Helper()
	config := amqp091.Config{Dial: dial, Heartbeat: time.Hour}
	conns := make([]*amqp091.Connection, connections)
	errs := make(chan error, connections)
	var wg sync.WaitGroup
	limit := make(chan struct{}, 64) // handshakes at a time
	for i := range conns {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			var err error
			if conns[i], err = amqp091.DialConfig("amqp://guest:guest@localhost/", config); err == nil {
				err = useChannels(conns[i], channels)
			}
			errs <- err
		})
	}
	wg.Wait()
	for range connections {
		require.NoError(t, <-errs)
	}
	for _, c := range conns { // all are open now
		wg.Go(func() { errs <- c.Close() })
	}
	wg.Wait()
	for range connections {
		require.NoError(t, <-errs)
	}
}

// useChannels opens channels and sends a message through a queue of each.
func useChannels(conn *amqp091.Connection, channels int) error {
	for i := range channels {
		ch, err := conn.Channel()
		if err != nil {
			return err
		}
		q, err := ch.QueueDeclare("", false, true, true, false, nil)
		if err != nil {
			return err
		}
		body := fmt.Sprint("message ", i)
		if err := ch.Publish("", q.Name, true, false, amqp091.Publishing{Body: []byte(body)}); err != nil {
			return err
		}
		d, ok, err := ch.Get(q.Name, true)
		if err != nil {
			return err
		}
		if !ok || string(d.Body) != body {
			return fmt.Errorf("got %v %q, not %q", ok, d.Body, body)
		}
	}
	return nil
}

func requireEmpty(t *testing.T, b *warren.Broker) {
	t.Helper()
	s := b.Stats()
	require.Zero(t, s.Sessions, "%+v", s)
	require.Zero(t, s.Queues, "%+v", s)
}

func TestAThousandConnectionsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		useConnections(t, 1000, 10, srv.Dial)
		synctest.Wait()
		requireEmpty(t, b)
	})
}

func TestAThousandConnectionsOverTCP(t *testing.T) {
	b, srv := brokertest.Serve(t, nil, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	useConnections(t, 1000, 10, func(network, addr string) (net.Conn, error) {
		return net.Dial("tcp", l.Addr().String())
	})
	require.NoError(t, srv.Close())
	require.ErrorIs(t, <-served, amqp.ErrServerClosed)
	requireEmpty(t, b)
}

func TestAsManyChannelsAsAreOffered(t *testing.T) {
	withServer(t, func(t *env) {
		conn := t.dial()
		for range 2047 {
			brokertest.ClientChannel(t, conn)
		}
		_, err := conn.Channel()
		require.ErrorIs(t, err, amqp091.ErrChannelMax, "the client keeps count")
		require.False(t, conn.IsClosed())

		r := t.raw()
		var b []byte
		for n := range 2046 {
			b = wire.AppendMethod(b, uint16(n+2), &wire.ChannelOpen{})
		}
		r.write(b)
		for range 2046 {
			expect[*wire.ChannelOpenOk](r)
		}
		r.send(2048, &wire.ChannelOpen{})
		m := expect[*wire.ConnectionClose](r)
		require.Equal(t, "NOT_ALLOWED - number of channels opened (2047) has reached the negotiated channel_max (2047)", m.ReplyText)
		require.Equal(t, uint16(530), m.ReplyCode)
	})
}

// BenchmarkIdleConnection reports what a connection with a channel holds while
// nothing happens, the client's side left out: that is a memory of its own.
func BenchmarkIdleConnection(b *testing.B) {
	for b.Loop() {
		srv := benchServer(b)
		const n = 500
		var before, after runtime.MemStats
		clients := make([]net.Conn, n)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range clients {
			clients[i] = idleConn(b, srv)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		held := after.HeapAlloc + after.StackInuse - before.HeapAlloc - before.StackInuse
		b.ReportMetric(float64(held)/n, "bytes/connection")
		for _, c := range clients {
			c.Close()
		}
	}
}

// idleConn opens a connection with a channel, and keeps no buffer for it.
func idleConn(b *testing.B, srv *amqp.Server) net.Conn {
	c, err := net.Dial("tcp", srv.Addr().String())
	require.NoError(b, err)
	c.Write(append(helloFrames(), wire.AppendMethod(nil, 1, &wire.ChannelOpen{})...))
	frames := wire.NewFrameReader(c, make([]byte, 4096)) // garbage when this returns
	for {
		f, err := frames.Next()
		require.NoError(b, err)
		if f.Channel == 1 {
			return c
		}
	}
}
