package remote

import (
	"strings"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// publishing turns properties into those of amqp091-go.
func publishing(p *wire.Properties, body []byte) amqp091.Publishing {
	return amqp091.Publishing{
		Headers: tableTo(p.Headers), ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo,
		Expiration: p.Expiration, MessageId: p.MessageId, Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserId,
		AppId: p.AppId, Body: body,
	}
}

// propertiesOf are the properties of a delivery.
func propertiesOf(d *amqp091.Delivery) wire.Properties {
	return wire.Properties{
		Headers: tableFrom(d.Headers), ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
		Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId,
	}
}

// messageOf is a message that was returned, as users see it.
func messageOf(d *amqp091.Delivery) warren.Message {
	headers := table.Widen(tableFrom(d.Headers))
	delete(headers, cancelsHeader)
	if len(headers) == 0 {
		headers = nil
	}
	return warren.Message{
		Headers: headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
		Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId,
		AppId: d.AppId, Body: d.Body,
	}
}

// tableTo turns a table into one of amqp091-go, which has types of its own. The result
// may share values with t.
func tableTo(t wire.Table) amqp091.Table {
	if t == nil {
		return nil
	}
	to := make(amqp091.Table, len(t))
	for name, v := range t {
		to[name] = valueTo(v)
	}
	return to
}

func valueTo(v any) any {
	switch v := v.(type) {
	case wire.Table:
		return tableTo(v)
	case wire.Decimal:
		return amqp091.Decimal{Scale: v.Scale, Value: v.Value}
	case int:
		return int64(v) // amqp091-go would send 32 bits of it
	case []any:
		to := make([]any, len(v))
		for i, e := range v {
			to[i] = valueTo(e)
		}
		return to
	}
	return v
}

// tableFrom is the reverse of tableTo.
func tableFrom(t amqp091.Table) wire.Table {
	if t == nil {
		return nil
	}
	from := make(wire.Table, len(t))
	for name, v := range t {
		from[name] = valueFrom(v)
	}
	return from
}

func valueFrom(v any) any {
	switch v := v.(type) {
	case amqp091.Table:
		return tableFrom(v)
	case amqp091.Decimal:
		return wire.Decimal{Scale: v.Scale, Value: v.Value}
	case []any:
		from := make([]any, len(v))
		for i, e := range v {
			from[i] = valueFrom(e)
		}
		return from
	}
	return v
}

// isReplyAddress reports whether a name has the form of an address of direct reply-to.
func isReplyAddress(name string) bool {
	for _, base := range [...]string{replyTo, "amq.direct.reply-to", "amq.lavinmq.reply-to"} {
		if rest, ok := strings.CutPrefix(name, base); ok && strings.HasPrefix(rest, ".") {
			return true
		}
	}
	return false
}
