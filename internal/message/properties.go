package message

import (
	"time"

	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Properties are a body with the properties of AMQP's class basic. A property that
// is zero is not set. The fields are those of warren.Message, so that one type
// can be converted to the other.
type Properties struct {
	Headers         table.Table
	ContentType     string
	ContentEncoding string
	DeliveryMode    uint8
	Priority        uint8
	CorrelationId   string
	ReplyTo         string
	Expiration      string
	MessageId       string
	Timestamp       time.Time
	Type            string
	UserId          string
	AppId           string
	Body            []byte
}

// Plain reports whether no property is set.
func (p *Properties) Plain() bool { return len(p.CorrelationId) == 0 && p.OnlyCorrelated() }

// OnlyCorrelated reports whether no property is set but perhaps the correlation id.
func (p *Properties) OnlyCorrelated() bool {
	return p.Headers == nil && p.DeliveryMode == 0 && p.Priority == 0 &&
		len(p.ContentType)|len(p.ContentEncoding)|len(p.ReplyTo)|
			len(p.Expiration)|len(p.MessageId)|len(p.Type)|len(p.UserId)|len(p.AppId) == 0 &&
		p.Timestamp.IsZero()
}

// TooLong returns the name and the size of a property that exceeds AMQP's short
// string. The name is empty if there is none.
func (p *Properties) TooLong() (name string, size int) {
	if len(p.ContentType)|len(p.ContentEncoding)|len(p.CorrelationId)|len(p.ReplyTo)|len(p.Expiration)|
		len(p.MessageId)|len(p.Type)|len(p.UserId)|len(p.AppId) <= names.MaxLen {
		return "", 0 // the usual case; the check holds because the limit is one less than a power of two
	}
	for _, s := range [...]struct{ name, value string }{
		{"content_type", p.ContentType}, {"content_encoding", p.ContentEncoding},
		{"correlation_id", p.CorrelationId}, {"reply_to", p.ReplyTo},
		{"expiration", p.Expiration}, {"message_id", p.MessageId},
		{"type", p.Type}, {"user_id", p.UserId}, {"app_id", p.AppId},
	} {
		if len(s.value) > names.MaxLen {
			return s.name, len(s.value)
		}
	}
	return "", 0
}

// AppendTo appends the encoded properties to b, without the body.
func (p *Properties) AppendTo(b []byte) []byte {
	w := wire.Properties{
		Headers: p.Headers, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationId,
		ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageId: p.MessageId, Timestamp: p.Timestamp,
		Type: p.Type, UserId: p.UserId, AppId: p.AppId,
	}
	return w.Append(b)
}

// decode decodes properties. They were checked when they came, so it does not
// fail.
func decode(raw wire.RawProperties) (p Properties) {
	var w wire.Properties
	if err := w.Parse(raw); err != nil {
		return p
	}
	return Properties{
		Headers: w.Headers, ContentType: w.ContentType, ContentEncoding: w.ContentEncoding,
		DeliveryMode: w.DeliveryMode, Priority: w.Priority, CorrelationId: w.CorrelationId,
		ReplyTo: w.ReplyTo, Expiration: w.Expiration, MessageId: w.MessageId, Timestamp: w.Timestamp,
		Type: w.Type, UserId: w.UserId, AppId: w.AppId,
	}
}

// decodeHeaders decodes the headers alone.
func decodeHeaders(raw wire.RawProperties) table.Table {
	b, ok := raw.Get(wire.Headers)
	if !ok {
		return nil
	}
	t, _ := wire.ParseTable(b)
	return t
}

// withHeader returns a copy of t with one more header.
func withHeader(t table.Table, name string, v any) table.Table {
	out := make(table.Table, len(t)+1)
	for k, v := range t {
		out[k] = v
	}
	out[name] = v
	return out
}
