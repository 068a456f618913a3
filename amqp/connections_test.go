package amqp_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
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

func TestConnectionsTellOfTheirClients(t *testing.T) {
	withServer(t, func(t *env) {
		require.Empty(t, t.server.Connections())
		start := time.Now()
		conn := brokertest.Dial(t, t.server.Dial, amqp091.Config{
			Heartbeat: 7 * time.Second, ChannelMax: 9, FrameSize: 8192, Properties: amqp091.Table{"connection_name": "billing"},
		})
		synctest.Wait()
		list := t.server.Connections()
		require.Len(t, list, 1)
		c := list[0]
		require.NotEmpty(t, c.Session)
		require.Equal(t, "client#"+c.Session+" -> server", c.Name, "addresses of memory are no one's own")
		require.Equal(t, "client", c.PeerHost)
		require.Zero(t, c.PeerPort)
		require.Equal(t, "/", c.VirtualHost)
		require.Equal(t, "guest", c.User)
		require.Equal(t, start, c.ConnectedAt)
		require.Equal(t, "billing", c.ClientProperties["connection_name"])
		require.Equal(t, true, c.ClientProperties["capabilities"].(warren.Table)["consumer_cancel_notify"])
		require.Equal(t, "PLAIN", c.AuthMechanism)
		require.Equal(t, "AMQP 0-9-1", c.Protocol)
		require.Equal(t, uint32(8192), c.FrameMax)
		require.Equal(t, uint16(9), c.ChannelMax)
		require.Equal(t, 7*time.Second, c.Heartbeat)
		require.Equal(t, amqp.Running, c.State)
		require.Nil(t, c.TLS)
		c.ClientProperties["connection_name"] = "changed"
		require.Equal(t, "billing", t.server.Connections()[0].ClientProperties["connection_name"], "each call makes a copy")
		require.NoError(t, conn.Close())
		synctest.Wait()
		require.Empty(t, t.server.Connections())
	})
}

func TestOnlyOpenConnectionsAreShownTheOldestFirst(t *testing.T) {
	withServer(t, func(t *env) {
		for _, arrive := range handshakeStates {
			arrive(dialRaw(t.T, t.server))
		}
		synctest.Wait()
		require.Empty(t, t.server.Connections(), "none of these has opened a virtual host")
		for range 3 {
			openRaw(t.T, t.server)
			time.Sleep(time.Millisecond)
		}
		list := t.server.Connections()
		require.Len(t, list, 3)
		require.True(t, list[0].ConnectedAt.Before(list[1].ConnectedAt))
		require.True(t, list[1].ConnectedAt.Before(list[2].ConnectedAt))
	})
}

// TestOctetsAreCounted compares with what the client itself has seen.
func TestOctetsAreCounted(t *testing.T) {
	withServer(t, func(t *env) {
		brokertest.Queues(t, t.native(), "q")
		nc, err := t.server.Dial("", "")
		require.NoError(t, err)
		counted := &countedConn{Conn: nc}
		r := rawOver(t.T, counted)
		r.open(0)
		r.send(1, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		r.publish(1, "q", strings.Repeat("x", 3000))
		r.send(1, &wire.BasicGet{Queue: []byte("q"), NoAck: true})
		expect[*wire.BasicGetOk](r)
		require.Len(t, r.content(), 3000)
		synctest.Wait()
		c := t.server.Connections()[0]
		require.Equal(t, uint64(counted.written), c.Received)
		require.Equal(t, uint64(counted.read), c.Sent)
		require.Greater(t, c.Sent, uint64(3000))
	})
}

// countedConn counts octets as the client sees them.
type countedConn struct {
	net.Conn
	read, written int
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read += n
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written += n
	return n, err
}

func TestAConnectionThatWaitsForMemoryIsBlocked(t *testing.T) {
	withShortMemory(t, func(t *env, a, b *rawClient) {
		late := t.raw() // hears no connection.blocked, which makes no difference
		time.Sleep(time.Second)
		since := time.Now()
		late.write(late.publishing(1, "", "q", strings.Repeat("z", 200_000)))
		synctest.Wait()
		time.Sleep(time.Second)
		blocked := func() (list []amqp.ConnectionInfo) {
			for _, c := range t.server.Connections() {
				if c.State == amqp.Blocked {
					list = append(list, c)
				}
			}
			return list
		}
		list := blocked()
		require.Len(t, list, 1)
		require.Equal(t, "low on memory", list[0].BlockedReason)
		require.Equal(t, since, list[0].BlockedSince)
		a.finish(1)
		b.finish(1)
		synctest.Wait()
		_, err := t.native().QueuePurge("q")
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, blocked())
	})
}

