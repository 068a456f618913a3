// Package memconn has connections that live in memory: a pair of them
// ([Pipe]) and a listener that can be dialled ([Listen]).
//
// They behave like TCP connections. Writes are buffered, and block when the buffer is
// full. Deadlines apply to calls that are under way. What a peer has written before it
// closed can still be read. They have no goroutine, and a timer only while a deadline
// is set. Every wait is durably blocking in the sense of testing/synctest.
package memconn

import (
	"io"
	"net"
	"time"
)

// DefaultSize is the number of bytes that each direction of a connection
// holds by default.
const DefaultSize = 64 << 10

// Addr is the address of one end of a connection, or of a listener. It is only a name.
type Addr string

// Network returns "mem".
func (Addr) Network() string { return "mem" }

// String returns the name.
func (a Addr) String() string { return string(a) }

// Conn is one end of a connection. Its methods are safe for many goroutines;
// a Write is not interleaved with another.
//
// Errors are [io.EOF] or a [*net.OpError] around one of these:
//
//   - [net.ErrClosed] on an end that was closed itself, as with TCP. Servers and
//     clients know that they have closed it, and do not report the error.
//   - [io.ErrClosedPipe] on a write to a peer that was closed. It stands for
//     TCP's EPIPE, which not every system has. As with TCP it is not
//     net.ErrClosed, because the failure should be reported.
//   - [os.ErrDeadlineExceeded] after a deadline. Its Timeout is true.
type Conn struct {
	in, out       *stream
	local, remote net.Addr
}

var _ net.Conn = (*Conn)(nil)

// pair is all of a connection, in one allocation.
type pair struct {
	client, server     Conn
	toServer, toClient stream
}

// Pipe returns the two ends of a connection. Each direction holds at most
// size bytes, [DefaultSize] if size is not positive. The memory for them
// comes with the first large write and may be collected when all has been
// read.
func Pipe(size int) (client, server *Conn) {
	return newPair(size, Addr("client"), Addr("server"))
}

func newPair(size int, clientAddr, serverAddr net.Addr) (client, server *Conn) {
	if size <= 0 {
		size = DefaultSize
	}
	p := new(pair)
	p.toServer.init(size)
	p.toClient.init(size)
	p.client = Conn{in: &p.toClient, out: &p.toServer, local: clientAddr, remote: serverAddr}
	p.server = Conn{in: &p.toServer, out: &p.toClient, local: serverAddr, remote: clientAddr}
	return &p.client, &p.server
}

// HungUp reports whether the peer will write no more, even if what it has written is
// not read yet.
func (c *Conn) HungUp() bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.writer.closed
}

// Read waits until there is something to read. After the peer's Close or
// CloseWrite it returns what was written before, then io.EOF.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	if err != nil && err != io.EOF {
		err = c.opError("read", err)
	}
	return n, err
}

// Write waits until all of p is in the buffer. If it fails, the first n bytes
// are in the buffer nevertheless.
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	if err != nil {
		err = c.opError("write", err)
	}
	return n, err
}

// Close closes both directions. Calls under way return, here and at the peer.
// What the peer has not read yet stays there for it; what it wrote and nobody
// read is dropped. A second Close does nothing.
func (c *Conn) Close() error {
	c.in.closeRead()
	c.out.closeWrite()
	return nil
}

// CloseWrite tells the peer that nothing more will be written. Read still works.
func (c *Conn) CloseWrite() error {
	if c.in.isReadClosed() {
		return c.opError("close", net.ErrClosed)
	}
	c.out.closeWrite()
	return nil
}

// LocalAddr returns this end's [Addr].
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the peer's [Addr].
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines. They hold for calls under way, too. The
// zero time means none.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline is [Conn.SetDeadline] for Read alone.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if !c.in.setDeadline(&c.in.reader, t) {
		return c.opError("set", net.ErrClosed)
	}
	return nil
}

// SetWriteDeadline is [Conn.SetDeadline] for Write alone.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	// After CloseWrite a write deadline is accepted and has no effect.
	if !c.out.setDeadline(&c.out.writer, t) && c.in.isReadClosed() {
		return c.opError("set", net.ErrClosed)
	}
	return nil
}

func (c *Conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: c.local.Network(), Source: c.local, Addr: c.remote, Err: err}
}
