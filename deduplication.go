package warren

import (
	"time"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/duplicates"
	"github.com/warrenmq/warren/internal/table"
)

// DeduplicationHeader is the header whose value identifies a message, unless
// [Deduplication] names another header. Its value may have any type. The argument
// that names another header has the same name, as in LavinMQ.
const DeduplicationHeader = "x-deduplication-header"

// Deduplication makes an exchange or a queue drop duplicates
// (x-message-deduplication), as in LavinMQ. A message is a duplicate if its header
// has a value that an earlier message had. A message without the header is not a
// duplicate.
//
// An exchange does not route a duplicate, and a queue does not take it. The
// duplicate is confirmed by an ack. If it was mandatory and no other queue took it,
// it is returned with 312.
type Deduplication struct {
	// Header is the name of the header (x-deduplication-header). Empty:
	// [DeduplicationHeader].
	Header string
	// CacheSize is how many values are remembered (x-cache-size). A new value
	// replaces the oldest one. It does so earlier, but after 128 values at least,
	// while the topology has its share of [Options].MemoryLimit. Zero: 128.
	CacheSize int64
	// CacheTTL is how long a value is remembered, in whole milliseconds
	// (x-cache-ttl). Zero: until newer values replace it. A message may set its own
	// time by an integer in its header x-cache-ttl.
	CacheTTL time.Duration
}

// addTo adds the arguments that the fields set to t. A nil d adds nothing.
func (d *Deduplication) addTo(t *Table) {
	if d == nil {
		return
	}
	table.Set(t, argument.Deduplicate, true, true)
	table.Set(t, DeduplicationHeader, d.Header, d.Header != "")
	table.Set(t, argument.CacheSize, d.CacheSize, d.CacheSize != 0)
	table.Set(t, duplicates.TTLHeader, d.CacheTTL.Milliseconds(), d.CacheTTL != 0)
}
