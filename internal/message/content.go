package message

import (
	"sync/atomic"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Content is what a message has beside its body, key and exchange: its
// properties, in the form in which they came. It is immutable and shared.
type Content interface {
	// Properties gives them as they came, integers in headers in the width that
	// they have. The Body is not set.
	Properties() Properties
	// Shown gives them as users see them: every integer in headers is an int64.
	Shown() Properties
	// Headers gives the headers alone, as they came.
	Headers() table.Table
	// Priority gives the priority alone.
	Priority() uint8
	// AppendTo appends the properties as they travel.
	AppendTo(b []byte) []byte
	// Derive makes the content of a message that goes on from this one, with
	// other properties. Narrowed says that headers were added with integers that
	// users see in another width.
	Derive(p Properties, narrowed bool) Content
	// Lost says that n of those who had the message have it no more, and have
	// told nobody of it.
	Lost(n int)
}

// Published are the properties of a message that was published in process.
type Published struct{ props Properties }

// narrow are those of one whose headers have integers that users see in another
// width.
type narrow struct {
	Published
	shown atomic.Pointer[table.Table] // the headers as users see them; nil: nobody has looked
}

// NewPublished makes content of p, without its body.
func NewPublished(p *Properties) Content {
	return NewChecked(p, table.Narrow(p.Headers))
}

// NewChecked is NewPublished for headers that table.Check has seen, which tells
// whether they are narrow.
func NewChecked(p *Properties, isNarrow bool) Content {
	if isNarrow {
		return newNarrow(p)
	}
	return newWide(p)
}

func newWide(p *Properties) *Published {
	c := &Published{*p}
	c.props.Body = nil
	return c
}

func newNarrow(p *Properties) *narrow {
	c := &narrow{Published: Published{*p}}
	c.props.Body = nil
	return c
}

func (c *Published) Properties() Properties   { return c.props }
func (c *Published) Shown() Properties        { return c.props }
func (c *Published) Headers() table.Table     { return c.props.Headers }
func (c *Published) Priority() uint8          { return c.props.Priority }
func (c *Published) AppendTo(b []byte) []byte { return c.props.AppendTo(b) }
func (c *Published) Lost(int)                 {}

func (c *Published) Derive(p Properties, narrowed bool) Content { return NewChecked(&p, narrowed) }

func (c *narrow) Derive(p Properties, _ bool) Content { return newNarrow(&p) }

// Shown widens the headers once for all who look.
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

// Encoded are properties that came over the wire. Most leave the same way and
// are never decoded; the first look decodes them once for all.
type Encoded struct {
	Raw     wire.RawProperties
	decoded atomic.Pointer[narrow]
}

// Addressed are the properties of a request: there is room for those that came,
// with the requester's address instead of the name of the pseudo-queue.
type Addressed struct {
	Encoded
	Room [160]byte
}

func (e *Encoded) look() *narrow {
	if c := e.decoded.Load(); c != nil {
		return c
	}
	c := &narrow{Published: Published{decode(e.Raw)}}
	if !table.Narrow(c.props.Headers) {
		c.shown.Store(&c.props.Headers)
	}
	e.decoded.CompareAndSwap(nil, c)
	return e.decoded.Load()
}

func (e *Encoded) Properties() Properties   { return e.look().props }
func (e *Encoded) Shown() Properties        { return e.look().Shown() }
func (e *Encoded) Headers() table.Table     { return e.look().props.Headers }
func (e *Encoded) AppendTo(b []byte) []byte { return append(b, e.Raw...) }
func (e *Encoded) Lost(int)                 {}

// Derive need not know whether the headers are narrow: it costs a look at them,
// when users look.
func (e *Encoded) Derive(p Properties, _ bool) Content { return newNarrow(&p) }

func (e *Encoded) Priority() uint8 {
	if p, ok := e.Raw.Get(wire.Priority); ok && len(p) == 1 {
		return p[0]
	}
	return 0
}

// rawProperties are those of a message that came over the wire, else nil.
func rawProperties(c Content) wire.RawProperties {
	switch c := c.(type) {
	case *Encoded:
		return c.Raw
	case *Addressed:
		return c.Raw
	}
	return nil
}

// Blind are the properties of a message that had the header BCC. The keys are
// not seen any more, but still count if the message is dead-lettered.
type Blind struct {
	Content
	Keys []string
}
