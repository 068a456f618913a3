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
		Headers: tableThere(p.Headers), ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo,
		Expiration: p.Expiration, MessageId: p.MessageId, Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserId,
		AppId: p.AppId, Body: body,
	}
}

// propertiesOf are the properties of a delivery.
func propertiesOf(d *amqp091.Delivery) wire.Properties {
	return wire.Properties{
		Headers: tableHere(d.Headers), ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
		Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId,
	}
}

// messageOf is a message that was returned, as users see it.
func messageOf(d *amqp091.Delivery) warren.Message {
	headers := table.Widen(tableHere(d.Headers))
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

// isReplyAddress reports whether a name has the form of an address of direct reply-to.
func isReplyAddress(name string) bool {
	for _, base := range [...]string{replyTo, "amq.direct.reply-to", "amq.lavinmq.reply-to"} {
		if rest, ok := strings.CutPrefix(name, base); ok && strings.HasPrefix(rest, ".") {
			return true
		}
	}
	return false
}
