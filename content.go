package warren

import (
	"sync/atomic"

	"github.com/warrenmq/warren/internal/wire"
)

// content is what a message has beside its body, key and exchange: its
// properties, in the form in which they came. It is immutable and shared.
type content interface {
	// message gives the properties as users know them; the Body is not set.
	message() Message
	// headers gives the headers alone.
	headers() Table
	// priority gives the priority alone.
	priority() uint8
	// AppendTo appends the properties as they travel.
	AppendTo(b []byte) []byte
}

// properties are those of a message that was published in process.
type properties Message

func (p *properties) message() Message         { return Message(*p) }
func (p *properties) headers() Table           { return p.Headers }
func (p *properties) priority() uint8          { return p.Priority }
func (p *properties) AppendTo(b []byte) []byte { return (*Message)(p).appendProperties(b) }

// The request of a Call is content, too: that of its message, with the time
// that is left to the caller. To a Handler the deadline travels as context.
func (r *Request) message() Message {
	m := r.Message
	r.stampExpiration(&m)
	return m
}

func (r *Request) headers() Table  { return r.Headers }
func (r *Request) priority() uint8 { return r.Priority }

func (r *Request) AppendTo(b []byte) []byte {
	m := r.message()
	return m.appendProperties(b)
}

// blindCopied are the properties of a message that had the header BCC. The
// keys are not seen any more, but still count if the message is dead-lettered.
type blindCopied struct {
	content
	keys []string
}

// hideBlind keeps the keys of BCC with the message.
func (p *publishing) hideBlind() {
	if len(p.blind) > 0 {
		p.content = &blindCopied{p.content, p.blind}
	}
}

// encoded are properties that came over the wire. Most leave the same way and
// are never decoded; the first look decodes them once for all.
type encoded struct {
	raw     wire.RawProperties
	decoded atomic.Pointer[Message]
}

// addressed are the properties of a request: there is room for those that came,
// with the requester's address instead of the name of the pseudo-queue.
type addressed struct {
	encoded
	room [160]byte
}

func (e *encoded) look() *Message {
	if m := e.decoded.Load(); m != nil {
		return m
	}
	var p wire.Properties
	m := new(Message)
	if err := p.Parse(e.raw); err == nil { // checked when they came
		*m = messageOf(&p)
	}
	e.decoded.CompareAndSwap(nil, m)
	return e.decoded.Load()
}

func (e *encoded) message() Message { return *e.look() }
func (e *encoded) headers() Table   { return e.look().Headers }

func (e *encoded) priority() uint8 {
	if p, ok := e.raw.Get(wire.Priority); ok && len(p) == 1 {
		return p[0]
	}
	return 0
}

func (e *encoded) AppendTo(b []byte) []byte { return append(b, e.raw...) }

// messageOf puts decoded properties into the form that users know.
func messageOf(p *wire.Properties) Message {
	return Message{
		Headers: p.Headers, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationId,
		ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageId: p.MessageId, Timestamp: p.Timestamp,
		Type: p.Type, UserId: p.UserId, AppId: p.AppId,
	}
}

// appendProperties encodes the properties.
func (m *Message) appendProperties(b []byte) []byte {
	p := wire.Properties{
		Headers: m.Headers, ContentType: m.ContentType, ContentEncoding: m.ContentEncoding,
		DeliveryMode: m.DeliveryMode, Priority: m.Priority, CorrelationId: m.CorrelationId,
		ReplyTo: m.ReplyTo, Expiration: m.Expiration, MessageId: m.MessageId, Timestamp: m.Timestamp,
		Type: m.Type, UserId: m.UserId, AppId: m.AppId,
	}
	return p.Append(b)
}
