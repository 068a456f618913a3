// Package duplicates remembers messages, to tell those that come again.
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

// TTLHeader is the header of a message that says for how many milliseconds it
// is remembered.
const TTLHeader = "x-cache-ttl"

// Options say what a Cache remembers.
type Options struct {
	Header string // name of the header that tells messages apart
	Size   int64  // of how many values; the oldest is forgotten for a new one
	TTL    int64  // for how many milliseconds; negative: as long as there is room
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

// identity stands for a value, however long that is.
type identity [sha256.Size]byte

// appearance is a value that came.
type appearance struct {
	value    identity
	deadline int64 // until when it counts, on the clock; zero: no end
}

// New makes a cache.
func New(o Options, c *clock.Clock) *Cache {
	return &Cache{Options: o, clock: c, values: make(map[identity]*list.Element)}
}

// Add remembers a message with this content. It reports false if one came before;
// a message that does not say what it is is always fresh.
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
		c.order.MoveToBack(at) // it counts as new
	case int64(len(c.values)) < c.Size:
		at = c.order.PushBack(new(appearance))
	default: // the oldest one's place
		at = c.order.Front()
		delete(c.values, at.Value.(*appearance).value)
		c.order.MoveToBack(at)
	}
	*at.Value.(*appearance) = appearance{value, deadline}
	c.values[value] = at
	return true
}

// Forget is for a message that was not taken after all. A nil cache has nothing
// to forget.
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

// identify gives what the message is known by and how long, in milliseconds;
// ok is false if it does not say what it is.
func (c *Cache) identify(m message.Content) (value identity, ttl int64, ok bool) {
	if m == nil {
		return value, 0, false
	}
	headers := m.Headers()
	v := headers[c.Header]
	if v == nil {
		return value, 0, false
	}
	ttl = c.TTL
	if n, ok := table.Integer(headers[TTLHeader]); ok && n >= 0 {
		ttl = n
	}
	var room [128]byte
	if text, ok := v.(string); ok {
		return sha256.Sum256(append(append(room[:0], '"'), text...)), ttl, true
	}
	return sha256.Sum256(append(room[:0], table.CanonicalValue(v)...)), ttl, true
}