func TestAConnectionThatIsToEndIsClosing(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.sendFrame(wire.FrameBody, 1, "out of place")
		expect[*wire.ConnectionClose](r) // it is not answered
		require.Equal(t, amqp.Closing, t.server.Connections()[0].State)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, t.server.Connections())
	})
}

// TestLargePropertiesAreCut: what a client says of itself takes bounded memory.
func TestLargePropertiesAreCut(t *testing.T) {
	large := wire.Table{}
	for i := range 1000 {
		large[fmt.Sprintf("%04d", i)] = true
	}
	usual := wire.Table{"product": "p", "version": "v", "platform": "x", "information": "i", "capabilities": wire.Table{"basic.nack": true}}
	for name, c := range map[string]struct{ more, want wire.Table }{
		"usual": {nil, usual},
		"other property": {
			wire.Table{"large": large},
			wire.Table{"product": "p", "version": "v", "platform": "x", "capabilities": wire.Table{"basic.nack": true}},
		},
		"capabilities": {wire.Table{"capabilities": large}, wire.Table{"product": "p", "version": "v", "platform": "x"}},
		"name": {
			wire.Table{"connection_name": strings.Repeat("n", 7000)},
			wire.Table{"connection_name": strings.Repeat("n", 252) + "...", "product": "p", "version": "v", "platform": "x", "capabilities": wire.Table{"basic.nack": true}},
		},
		"name is no text": {wire.Table{"connection_name": large, "product": int32(1)}, wire.Table{"version": "v", "platform": "x", "capabilities": wire.Table{"basic.nack": true}}},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				said := wire.Table{}
				for _, part := range []wire.Table{usual, c.more} {
					for k, v := range part {
						said[k] = v
					}
				}
				openWith(t, wire.Table{})
				plain := t.broker.Stats().TopologyBytes
				openWith(t, said)
				synctest.Wait()
				require.Equal(t, c.want, t.server.Connections()[1].ClientProperties)
				octets := len(wire.AppendTable(nil, c.want)) - 4
				require.EqualValues(t, 2*plain+int64(octets), t.broker.Stats().TopologyBytes, "they count")
			})
		})
	}
}

// openWith connects with some properties.
func openWith(t *env, properties wire.Table) {
	r := dialRaw(t.T, t.server)
	r.write([]byte(wire.ProtocolHeader))
	expect[*wire.ConnectionStart](r)
	r.send(0, &wire.ConnectionStartOk{ClientProperties: properties, Mechanism: "PLAIN", Response: "\x00guest\x00guest"})
	tune := expect[*wire.ConnectionTune](r)
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: tune.ChannelMax, FrameMax: tune.FrameMax})
	r.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
	expect[*wire.ConnectionOpenOk](r)
	time.Sleep(time.Millisecond)
}

func TestAddressesOfATCPConnection(t *testing.T) {
	b := warren.New(nil)
	t.Cleanup(func() { b.Close() })
	certificate, pool := newCertificate(t, "127.0.0.1")
	srv := amqp.NewServer(b, &amqp.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}})
	t.Cleanup(func() { srv.Close() })
	require.NoError(t, srv.ListenTLS("127.0.0.1:0"))
	conn, err := amqp091.DialTLS(srv.URL(), &tls.Config{RootCAs: pool})
	require.NoError(t, err)
	defer conn.Close()
	list := srv.Connections()
	require.Len(t, list, 1)
	c := list[0]
	require.Equal(t, conn.LocalAddr().String()+" -> "+srv.Addr().String(), c.Name)
	require.Equal(t, "127.0.0.1", c.PeerHost)
	require.Equal(t, conn.LocalAddr().(*net.TCPAddr).Port, c.PeerPort)
	require.Equal(t, "127.0.0.1", c.Host)
	require.Equal(t, srv.Addr().(*net.TCPAddr).Port, c.Port)
	require.NotNil(t, c.TLS)
	require.True(t, c.TLS.HandshakeComplete)
	require.GreaterOrEqual(t, c.TLS.Version, uint16(tls.VersionTLS12))
}

// TestConnectionsAreListedWhileTheyComeAndGo is for the race detector.
func TestConnectionsAreListedWhileTheyComeAndGo(t *testing.T) {
	withServer(t, func(t *env) {
		stop := make(chan struct{})
		var looks, clients sync.WaitGroup
		looks.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, c := range t.server.Connections() {
					require.NotEmpty(t, c.Session)
				}
				runtime.Gosched()
			}
		})
		for range 4 {
			clients.Go(func() {
				for range 20 {
					r := openRaw(t.T, t.server)
					r.hangUp()
				}
			})
		}
		clients.Wait()
		close(stop)
		looks.Wait()
	})
}
