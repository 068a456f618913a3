package warren

import (
	"maps"
	"sync"

	"github.com/warrenmq/warren/internal/wire"
)

// Headers of messages in streams.
const (
	offsetHeader = "x-stream-offset" // the argument of basic.consume, too
	filterHeader = "x-stream-filter-value"
)

// streamed is the content of a message that a stream has lent: it tells the
// offset. Readers that wait for the next message share it.
type streamed struct {
	content // nil when no property is set
	offset  int64

	mu sync.Mutex // held for as long as it takes to make table
	// Guarded by mu.
	table Table // what message shows; nil: nobody has looked
}

// message decodes what came over the wire for each reader anew: a stream would
// keep what was decoded for as long as it keeps the message.
func (s *streamed) message() (m Message) {
	if raw := rawProperties(s.content); raw != nil {
		var p wire.Properties
		if err := p.Parse(raw); err == nil { // checked when they came
			m = messageOf(&p)
		}
	} else if s.content != nil {
		m = s.content.message()
	}
	s.mu.Lock()
	if s.table == nil {
		s.table = make(Table, len(m.Headers)+1)
		maps.Copy(s.table, m.Headers)
		s.table[offsetHeader] = s.offset
	}
	m.Headers = s.table
	s.mu.Unlock()
	return m
}

func (s *streamed) headers() Table { return s.message().Headers }

func (s *streamed) priority() uint8 {
	if s.content == nil {
		return 0
	}
	return s.content.priority()
}

func (s *streamed) AppendTo(b []byte) []byte {
	start := len(b)
	if s.content != nil {
		b = s.content.AppendTo(b)
	}
	return wire.SetHeader(b, start, offsetHeader, s.offset)
}

// filterValue is the message's header x-stream-filter-value. Messages from the
// wire are not decoded for it.
func filterValue(c content) string {
	if raw := rawProperties(c); raw != nil {
		text, _ := raw.TextHeader(filterHeader)
		return string(text)
	}
	if c == nil {
		return ""
	}
	s, _ := c.headers()[filterHeader].(string)
	return s
}

// rawProperties are those of a message that came over the wire, else nil.
func rawProperties(c content) wire.RawProperties {
	switch c := c.(type) {
	case *encoded:
		return c.raw
	case *addressed:
		return c.raw
	}
	return nil
}
