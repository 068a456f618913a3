package warren

import (
	"fmt"
	"maps"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// Headers of the messages of a stream of items between a caller and a server. A program
// in any language may send them; docs/protocol.md has the protocol. All numbers are integers
// of any width.
const (
	StreamHeader       = "x-warren-stream"    // of a request: how many items may come before there is more credit
	StreamInHeader     = "x-warren-stream-in" // of a request: true if the caller will send items as well
	StreamItemHeader   = "x-warren-item"      // the number of the item that the message is, from 1 on
	StreamCreditHeader = "x-warren-credit"    // how many items more the other end may send
	StreamEndHeader    = "x-warren-end"       // no more items come: how many there were
	StreamCancelHeader = "x-warren-cancel"    // true: the caller wants no more items
)

// streamSignal is what a message of a stream says.
type streamSignal struct {
	bare   bool   // it is an item whose properties are all the stream's own
	from   []byte // ReplyTo of such an item
	isItem bool
	item   uint64 // its number
	credit uint64
	cancel bool
	last   bool  // no more items come, or the message is a plain reply
	plain  bool  // the message is a plain reply
	err    error // the other end has failed
	broken error // a header of the message makes no sense
}

// readSignal reads the headers of a message.
func readSignal(c message.Content) (s streamSignal) {
	if c == nil {
		return streamSignal{last: true, plain: true}
	}
	if b, ok := message.Bare(c); ok && string(b.Header) == StreamItemHeader && b.Value >= 0 {
		return streamSignal{bare: true, from: b.ReplyTo, isItem: true, item: uint64(b.Value)}
	}
	var credit, cancel, end bool
	s.credit, credit = s.number(c, StreamCreditHeader)
	if s.item, s.isItem = s.number(c, StreamItemHeader); s.isItem {
		return s
	}
	s.cancel, cancel = c.Header(StreamCancelHeader).(bool)
	_, end = s.number(c, StreamEndHeader)
	if c.Header(ErrorCodeHeader) != nil {
		s.err = remoteError(c.Headers())
	}
	s.plain = !credit && !cancel && !end && s.err == nil
	s.last = end || s.plain || s.err != nil
	return s
}

// repliesTo reports whether ReplyTo of the message is address, or is not set.
func (s *streamSignal) repliesTo(c message.Content, address string) bool {
	if s.bare {
		return len(s.from) == 0 || string(s.from) == address
	}
	return c == nil || message.RepliesTo(c, address)
}

// itemOf returns the item of a message. One that is bare has nothing but a body.
func (s *streamSignal) itemOf(e message.Entry) message.Entry {
	if s.bare {
		e.Content = nil
	}
	return e
}

// number returns a header that is a number of items. ok is false if there is none.
func (s *streamSignal) number(c message.Content, name string) (n uint64, ok bool) {
	v := c.Header(name)
	if v == nil {
		return 0, false
	}
	if n, ok = count(v); !ok {
		s.broken = fmt.Errorf("%w: the header %s is %v, which is no number of items", ErrBrokenStream, name, v)
	}
	return n, ok
}

// count returns a header that is a number of items. ok is false if it is none.
func count(v any) (n uint64, ok bool) {
	i, ok := table.Integer(v)
	return uint64(max(0, i)), ok && i >= 0
}

// shownItem returns an item that came from the network without what is the stream's own.
func shownItem(e *message.Entry) Message {
	m := Message(e.Shown())
	m.CorrelationId, m.ReplyTo = "", ""
	rest := 0
	for name := range m.Headers {
		if name != StreamItemHeader && name != StreamCreditHeader {
			rest++
		}
	}
	switch rest {
	case len(m.Headers):
	case 0:
		m.Headers = nil
	default:
		m.Headers = maps.Clone(m.Headers) // others may share it
		delete(m.Headers, StreamItemHeader)
		delete(m.Headers, StreamCreditHeader)
	}
	return m
}

// endHeader returns the headers of a reply without all but StreamEndHeader.
func endHeader(t Table) Table {
	if end, ok := t[StreamEndHeader]; ok {
		return Table{StreamEndHeader: end}
	}
	return nil
}

// withHeaders returns a table with the entries of both, those of b before those of a.
func withHeaders(a, b Table) Table {
	all := make(Table, len(a)+len(b))
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}
