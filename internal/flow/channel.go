// Package flow shares out room for deliveries, in turn. A channel's consumers share
// its prefetch count, and a connection's channels share the room in its buffer. Who
// finds no room waits in a line. When room comes free, the first in the line gets a
// share of it, and goes to the end if it wants more. So nobody starves, and the cost
// of room that comes free does not depend on how many wait.
//
// A channel waits at its connection, and consumers wait at their channel. No wake-up
// is missed, because of two rules:
//
//   - A channel that can serve one of its consumers waits at its connection, or some
//     goroutine is about to call Serve, or does so: whoever makes room calls it next.
//   - A connection that is open and at which channels wait is served by its goroutine
//     before that sleeps: Open is followed by Serve, and Wake tells of a channel that
//     begins to wait at an open one.
//
// Who finds no room looks again before it waits, under the lock of who makes room.
package flow

import (
	"sync"
	"sync/atomic"
)

// Bits of a state. Zero: there is room, and nobody waits for it.
const (
	shut    uint32 = 1 << iota // nobody may go on
	awaited                    // somebody waits
)

// share is how many messages a consumer may take when its turn comes, if it shares no
// prefetch. Large messages end its turn earlier, because the buffer is full.
const share = 16

// Channel is what the consumers of a channel share. It decides whether they get
// messages at all, and how many unsettled messages they may have together.
//
// Its methods may be called with the lock of a queue held, but for Serve.
type Channel struct {
	conn    *Connection   // nil: no buffer bounds the deliveries
	state   atomic.Uint32 // shut: paused; awaited: a consumer waits that shares no prefetch
	waiting atomic.Int32  // consumers in both lines
	limited atomic.Bool   // it has or has had a limit

	mu sync.Mutex
	// Guarded by mu.
	lines     [2]line // consumers that wait; the second line shares the prefetch
	turn      int     // the line whose turn it is
	limit     int     // most unsettled messages; zero: no limit
	unsettled int     // unsettled messages of consumers that share the limit

	// Guarded by conn.mu.
	queued bool // it waits at the connection
	next   *Channel
}

// Consumer is a consumer's place in the line of its channel.
type Consumer struct {
	Taker Taker

	// Guarded by the lock of the consumer's queue.
	granted int  // messages that the consumer may take in its turn
	began   bool // it has taken one of them

	// Guarded by the channel's lock.
	line          *line // nil: it does not wait
	before, after *Consumer
}

// Taker is who a Consumer stands for.
type Taker interface {
	// Take tells the consumer that it has its turn. It calls Consumer.Turn, tries to
	// deliver messages, and reports what Consumer.Over says. It is called with no lock
	// held.
	Take(t Turn) (used bool)
}

// Turn is a consumer's turn.
type Turn struct {
	Shares bool // the consumer shared the prefetch when the turn came
	most   int  // messages
}

// Join makes the channel share the room in a connection's buffer. It is called before
// the channel has consumers.
func (ch *Channel) Join(c *Connection) { ch.conn = c }

// Pause keeps messages back, or no longer. It returns whether they were paused before.
// Serve must follow Pause(false).
func (ch *Channel) Pause(on bool) (was bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if on {
		return ch.state.Or(shut)&shut != 0
	}
	return ch.state.And(^shut)&shut != 0
}

// Paused reports whether messages are kept back.
func (ch *Channel) Paused() bool { return ch.state.Load()&shut != 0 }

// SetLimit sets how many unsettled messages the consumers that share the prefetch may
// have together. Zero means no limit. SetLimit reports whether it is the first limit.
// Serve must follow.
func (ch *Channel) SetLimit(n int) (first bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.limit = n
	return n > 0 && !ch.limited.Swap(true)
}

// Limited reports whether there is or was a limit. If so, new consumers share it.
func (ch *Channel) Limited() bool { return ch.limited.Load() }

// Bounded reports whether the channel shares the room of a connection.
func (ch *Channel) Bounded() bool { return ch.conn != nil }

// IsFree reports whether Reserve would succeed for a consumer that does not share the
// prefetch, because there is room and nobody waits.
func (ch *Channel) IsFree() bool {
	return ch.state.Load() == 0 && (ch.conn == nil || ch.conn.state.Load() == 0)
}

