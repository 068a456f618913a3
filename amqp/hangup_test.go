package amqp_test

import (
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// TestAClientThatHangsUpWhileItIsBlockedIsNoticed has a client without heartbeats, and
// with octets under way that nobody can read.
func TestAClientThatHangsUpWhileItIsBlockedIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, &warren.Options{MemoryLimit: 2000}, nil)
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "held")
		brokertest.Fill(t, ch, "held", "x")
		require.NoError(t, ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 3000)}, warren.PublishOptions{}))
		r := rawChannel(t, srv)
		r.send(1, &wire.BasicGet{Queue: []byte("held")})
		expect[*wire.BasicGetOk](r)
		r.publish(1, "q", "x")
		r.publish(1, "q", "y")
		time.Sleep(24 * time.Hour)
		require.Equal(t, 1, b.Stats().Waiting, "a client that is there may wait for ever")
		require.Zero(t, brokertest.Ready(t, ch, "held"))
		r.conn.Close()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Zero(t, b.Stats().Waiting)
		require.Equal(t, 1, brokertest.Ready(t, ch, "held"), "what it had is there for others")
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"), "what waited is not published")
	})
}

// TestTheKernelTellsOfAHangUp looks at both ends of TCP connections.
func TestTheKernelTellsOfAHangUp(t *testing.T) {
	l := listenTCP(t)
	defer l.Close()
	for name, hangUp := range map[string]func(c *net.TCPConn){
		"FIN":                    func(c *net.TCPConn) { c.Close() },
		"FIN behind unread data": func(c *net.TCPConn) { c.Write(make([]byte, 1000)); c.Close() },
		"RST":                    func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			client, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			server, err := l.Accept()
			require.NoError(t, err)
			defer server.Close()
			require.False(t, amqp.HungUp(server))
			_, err = client.Write([]byte("unread"))
			require.NoError(t, err)
			require.False(t, amqp.HungUp(server))
			hangUp(client.(*net.TCPConn))
			for runtime.GOOS == "linux" && !amqp.HungUp(server) { // the kernel takes a moment
				runtime.Gosched()
			}
		})
	}
}
