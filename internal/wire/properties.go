package wire

import (
	"math/bits"
	"time"
)

// Property is one property of class basic: its flag in the two octets that
// [RawProperties] begin with.
type Property uint16

// The properties, in the order in which they travel.
const (
	ContentType Property = 1 << (15 - iota)
	ContentEncoding
	Headers
	DeliveryMode
	Priority
	CorrelationId
	ReplyTo
	Expiration
	MessageId
	Timestamp
	Type
	UserId
	AppId
	ClusterId // reserved

	knownProperties = ^(ClusterId - 1)
)

// Properties are the properties of a message as Go values. The zero value of
// one means that it is not set; headers are not set if they are nil.
type Properties struct {
	ContentType     string
	ContentEncoding string
	Headers         Table
	DeliveryMode    uint8
	Priority        uint8
	CorrelationId   string
	ReplyTo         string
	Expiration      string
	MessageId       string
	Timestamp       time.Time // whole seconds
	Type            string
	UserId          string
	AppId           string
	ClusterId       string
}

// Parse reads all properties. They share nothing with raw.
func (p *Properties) Parse(raw RawProperties) error {
	var r propertyReader
	r.start(raw)
	*p = Properties{
		ContentType:     r.text(ContentType),
		ContentEncoding: r.text(ContentEncoding),
		Headers:         r.headers(),
		DeliveryMode:    r.octet(DeliveryMode),
		Priority:        r.octet(Priority),
		CorrelationId:   r.text(CorrelationId),
		ReplyTo:         r.text(ReplyTo),
		Expiration:      r.text(Expiration),
		MessageId:       r.text(MessageId),
		Timestamp:       r.time(Timestamp),
		Type:            r.text(Type),
		UserId:          r.text(UserId),
		AppId:           r.text(AppId),
		ClusterId:       r.text(ClusterId),
	}
	return r.end()
}

// Append appends the properties that are set, as [RawProperties].
func (p *Properties) Append(b []byte) []byte {
	w := propertyWriter{b: append(b, 0, 0)}
	w.text(ContentType, p.ContentType)
	w.text(ContentEncoding, p.ContentEncoding)
	w.headers(p.Headers)
	w.octet(DeliveryMode, p.DeliveryMode)
	w.octet(Priority, p.Priority)
	w.text(CorrelationId, p.CorrelationId)
	w.text(ReplyTo, p.ReplyTo)
	w.text(Expiration, p.Expiration)
	w.text(MessageId, p.MessageId)
	w.time(Timestamp, p.Timestamp)
	w.text(Type, p.Type)
	w.text(UserId, p.UserId)
	w.text(AppId, p.AppId)
	w.text(ClusterId, p.ClusterId)
	w.b[len(b)], w.b[len(b)+1] = byte(w.flags>>8), byte(w.flags)
	return w.b
}

// propertyReader reads properties in their order. What is not set reads as
// zero.
type propertyReader struct {
	reader
	flags Property // of what is yet to be read
}

// start reads the flags.
func (r *propertyReader) start(p RawProperties) {
	r.b = p
	r.flags = Property(r.uint16())
	if r.flags&^knownProperties != 0 {
		r.fail(ErrPropertyFlags)
	}
}

// next gives the octets of a property, without the length of those that have
// one.
func (r *propertyReader) next(p Property) []byte {
	if r.flags&p == 0 {
		return nil
	}
	r.flags &^= p
	switch p {
	case Headers:
		return r.long()
	case DeliveryMode, Priority:
		return r.take(1)
	case Timestamp:
		return r.take(8)
	}
	return r.short()
}

// skipTo reads over the properties in front of p.
func (r *propertyReader) skipTo(p Property) {
	for r.flags > p|(p-1) {
		r.next(1 << (bits.Len16(uint16(r.flags)) - 1))
	}
}

func (r *propertyReader) text(p Property) string { return string(r.next(p)) }

func (r *propertyReader) octet(p Property) uint8 {
	if v := r.next(p); v != nil {
		return v[0]
	}
	return 0
}

func (r *propertyReader) time(p Property) time.Time {
	if v := r.next(p); v != nil {
		return timestamp(v)
	}
	return time.Time{}
}

func (r *propertyReader) headers() Table {
	entries := r.next(Headers)
	if entries == nil {
		return nil
	}
	t, err := ParseTable(entries)
	r.fail(err)
	return t
}

// propertyWriter appends the properties that are not zero, and collects their
// flags.
type propertyWriter struct {
	b     []byte
	flags Property
}

func (w *propertyWriter) text(p Property, s string) {
	if s != "" {
		w.flags |= p
		w.b = appendShort(w.b, s)
	}
}

func (w *propertyWriter) octet(p Property, v uint8) {
	if v != 0 {
		w.flags |= p
		w.b = append(w.b, v)
	}
}

func (w *propertyWriter) time(p Property, t time.Time) {
	if !t.IsZero() {
		w.flags |= p
		w.b = appendUint64(w.b, uint64(t.Unix()))
	}
}

func (w *propertyWriter) headers(t Table) {
	if t != nil {
		w.flags |= Headers
		w.b = AppendTable(w.b, t)
	}
}
