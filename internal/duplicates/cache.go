// Package duplicates remembers messages, to recognise those that come again.
package duplicates

import (
	"container/list"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// TTLHeader is the header that says for how many milliseconds a message is
// remembered.
const TTLHeader = "x-cache-ttl"

// Options set what a Cache remembers.
type Options struct {
	Header string // name of the header that tells messages apart
	Size   int64  // most values that are remembered; a new one then takes the place of the oldest
	TTL    int64  // milliseconds that a value is remembered; negative: as long as there is room
}

// Cache remembers messages by the value of a header.
type Cache struct {
	Options
	clock *clock.Clock

	mu sync.Mutex
	// Guarded by mu, which is locked with the lock of a queue or of the topology
	// held.
	values map[identity]*list.Element
	order  list.List // of *appearance, the oldest first
}

// identity is the hash of a value, so that long values cost no more memory.
type identity [sha256.Size]byte

// appearance is a value that has come.
type appearance struct {
	value    identity
	deadline int64 // end of its time, on the clock; zero: none
}

// New makes a cache that uses the clock for its deadlines.
func New(o Options, c *clock.Clock) *Cache {
	return &Cache{Options: o, clock: c, values: make(map[identity]*list.Element)}
}

// Add remembers a message with this content. It reports false if the message is a
// duplicate. A message without the header is never a duplicate.
func (c *Cache) Add(m message.Content) (fresh bool) {
	value, ttl, ok := c.identify(m)
	if !ok {
		return true
	}
	now := c.clock.Now()
	deadline := int64(0)
	if ttl >= 0 {
		deadline = now + min(ttl, message.MaxExpiration)*int64(time.Millisecond)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.values[value]
	switch {
	case at != nil:
		if d := at.Value.(*appearance).deadline; d == 0 || d > now {
			return false
		}
		c.order.MoveToBack(at) // its time is over, so it counts as new
	case int64(len(c.values)) < c.Size:
		at = c.order.PushBack(new(appearance))
	default: // it takes the place of the oldest one
		at = c.order.Front()
		delete(c.values, at.Value.(*appearance).value)
		c.order.MoveToBack(at)
	}
	*at.Value.(*appearance) = appearance{value, deadline}
	c.values[value] = at
	return true
}

// Forget takes a message out, because it was not accepted after it had been
// added. On a nil cache it does nothing.
func (c *Cache) Forget(m message.Content) {
	if c == nil {
		return
	}
	value, _, ok := c.identify(m)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.values[value]; at != nil {
		delete(c.values, value)
		c.order.Remove(at)
	}
}

// identify returns the identity of a message and for how many milliseconds it is
// remembered; ok is false if the message has no header that tells it apart.
func (c *Cache) identify(m message.Content) (value identity, ttl int64, ok bool) {
	if m == nil {
		return value, 0, false
	}
	v := m.Header(c.Header)
	if v == nil {
		return value, 0, false
	}
	ttl = c.TTL
	if n, ok := table.Integer(m.Header(TTLHeader)); ok && n >= 0 {
		ttl = n
	}
	var room [128]byte
	if text, ok := v.(string); ok {
		return sha256.Sum256(append(append(room[:0], '"'), text...)), ttl, true
	}
	return sha256.Sum256(append(room[:0], table.CanonicalValue(v)...)), ttl, true
}
