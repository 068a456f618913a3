package message

import (
	"sync/atomic"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Content holds the properties of a message, in the form in which they came. It
// is immutable, and several messages may share it.
type Content interface {
	// Properties returns the properties as they came: integers in headers keep
	// their width. The Body is not set.
	Properties() Properties
	// Shown returns the properties as users see them: every integer in headers is
	// an int64.
	Shown() Properties
	// Headers returns the headers alone, as they came.
	Headers() table.Table
	// Header returns one header, as it came; nil: there is none.
	Header(name string) any
	// Priority returns the priority alone.
	Priority() uint8
	// Persistent reports whether the delivery mode is 2.
	Persistent() bool
	// Size returns how many bytes the content holds, nearly. It is always the same.
	Size() int64
	// AppendTo appends the encoded properties to b.
	AppendTo(b []byte) []byte
	// Edited makes the content of a message that is made from this one. It does not keep
	// the lists of e.
	Edited(e Edit) Content
	// Lost notes that n holders of the message have dropped it without telling
	// anybody. If it is a request, its call may have no answer to wait for.
	Lost(n int)
}

// persistent is the delivery mode of messages that survive a restart.
const persistent = 2

// Published holds the properties of a message that was published in process.
type Published struct {
	props Properties
	size  int64
}

// narrow is Published for headers that have integers of another type than int64,
// which users see as int64.
type narrow struct {
	Published
	shown atomic.Pointer[table.Table] // the headers as users see them; nil until Shown makes them
}

// NewPublished makes content of p without its body.
func NewPublished(p *Properties) Content {
	return newPublished(p, table.Narrow(p.Headers))
}

func newPublished(p *Properties, isNarrow bool) Content {
	return NewChecked(p, table.Checked{Narrow: isNarrow, Size: table.Size(p.Headers)})
}

// NewChecked is NewPublished for headers that table.Check has checked, with what it has
// found out.
func NewChecked(p *Properties, headers table.Checked) Content {
	if !headers.Narrow {
		c := &Published{props: *p, size: p.SizeWith(headers.Size)}
		c.props.Body = nil
		return c
	}
	c := &narrow{Published: Published{props: *p, size: 2 * p.SizeWith(headers.Size)}} // twice: the headers may be widened
	c.props.Body = nil
	return c
}

// Properties implements Content.
func (c *Published) Properties() Properties { return c.props }

// Shown implements Content: all integers are int64 already.
func (c *Published) Shown() Properties { return c.props }

// Headers implements Content.
func (c *Published) Headers() table.Table { return c.props.Headers }

// Header implements Content.
func (c *Published) Header(name string) any { return c.props.Headers[name] }

// Priority implements Content.
func (c *Published) Priority() uint8 { return c.props.Priority }

// Persistent implements Content.
func (c *Published) Persistent() bool { return c.props.DeliveryMode == persistent }

// Size implements Content.
func (c *Published) Size() int64 { return c.size }

// AppendTo implements Content.
func (c *Published) AppendTo(b []byte) []byte { return c.props.AppendTo(b) }

// Lost does nothing: no call waits for an answer to the message.
func (c *Published) Lost(int) {}

// Edited implements Content.
func (c *Published) Edited(e Edit) Content {
	p := e.Apply(c.props)
	if c.props.Headers == nil { // to go through a list costs less than to go through a map
		return NewChecked(&p, table.Checked{Narrow: e.Narrow, Size: e.size()})
	}
	return newPublished(&p, e.Narrow)
}

// Edited implements Content. The new headers are taken for narrow, too.
func (c *narrow) Edited(e Edit) Content {
	p := e.Apply(c.props)
	return newPublished(&p, true)
}

// Shown implements Content. It widens the headers at the first call only.
func (c *narrow) Shown() Properties {
	t := c.shown.Load()
	if t == nil {
		wide := table.Widen(c.props.Headers)
		c.shown.CompareAndSwap(nil, &wide)
		t = c.shown.Load()
	}
	p := c.props
	p.Headers = *t
	return p
}

// Encoded holds properties that came over the wire. Most leave over the wire and
// are never decoded. If they are needed, they are decoded each time: decoded headers
// may take twenty times as much memory, so they are not kept.
type Encoded struct{ Raw wire.RawProperties }

// Addressed is Encoded for a request by direct reply-to. Room has place for the
// properties with the requester's address instead of the name of the
// pseudo-queue.
type Addressed struct {
	Encoded
	Room [160]byte
}

// Properties implements Content.
func (e *Encoded) Properties() Properties { return decode(e.Raw) }

// Shown implements Content.
func (e *Encoded) Shown() Properties {
	p := decode(e.Raw)
	if table.Narrow(p.Headers) {
		p.Headers = table.Widen(p.Headers)
	}
	return p
}

// Headers implements Content.
func (e *Encoded) Headers() table.Table { return decodeHeaders(e.Raw) }

// Header implements Content. It decodes only the header.
func (e *Encoded) Header(name string) any { return e.Raw.Header(name) }

// Size implements Content.
func (e *Encoded) Size() int64 { return int64(len(e.Raw)) + encodedSize }

// Size implements Content.
func (a *Addressed) Size() int64 { return a.Encoded.Size() + int64(len(a.Room)) }

// AppendTo implements Content.
func (e *Encoded) AppendTo(b []byte) []byte { return append(b, e.Raw...) }

// Lost does nothing: no call waits for an answer to the message.
func (e *Encoded) Lost(int) {}

// Edited implements Content. It decodes nothing.
func (e *Encoded) Edited(edit Edit) Content { return &Encoded{e.Raw.AppendEdited(nil, &edit.Edit)} }

// Priority implements Content. It decodes nothing.
func (e *Encoded) Priority() uint8 {
	if p, ok := e.Raw.Get(wire.Priority); ok && len(p) == 1 {
		return p[0]
	}
	return 0
}

// Persistent implements Content. It decodes nothing.
func (e *Encoded) Persistent() bool { return e.Raw.DeliveryMode() == persistent }

// rawProperties returns the encoded properties of a message that came over the
// wire, and nil for others.
func rawProperties(c Content) wire.RawProperties {
	switch c := c.(type) {
	case *Encoded:
		return c.Raw
	case *Addressed:
		return c.Raw
	case *Letter:
		return rawProperties(c.Content)
	}
	return nil
}

// Blind is the content of a message that had the header BCC. The header has been
// removed, but its keys still count if the message is dead-lettered.
type Blind struct {
	Content
	Keys []string
}

// Size implements Content.
func (b *Blind) Size() int64 { return b.Content.Size() + sizeOfTexts(b.Keys) }

// Read is a content whose headers are decoded at most once, for as long as somebody
// works with it.
type Read struct {
	Content
	headers table.Table
	decoded bool
}

// Headers implements Content.
func (r *Read) Headers() table.Table {
	if !r.decoded {
		r.headers, r.decoded = r.Content.Headers(), true
	}
	return r.headers
}
