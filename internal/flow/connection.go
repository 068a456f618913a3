package flow

import (
	"sync"
	"sync/atomic"
)

// Connection is the room in a connection's buffer, which its channels share. It is
// open until it is closed. One goroutine opens and serves it.
type Connection struct {
	// Wake is called when a channel begins to wait although there is room: Serve is to
	// be called. The lock of a queue may be held.
	Wake func()

	state atomic.Uint32 // shut: the buffer is full; awaited: a channel waits

	mu sync.Mutex
	// Guarded by mu.
	first, last *Channel // that wait
}

// Close keeps messages back until Open. A goroutine that has reserved room before may
// still deliver one message.
func (c *Connection) Close() { c.state.Or(shut) }

// Open ends Close. Serve must follow.
func (c *Connection) Open() {
	c.mu.Lock() // who joins sees either that it is shut, and is served then, or that it is open
	c.state.And(^shut)
	c.mu.Unlock()
}

// IsClosed reports whether the buffer is full.
func (c *Connection) IsClosed() bool { return c.state.Load()&shut != 0 }

// Awaited reports whether Serve has something to do.
func (c *Connection) Awaited() bool { return c.state.Load() == awaited }

// Serve lets the channels that wait have their turns until none waits or the buffer is
// full. In each turn, one consumer of the channel has its turn. No lock may be held.
func (c *Connection) Serve() {
	for c.Awaited() {
		ch := c.shift()
		if ch == nil {
			return
		}
		if co, t := ch.take(); co != nil {
			ch.give(co, t)
		}
		ch.rejoin()
	}
}

// take is pop, or nil if nobody can be served.
func (ch *Channel) take() (*Consumer, Turn) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.isReady() {
		return nil, Turn{}
	}
	return ch.pop()
}

// rejoin makes the channel wait again if it has more to serve.
func (ch *Channel) rejoin() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.isReady() {
		ch.conn.enqueue(ch)
	}
}

// join makes ch wait. It reports false if there is room and nobody waits for it.
func (c *Connection) join(ch *Channel) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state.Load() == 0 {
		return false
	}
	c.push(ch)
	return true
}

// enqueue makes ch wait in any case. It reports whether it waits alone at an open
// connection, so that Wake must be called.
func (c *Connection) enqueue(ch *Channel) (wake bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	wake = c.state.Load() == 0
	c.push(ch)
	return wake
}

func (c *Connection) push(ch *Channel) {
	if ch.queued {
		return
	}
	ch.queued, ch.next = true, nil
	if c.last == nil {
		c.first = ch
	} else {
		c.last.next = ch
	}
	c.last = ch
	c.state.Or(awaited)
}

// shift takes out the channel whose turn it is.
func (c *Connection) shift() *Channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.first
	if ch == nil {
		return nil
	}
	c.first, ch.next, ch.queued = ch.next, nil, false
	if c.first == nil {
		c.last = nil
		c.state.And(^awaited)
	}
	return ch
}
