package message

import (
	"sync"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Names of headers of messages in streams.
const (
	OffsetHeader = "x-stream-offset" // also an argument of basic.consume
	FilterHeader = "x-stream-filter-value"
)

// Lent is the content of a message that a stream delivers. It adds the offset to
// the headers. Readers that get the message at the same time share it.
type Lent struct {
	of     Content // of the message in the stream; nil when no property is set
	Offset int64

	mu sync.Mutex // held while headers are made
	// Guarded by mu.
	headers table.Table // those of Shown; nil until it is called
}

// NewLent makes the content of a delivery. C is that of the message in the stream.
func NewLent(c Content, offset int64) *Lent { return &Lent{of: c, Offset: offset} }

// Of returns the content of the message in the stream.
func (l *Lent) Of() Content { return l.of }

// Properties implements Content.
func (l *Lent) Properties() (p Properties) {
	if l.of != nil {
		p = l.of.Properties()
	}
	p.Headers = withHeader(p.Headers, OffsetHeader, l.Offset)
	return p
}

// Shown implements Content. It makes the headers once for all readers.
func (l *Lent) Shown() (p Properties) {
	if l.of != nil {
		p = l.of.Properties()
	}
	l.mu.Lock()
	if l.headers == nil {
		l.headers = withHeader(p.Headers, OffsetHeader, l.Offset)
		if _, wide := l.of.(*Published); l.of != nil && !wide {
			l.headers = table.Widen(l.headers)
		}
	}
	p.Headers = l.headers
	l.mu.Unlock()
	return p
}

// Headers implements Content.
func (l *Lent) Headers() table.Table { return l.Properties().Headers }

// Header implements Content.
func (l *Lent) Header(name string) any { return l.Headers()[name] }

// Size implements Content. The stream counts the message.
func (l *Lent) Size() int64 { return 0 }

// Lost does nothing: the stream still has the message.
func (l *Lent) Lost(int) {}

// Priority implements Content.
func (l *Lent) Priority() uint8 {
	if l.of == nil {
		return 0
	}
	return l.of.Priority()
}

// Persistent implements Content.
func (l *Lent) Persistent() bool { return l.of != nil && l.of.Persistent() }

// Edited implements Content. The new content does not belong to the stream.
func (l *Lent) Edited(e Edit) Content {
	p := e.Apply(l.Properties())
	return NewPublished(&p)
}

// AppendTo implements Content. The offset is among the headers.
func (l *Lent) AppendTo(b []byte) []byte {
	start := len(b)
	if l.of != nil {
		b = l.of.AppendTo(b)
	}
	return wire.SetHeader(b, start, OffsetHeader, l.Offset)
}

// FilterValue returns the header x-stream-filter-value, or an empty text if there
// is none. It does not decode properties from the wire.
func FilterValue(c Content) string {
	if raw := rawProperties(c); raw != nil {
		text, _ := raw.TextHeader(FilterHeader)
		return string(text)
	}
	if c == nil {
		return ""
	}
	s, _ := c.Header(FilterHeader).(string)
	return s
}