// Reserve takes room for one message. If there is none, or if others wait for it, c
// begins to wait and Reserve reports false. Shares says whether c shares the prefetch.
func (ch *Channel) Reserve(c *Consumer, shares bool) bool {
	if !shares && ch.IsFree() {
		return true
	}
	if c.granted > 0 && (!c.began || ch.isOpen()) {
		c.granted--
		c.began = true
		return true
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if c.line != nil {
		return false
	}
	i := index(shares)
	if ch.lines[i].first == nil && ch.hasRoom(i) && (ch.conn == nil || !ch.conn.join(ch)) {
		ch.unsettled += i
		return true
	}
	ch.push(i, c)
	return false
}

// Wait makes c wait although there may be room, because it has had its share. In a
// channel without a connection, Serve must follow.
func (ch *Channel) Wait(c *Consumer, shares bool) {
	ch.mu.Lock()
	if c.line == nil {
		ch.push(index(shares), c)
	}
	wake := ch.conn != nil && ch.isReady() && ch.conn.enqueue(ch)
	ch.mu.Unlock()
	if wake {
		ch.conn.Wake()
	}
}

// HasRoom reports whether Reserve would succeed for a consumer that does not wait.
func (ch *Channel) HasRoom(shares bool) bool {
	if !shares {
		return ch.IsFree()
	}
	if ch.conn != nil && ch.conn.state.Load() != 0 {
		return false
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.lines[1].first == nil && ch.hasRoom(1)
}

// Release gives back room for n messages of c that are settled. Others are served
// before c gets room again. Serve must follow.
func (ch *Channel) Release(c *Consumer, n int) {
	ch.mu.Lock()
	ch.unsettled -= n
	if l := c.line; l != nil && l.last != c {
		l.remove(c)
		l.push(c)
	}
	ch.mu.Unlock()
}

// Share makes c share the prefetch, with n messages that it has.
func (ch *Channel) Share(c *Consumer, n int) {
	ch.mu.Lock()
	ch.unsettled += n
	if c.line != nil {
		ch.remove(c)
		ch.push(1, c)
	}
	ch.mu.Unlock()
}

// Leave makes c wait no longer.
func (ch *Channel) Leave(c *Consumer) {
	ch.mu.Lock()
	if c.line != nil {
		ch.remove(c)
	}
	ch.mu.Unlock()
}

// Serve lets consumers that wait have their turns while there is room. It must be
// called after room has come free, with no lock held.
func (ch *Channel) Serve() {
	if ch.waiting.Load() > 0 {
		ch.serve()
	}
}

func (ch *Channel) serve() {
	for {
		c, t := ch.serveNext()
		if c == nil {
			return
		}
		ch.give(c, t)
	}
}

// serveNext returns the consumer whose turn it is, or nil if none can be served, or
// if the channel has to wait at its connection.
func (ch *Channel) serveNext() (*Consumer, Turn) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.isReady() || ch.conn != nil && ch.conn.join(ch) {
		return nil, Turn{}
	}
	return ch.pop()
}

// give lets c have its turn. What c does not use of a shared prefetch comes back.
func (ch *Channel) give(c *Consumer, t Turn) {
	if !c.Taker.Take(t) && t.Shares {
		ch.mu.Lock()
		ch.unsettled--
		ch.mu.Unlock()
	}
}

// pop takes the next consumer out of its line, with room for its turn. The channel is
// ready.
func (ch *Channel) pop() (*Consumer, Turn) {
	i := ch.turn
	if !ch.canServe(i) {
		i = 1 - i
	}
	ch.turn = 1 - i
	c := ch.lines[i].first
	ch.remove(c)
	ch.unsettled += i
	if i == 1 {
		return c, Turn{Shares: true, most: 1}
	}
	return c, Turn{most: share}
}

// isReady reports whether a consumer that waits could be served, if the connection
// has room.
func (ch *Channel) isReady() bool { return ch.canServe(0) || ch.canServe(1) }

func (ch *Channel) canServe(i int) bool { return ch.lines[i].first != nil && ch.hasRoom(i) }

// hasRoom reports whether the channel itself has room for a message.
func (ch *Channel) hasRoom(i int) bool {
	return ch.state.Load()&shut == 0 && (i == 0 || ch.limit <= 0 || ch.unsettled < ch.limit)
}

// isOpen reports whether neither the channel nor its connection is shut.
func (ch *Channel) isOpen() bool {
	return ch.state.Load()&shut == 0 && (ch.conn == nil || ch.conn.state.Load()&shut == 0)
}

func (ch *Channel) push(i int, c *Consumer) {
	ch.lines[i].push(c)
	ch.waiting.Add(1)
	if i == 0 {
		ch.state.Or(awaited)
	}
}

func (ch *Channel) remove(c *Consumer) {
	c.line.remove(c)
	ch.waiting.Add(-1)
	if ch.lines[0].first == nil {
		ch.state.And(^awaited)
	}
}

// index is the line of consumers that share the prefetch, or of the others.
func index(shares bool) int {
	if shares {
		return 1
	}
	return 0
}

// Turn begins the turn of c. The lock of its queue is held. Shares says whether c
// shares the prefetch now. If it did not when the turn came, it gets none.
func (c *Consumer) Turn(t Turn, shares bool) {
	if t.Shares == shares {
		c.granted, c.began = t.most, false
	}
}

// Over ends the turn of c. It reports whether c has taken a message.
func (c *Consumer) Over() (used bool) {
	used = c.began
	c.granted, c.began = 0, false
	return used
}

// line is a list of consumers that wait, the first to be served first.
type line struct{ first, last *Consumer }

func (l *line) push(c *Consumer) {
	c.line, c.before, c.after = l, l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.last.after = c
	}
	l.last = c
}

func (l *line) remove(c *Consumer) {
	if c.before == nil {
		l.first = c.after
	} else {
		c.before.after = c.after
	}
	if c.after == nil {
		l.last = c.before
	} else {
		c.after.before = c.before
	}
	c.line, c.before, c.after = nil, nil, nil
}
