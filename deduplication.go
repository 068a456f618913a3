package warren

import (
	"container/list"
	"crypto/sha256"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/table"
)

// DeduplicationHeader is the header of a message that says what it is, unless
// [Deduplication] names another. It may have any value. It is also the name of
// the argument that does so, as in LavinMQ.
const DeduplicationHeader = "x-deduplication-header"

// Other arguments of deduplication. The last one is a message's header, too.
const (
	deduplicateArg = "x-message-deduplication"
	cacheSizeArg   = "x-cache-size"
	cacheTTLArg    = "x-cache-ttl"
)

// Deduplication has an exchange or a queue take a message once
// (x-message-deduplication), as in LavinMQ: those whose header has a value that
// came before are duplicates. A message without the header is none.
//
// A duplicate goes nowhere from an exchange, and does not get into a queue: it
// is confirmed by an ack, and if it was mandatory and nobody else has taken it,
// it is returned with 312.
type Deduplication struct {
	// Header is the name of the header (x-deduplication-header). Empty:
	// [DeduplicationHeader].
	Header string
	// CacheSize is how many values are remembered; the oldest is forgotten for
	// a new one (x-cache-size). Zero: 128.
	CacheSize int64
	// CacheTTL is how long a value is remembered, in whole milliseconds
	// (x-cache-ttl). Zero: as long as there is room. A message with an integer
	// in its header x-cache-ttl says so itself.
	CacheTTL time.Duration
}

// addTo puts into t the arguments that the fields set.
func (d *Deduplication) addTo(t *Table) {
	if d == nil {
		return
	}
	table.Set(t, deduplicateArg, true, true)
	table.Set(t, DeduplicationHeader, d.Header, d.Header != "")
	table.Set(t, cacheSizeArg, d.CacheSize, d.CacheSize != 0)
	table.Set(t, cacheTTLArg, d.CacheTTL.Milliseconds(), d.CacheTTL != 0)
}

const defaultCacheSize = 128

func isCacheSize(v any, args Table) string {
	if n, ok := table.Integer(v); ok && n == 0 {
		return "{value_zero,0}"
	}
	if problem := isCount(v, args); problem != "" {
		return problem
	}
	if n, _ := table.Integer(v); n > math.MaxUint32 {
		return fmt.Sprintf("{value_too_large,%d}", n)
	}
	return ""
}

// seen remembers messages by the value of a header.
type seen struct {
	broker *Broker
	header string
	size   int64
	ttl    int64 // milliseconds; negative: none

	mu sync.Mutex
	// Guarded by mu, which is locked with vhost.mu or queue.mu held.
	values map[identity]*list.Element
	order  list.List // of *sighting, the oldest first
}

// identity stands for a value, however long that is.
type identity [sha256.Size]byte

// sighting is a value that came.
type sighting struct {
	value    identity
	deadline int64 // until when it counts, see Broker.clock; zero: no end
}

// newSeen is nil unless checked arguments ask for deduplication.
func newSeen(b *Broker, args Table) *seen {
	if args[deduplicateArg] != any(true) {
		return nil
	}
	s := &seen{broker: b, header: DeduplicationHeader, size: defaultCacheSize, ttl: -1, values: make(map[identity]*list.Element)}
	if name, ok := args[DeduplicationHeader].(string); ok {
		s.header = name
	}
	if n, ok := table.Integer(args[cacheSizeArg]); ok {
		s.size = n
	}
	if n, ok := table.Integer(args[cacheTTLArg]); ok {
		s.ttl = n
	}
	return s
}

// before reports whether a message with this content came before, and
// remembers it if not.
func (s *seen) before(c content) bool {
	value, ttl, ok := s.identify(c)
	if !ok {
		return false
	}
	now := s.broker.clock()
	deadline := int64(0)
	if ttl >= 0 {
		deadline = now + min(ttl, maxExpiration)*int64(time.Millisecond)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.values[value]
	switch {
	case at != nil:
		if d := at.Value.(*sighting).deadline; d == 0 || d > now {
			return true
		}
		s.order.MoveToBack(at) // it counts as new
	case int64(len(s.values)) < s.size:
		at = s.order.PushBack(new(sighting))
	default: // the oldest one's place
		at = s.order.Front()
		delete(s.values, at.Value.(*sighting).value)
		s.order.MoveToBack(at)
	}
	*at.Value.(*sighting) = sighting{value, deadline}
	s.values[value] = at
	return false
}

// forget is for a message that was not taken after all.
func (s *seen) forget(c content) {
	if s == nil {
		return
	}
	value, _, ok := s.identify(c)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.values[value]; at != nil {
		delete(s.values, value)
		s.order.Remove(at)
	}
}

// identify gives what the message is known by and how long, in milliseconds;
// ok is false if it does not say what it is.
func (s *seen) identify(c content) (value identity, ttl int64, ok bool) {
	if c == nil {
		return value, 0, false
	}
	headers := c.headers()
	v := headers[s.header]
	if v == nil {
		return value, 0, false
	}
	ttl = s.ttl
	if n, ok := table.Integer(headers[cacheTTLArg]); ok && n >= 0 {
		ttl = n
	}
	var room [128]byte
	if text, ok := v.(string); ok {
		return sha256.Sum256(append(append(room[:0], '"'), text...)), ttl, true
	}
	return sha256.Sum256(append(room[:0], table.CanonicalValue(v)...)), ttl, true
}
