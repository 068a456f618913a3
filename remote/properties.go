package remote

import (
	"math"
	"strconv"
	"strings"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
)

// publishing returns a message as amqp091-go takes it. Its headers are a copy.
func publishing(p *message.Properties) amqp091.Publishing {
	return amqp091.Publishing{
		Headers: tableThere(p.Headers), ContentType: p.ContentType, ContentEncoding: p.ContentEncoding,
		DeliveryMode: p.DeliveryMode, Priority: p.Priority, CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo,
		Expiration: expiration(p.Expiration), MessageId: p.MessageId, Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserId,
		AppId: p.AppId, Body: p.Body,
	}
}

// expiration returns an expiration that no broker closes the channel for. RabbitMQ has at
// most 32 bits.
func expiration(ms string) string {
	if ms == "" {
		return ""
	}
	n, err := strconv.ParseUint(ms, 10, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatUint(min(n, math.MaxUint32), 10)
}

// propertiesOf are the properties of a delivery, with its body.
func propertiesOf(d *amqp091.Delivery) message.Properties {
	p := message.Properties{
		Headers: tableHere(d.Headers), ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
		Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId,
		Body: d.Body,
	}
	if len(p.Body) == 0 {
		p.Body = nil // as from a caller in this process
	}
	return p
}

// messageOf is a delivery as users see it.
func messageOf(d *amqp091.Delivery) warren.Message {
	m := warren.Message(propertiesOf(d))
	m.Headers = table.Widen(m.Headers)
	return m
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
