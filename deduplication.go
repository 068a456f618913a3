package warren

import (
	"time"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/table"
)

// DeduplicationHeader is the header of a message that says what it is, unless
// [Deduplication] names another. It may have any value. It is also the name of
// the argument that does so, as in LavinMQ.
const DeduplicationHeader = argument.DeduplicationHeader

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
	table.Set(t, argument.Deduplicate, true, true)
	table.Set(t, DeduplicationHeader, d.Header, d.Header != "")
	table.Set(t, argument.CacheSize, d.CacheSize, d.CacheSize != 0)
	table.Set(t, duplicates.TTLHeader, d.CacheTTL.Milliseconds(), d.CacheTTL != 0)
}
