package brokertest

import (
	"net"
	"sync/atomic"
)

// Cut gives a connection that breaks: the octet after so many read, or after so
// many written, is the end of it, in the middle of whatever it is part of. A
// negative number means never.
func Cut(nc net.Conn, read, written int64) net.Conn {
	c := &cut{Conn: nc}
	c.read.set(read)
	c.written.set(written)
	return c
}

type cut struct {
	net.Conn
	read, written budget
}

// budget is how many octets may still pass.
type budget struct {
	left  atomic.Int64
	never bool
}

func (b *budget) set(n int64) {
	b.never = n < 0
	b.left.Store(n)
}

// take is how many of n octets may pass, which is all of them until the end.
func (b *budget) take(n int) (allowed int) {
	if b.never {
		return n
	}
	if left := b.left.Add(-int64(n)); left < 0 {
		return max(0, n+int(left))
	}
	return n
}

func (c *cut) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if allowed := c.read.take(n); allowed < n {
		c.Conn.Close()
		return allowed, net.ErrClosed
	}
	return n, err
}

func (c *cut) Write(p []byte) (int, error) {
	allowed := c.written.take(len(p))
	n, err := c.Conn.Write(p[:allowed])
	if err == nil && allowed < len(p) {
		c.Conn.Close()
		err = net.ErrClosed
	}
	return n, err
}
