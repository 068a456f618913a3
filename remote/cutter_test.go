package remote_test

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// cutKind says how a connection is cut.
type cutKind int

const (
	breaks cutKind = iota // what is being written was taken, and is lost
	stalls                // nothing comes or goes any more, and nobody is told
	fails                 // the frame has arrived, and the write fails
)

// cutter stands between a client and a server. It counts the frames of all connections in
// one direction, and acts at one of them, once.
type cutter struct {
	dial    func(network, addr string) (net.Conn, error)
	written bool   // it counts what the client writes, and not what it reads
	at      int    // number of the frame, from 1
	act     func() // in place of a cut
	how     cutKind

	mu sync.Mutex
	// Guarded by mu.
	count int
	done  bool            // it has acted
	off   bool            // it does not act any more
	given map[string]bool // bodies of frames that clients have written
}

// Dial connects through the cutter.
func (c *cutter) Dial(network, addr string) (net.Conn, error) {
	nc, err := c.dial(network, addr)
	if err != nil {
		return nil, err
	}
	return &cutConn{Conn: nc, cutter: c, header: 8}, nil
}

// acted reports whether the frame has come.
func (c *cutter) acted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done
}

// was reports whether a body was given to a connection.
func (c *cutter) was(body string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.given[body]
}

// stop reports whether it has acted, and lets it not do so later.
func (c *cutter) stop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = true
	return c.done
}

// pass counts a frame. It reports false if the connection is to be cut before it.
func (c *cutter) pass(written bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.written == written {
		c.count++
	}
	if c.off || c.done || c.count != c.at || c.written != written {
		return true
	}
	c.done = true
	if c.act == nil {
		return false
	}
	go c.act()
	return true
}

func (c *cutter) give(frame []byte) {
	if frame[0] == 3 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.given[string(frame[7:len(frame)-1])] = true
	}
}

type cutConn struct {
	net.Conn
	cutter *cutter

	// Owned by who writes.
	out    []byte
	header int // octets of the protocol header that have to come

	// Owned by who reads.
	in, ready []byte

	stalled atomic.Bool
}

// frameOf returns the length of the frame at the beginning of b, or zero if it is not
// complete.
func frameOf(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	n := 8 + int(binary.BigEndian.Uint32(b[3:]))
	if len(b) < n {
		return 0
	}
	return n
}

// Write passes complete frames on. What comes after the cut is taken, and lost.
func (c *cutConn) Write(p []byte) (int, error) {
	cut := c.stalled.Load()
	if cut && c.cutter.how != stalls {
		return 0, net.ErrClosed
	}
	passed := -len(c.out) // octets of p
	c.out = append(c.out, p...)
	for {
		n := c.header
		if n == 0 || len(c.out) < n {
			if n = frameOf(c.out); n == 0 {
				break
			}
			c.cutter.give(c.out[:n])
		}
		before := cut
		if cut = cut || !c.cutter.pass(true); !cut || !before && c.cutter.how == fails {
			if cut {
				c.stalled.Store(true) // an answer to it would make a goroutine of amqp091-go wait for ever
			}
			if _, err := c.Conn.Write(c.out[:n]); err != nil {
				return max(0, passed), err
			}
		}
		passed += n
		c.out, c.header = c.out[n:], 0
	}
	if cut {
		c.cut()
	}
	if cut && c.cutter.how == fails {
		return len(p) - 1, net.ErrClosed
	}
	return len(p), nil
}

func (c *cutConn) Read(p []byte) (int, error) {
	for len(c.ready) == 0 {
		var chunk [4096]byte
		n, err := c.Conn.Read(chunk[:])
		if c.stalled.Load() && err == nil {
			if c.cutter.how != stalls {
				return 0, net.ErrClosed
			}
			continue
		}
		c.in = append(c.in, chunk[:n]...)
		for n := frameOf(c.in); n > 0 && !c.stalled.Load(); n = frameOf(c.in) {
			if !c.cutter.pass(false) {
				c.cut()
			}
			if !c.stalled.Load() {
				c.ready, c.in = append(c.ready, c.in[:n]...), c.in[n:]
			}
		}
		if err != nil && len(c.ready) == 0 {
			return 0, err
		}
	}
	n := copy(p, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// cut lets nothing more come or go.
func (c *cutConn) cut() {
	c.stalled.Store(true)
	if c.cutter.how != stalls {
		c.Conn.Close()
	}
}

func (c *cutConn) SetDeadline(t time.Time) error { return c.Conn.SetDeadline(t) }
