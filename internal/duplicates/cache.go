// Package duplicates remembers messages, to recognise those that come again.
package duplicates

import (
	"crypto/sha256"
	"math"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/memory"
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
//
// It takes memory as it grows. When there is no more for it, a new value takes the
// place of the oldest one, as if the cache had the size that it has grown to.
type Cache struct {
	Options
	clock  *clock.Clock
	budget *memory.Budget

	mu sync.Mutex
	// Guarded by mu, which is locked with the lock of a queue or of the topology
	// held.
	values  map[identity]int32 // places in entries
	entries []entry            // entries[0] begins and ends the list of those that are used
	free    int32              // the first of the unused ones; zero: none
	held    memory.Reservation // for more than firstValues
	closed  bool
}

// identity is the beginning of the hash of a value, so that long values cost no more
// memory. It is long enough that different values never have the same.
type identity [sha256.Size / 2]byte

// entry is a value that has come.
type entry struct {
	value        identity
	deadline     int64 // end of its time, on the clock; zero: none
	older, newer int32 // places; newer is the next one, too, if it is not used
}

const (
	// firstValues is how many values a cache has room for from the beginning.
	firstValues = 128
	// moreValues is how many values it asks for memory for at a time.
	moreValues = 1024
	// entryHeld is what a value holds in memory, in bytes.
	entryHeld = 96
)

// New makes a cache that uses the clock for its deadlines, and takes memory of the
// budget for more values than Held counts.
func New(o Options, c *clock.Clock, b *memory.Budget) *Cache {
	o.Size = min(o.Size, math.MaxInt32-1)
	return &Cache{Options: o, clock: c, budget: b, values: make(map[identity]int32), entries: make([]entry, 1)}
}

// Held returns how many bytes a cache may hold without taking memory: for these the
// caller takes it.
func (o *Options) Held() int64 { return min(o.Size, firstValues) * entryHeld }

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
	if c.closed {
		return true
	}
	at, have := c.values[value]
	switch {
	case have:
		if d := c.entries[at].deadline; d == 0 || d > now {
			return false
		}
		c.unlink(at) // its time is over, so it counts as new
	case c.grow():
		at = c.take()
	default: // it takes the place of the oldest one
		at = c.entries[0].newer
		c.unlink(at)
		delete(c.values, c.entries[at].value)
	}
	c.entries[at].value, c.entries[at].deadline = value, deadline
	c.append(at)
	c.values[value] = at
	return true
}

// grow reports whether there may be one more value. It takes memory if need be.
func (c *Cache) grow() bool {
	n := int64(len(c.values))
	if n >= c.Size {
		return false
	}
	if n*entryHeld < c.Held()+c.held.Bytes() {
		return true
	}
	return c.held.Take(c.budget, min(c.Size-n, moreValues)*entryHeld)
}

// take returns an unused entry.
func (c *Cache) take() int32 {
	if at := c.free; at != 0 {
		c.free = c.entries[at].newer
		return at
	}
	c.entries = append(c.entries, entry{})
	return int32(len(c.entries) - 1)
}

// append makes an entry the newest one.
func (c *Cache) append(at int32) {
	e, last := c.entries, c.entries[0].older
	e[at].older, e[at].newer = last, 0
	e[last].newer, e[0].older = at, at
}

// unlink takes an entry out of the list.
func (c *Cache) unlink(at int32) {
	e := c.entries
	e[e[at].older].newer, e[e[at].newer].older = e[at].newer, e[at].older
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
	if at, ok := c.values[value]; ok {
		delete(c.values, value)
		c.unlink(at)
		c.entries[at].newer, c.free = c.free, at
	}
}

// Close forgets everything and gives the memory back. Later messages are all fresh.
// On a nil cache it does nothing.
func (c *Cache) Close() {
	if c == nil {
		return
	}
	c.mu.Lock()
	c.closed, c.values, c.entries, c.free = true, nil, nil, 0
	c.held.Release()
	c.mu.Unlock()
}

// hash returns the identity of a text.
func hash(text []byte) identity {
	sum := sha256.Sum256(text)
	return identity(sum[:])
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
		return hash(append(append(room[:0], '"'), text...)), ttl, true
	}
	return hash(append(room[:0], table.CanonicalValue(v)...)), ttl, true
}
