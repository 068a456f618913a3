package warrentest

import (
	"context"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// inProcess is the connection of what the program does by its own channels.
const inProcess = "in process"

// tracer records what the program does with messages by its own channels and handlers.
type tracer struct {
	log  *recorder
	next warren.Tracer // of Options; nil: none
}

// Start implements warren.Tracer. What is sent is recorded when it begins, because it may
// never end.
func (t *tracer) Start(ctx context.Context, op *warren.Operation) (context.Context, func(error)) {
	e := Event{
		At: time.Now(), Connection: inProcess, From: Client, VirtualHost: op.VirtualHost, Exchange: op.Exchange, RoutingKey: op.RoutingKey,
		Queue: op.Queue, ConsumerTag: op.ConsumerTag, DeliveryTag: op.DeliveryTag, Redelivered: op.Redelivered,
	}
	m := *op.Message
	e.Message = &m
	switch op.Kind {
	case warren.OperationPublish:
		e.Method = wire.BasicPublishID.String()
	case warren.OperationCall:
		e.Method, e.Text = wire.BasicPublishID.String(), "call"
	case warren.OperationReply:
		e.Method, e.Text = wire.BasicPublishID.String(), "reply"
	case warren.OperationProcess:
		e.Method, e.Text, e.From = wire.BasicDeliverID.String(), "to a function", Server
	default:
		e.Method, e.From = wire.BasicDeliverID.String(), Server
	}
	t.log.add(&e)
	if t.next == nil {
		return ctx, nil
	}
	return t.next.Start(ctx, op)
}
