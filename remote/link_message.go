package remote

import (
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// messageOf returns the message of a delivery.
func messageOf(d *amqp091.Delivery) warren.Message {
	return warren.Message{
		Headers: tableFrom(d.Headers), ContentType: d.ContentType, ContentEncoding: d.ContentEncoding,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo,
		Expiration: d.Expiration, MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId,
		AppId: d.AppId, Body: d.Body,
	}
}

// publishingOf returns a message as the client publishes it. It leaves out UserId, which
// a broker takes from nobody but that user.
func publishingOf(m *warren.Message) amqp091.Publishing {
	return amqp091.Publishing{
		Headers: tableTo(m.Headers), ContentType: m.ContentType, ContentEncoding: m.ContentEncoding,
		DeliveryMode: m.DeliveryMode, Priority: m.Priority, CorrelationId: m.CorrelationId, ReplyTo: m.ReplyTo,
		Expiration: m.Expiration, MessageId: m.MessageId, Timestamp: m.Timestamp, Type: m.Type, AppId: m.AppId, Body: m.Body,
	}
}

// tableFrom returns a table of the client as one of Warren's.
func tableFrom(t amqp091.Table) warren.Table {
	if t == nil {
		return nil
	}
	all := make(warren.Table, len(t))
	for k, v := range t {
		all[k] = valueFrom(v)
	}
	return all
}

func valueFrom(v any) any {
	switch v := v.(type) {
	case amqp091.Table:
		return tableFrom(v)
	case amqp091.Decimal:
		return warren.Decimal{Scale: v.Scale, Value: v.Value}
	case []any:
		return mapped(v, valueFrom)
	}
	return v
}

// tableTo returns a table of Warren's as one of the client.
func tableTo(t warren.Table) amqp091.Table {
	if t == nil {
		return nil
	}
	all := make(amqp091.Table, len(t))
	for k, v := range t {
		all[k] = valueTo(v)
	}
	return all
}

func valueTo(v any) any {
	switch v := v.(type) {
	case warren.Table:
		return tableTo(v)
	case warren.Decimal:
		return amqp091.Decimal{Scale: v.Scale, Value: v.Value}
	case []any:
		return mapped(v, valueTo)
	}
	return v
}

func mapped(list []any, f func(any) any) []any {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = f(v)
	}
	return all
}
