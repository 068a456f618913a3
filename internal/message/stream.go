package message

import (
	"sync"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Headers of messages in streams.
const (
	OffsetHeader = "x-stream-offset" // the argument of basic.consume, too
	FilterHeader = "x-stream-filter-value"
)

// Lent is the content of a message that a stream has lent: it tells the offset.
// Readers that wait for the next message share it. What becomes of it is no
// news for those who wait for an answer: the stream has the message still.
type Lent struct {
	of     Content // nil when no property is set
	Offset int64

	mu sync.Mutex // held for as long as it takes to make headers
	// Guarded by mu.
	headers table.Table // what Shown shows; nil: nobody has looked
}

// NewLent makes content of that of a message in a stream.
func NewLent(c Content, offset int64) *Lent { return &Lent{of: c, Offset: offset} }

// Properties decodes what came over the wire for each reader anew: a stream
// would keep what was decoded for as long as it keeps the message.
func (l *Lent) Properties() (p Properties) {
	if raw := rawProperties(l.of); raw != nil {
		p = decode(raw)
	} else if l.of != nil {
		p = l.of.Properties()
	}
	p.Headers = withHeader(p.Headers, OffsetHeader, l.Offset)
	return p
}

// Shown makes the headers once for all readers.
func (l *Lent) Shown() (p Properties) {
	if raw := rawProperties(l.of); raw != nil {
		p = decode(raw)
	} else if l.of != nil {
		p = l.of.Properties()
	}
	l.mu.Lock()
	if l.headers == nil {
		l.headers = table.Widen(withHeader(p.Headers, OffsetHeader, l.Offset))
	}
	p.Headers = l.headers
	l.mu.Unlock()
	return p
}

func (l *Lent) Headers() table.Table { return l.Properties().Headers }
func (l *Lent) Lost(int)             {}

func (l *Lent) Priority() uint8 {
	if l.of == nil {
		return 0
	}
	return l.of.Priority()
}

// Derive makes the content of a message that is none of the stream's.
func (l *Lent) Derive(p Properties, _ bool) Content { return newNarrow(&p) }

// AppendTo appends the properties, with the offset among the headers.
func (l *Lent) AppendTo(b []byte) []byte {
	start := len(b)
	if l.of != nil {
		b = l.of.AppendTo(b)
	}
	return wire.SetHeader(b, start, OffsetHeader, l.Offset)
}

// FilterValue is the message's header x-stream-filter-value. Messages from the
// wire are not decoded for it.
func FilterValue(c Content) string {
	if raw := rawProperties(c); raw != nil {
		text, _ := raw.TextHeader(FilterHeader)
		return string(text)
	}
	if c == nil {
		return ""
	}
	s, _ := c.Headers()[FilterHeader].(string)
	return s
}
