package amqp

import (
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"time"
)

// peerInterval is how often a connection that cannot read looks whether its client is
// still there.
const peerInterval = 2 * time.Second

// watchPeer looks at the socket while the reader waits for something else than the
// client, and cuts the connection off if the client has hung up or TCP has given it up.
// Heartbeats cannot tell then. The reader calls it, and stop.
func (c *conn) watchPeer() (stop func()) {
	var mu sync.Mutex // guards timer and stopped
	var timer *time.Timer
	stopped := false
	look := func() {
		mu.Lock()
		defer mu.Unlock()
		if stopped {
			return
		}
		if hungUp(c.net) {
			c.server.log(slog.LevelInfo, "the client hung up while it waited", "peer", c.net.RemoteAddr().String())
			c.cut()
			return
		}
		timer.Reset(peerInterval)
	}
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(peerInterval, look)
	return func() {
		mu.Lock()
		defer mu.Unlock()
		stopped = true
		timer.Stop()
	}
}

// hungUp reports whether a client is gone, as far as this system can tell without
// reading.
func hungUp(c net.Conn) bool {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	switch c := c.(type) {
	case *net.TCPConn:
		return tcpHungUp(c)
	case interface{ HungUp() bool }:
		return c.HungUp()
	}
	return false
}
