package memconn

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// backlog is how many connections a listener holds that nobody has accepted.
const backlog = 16

// Listener accepts the connections of its method Dial. It cannot be reached by its
// name.
type Listener struct {
	addr    Addr
	waiting chan *Conn
	done    chan struct{}
	close   sync.Once
	dialled atomic.Uint64
}

var _ net.Listener = (*Listener)(nil)

// Listen returns a listener that has the name for an address.
func Listen(name string) *Listener {
	return &Listener{
		addr:    Addr(name),
		waiting: make(chan *Conn, backlog),
		done:    make(chan struct{}),
	}
}

// Accept waits for somebody to dial. After Close its error is one around
// [net.ErrClosed].
func (l *Listener) Accept() (net.Conn, error) {
	if !l.isClosed() {
		select {
		case c := <-l.waiting:
			return c, nil
		case <-l.done:
		}
	}
	return nil, l.opError("accept", net.ErrClosed)
}

// Dial returns the client's end of a connection whose other end goes to
// Accept. It does not wait for Accept, but for a place in the backlog. The address
// of the client's end is the listener's, followed by the number of the dial. The error
// is one around ctx.Err() or, after Close, [net.ErrClosed].
func (l *Listener) Dial(ctx context.Context) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, l.opError("dial", err)
	}
	if l.isClosed() {
		return nil, l.opError("dial", net.ErrClosed)
	}
	name := Addr(fmt.Sprintf("%s#%d", l.addr, l.dialled.Add(1)))
	client, server := newPair(DefaultSize, name, l.addr)
	select {
	case l.waiting <- server:
		if l.isClosed() { // Close may have emptied the backlog before
			l.hangUp()
		}
		return client, nil
	case <-l.done:
		return nil, l.opError("dial", net.ErrClosed)
	case <-ctx.Done():
		return nil, l.opError("dial", ctx.Err())
	}
}

// Close ends Accept and Dial, and closes the connections that nobody has
// accepted. The others stay as they are. A second Close does nothing.
func (l *Listener) Close() error {
	l.close.Do(func() {
		close(l.done)
		l.hangUp()
	})
	return nil
}

// hangUp closes what is in the backlog.
func (l *Listener) hangUp() {
	for {
		select {
		case c := <-l.waiting:
			c.Close()
		default:
			return
		}
	}
}

// Addr returns the name that was given to Listen, as an [Addr].
func (l *Listener) Addr() net.Addr { return l.addr }

func (l *Listener) isClosed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *Listener) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: l.addr.Network(), Addr: l.addr, Err: err}
}
