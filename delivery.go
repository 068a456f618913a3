package warren

import (
	"context"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/table"
)

// Delivery is a message that a consumer or Get has received.
type Delivery struct {
	Message
	Exchange     string // the exchange that it was published to
	RoutingKey   string // the key that it was published with
	ConsumerTag  string // empty for Get
	DeliveryTag  uint64 // counts the channel's deliveries from 1
	Redelivered  bool   // it was delivered before and not settled
	MessageCount int    // ready messages left in the queue; set by Get only

	ch *Channel
}

// DeliveryFunc works on one delivery, and settles it by what it returns: nil
// acknowledges it, an error rejects it, which makes it a dead letter, or requeues it,
// see [ConsumeOptions].Requeue. A panic counts as an error. An error is logged and
// counted in [Stats].Failed. The function may settle the delivery itself, before it
// returns: what it returns then settles nothing. To settle later, or several at once,
// read with [Consumer.Next] or [Channel.Deliveries].
//
// ctx ends with the channel, from when the delivery is for others, and so with the
// broker. It does not end when the consumer is cancelled. With ctx the function may
// publish and call while the broker drains, see [Broker.Shutdown].
type DeliveryFunc func(ctx context.Context, d Delivery) error

// fill sets all fields of d except the tags and MessageCount.
func (d *Delivery) fill(ch *Channel, it *message.Item) {
	switch c := it.Outgoing().(type) {
	case nil:
		d.Message = Message{Body: it.Body}
	case message.Mode:
		d.Message = Message{Body: it.Body, DeliveryMode: uint8(c)}
	default:
		d.Message = Message(c.Shown())
		d.Body = it.Body
	}
	d.Exchange = *it.Exchange
	d.RoutingKey = it.Key
	d.Redelivered = it.Redelivered
	d.ch = ch
}

// StreamOffset returns the offset of the delivery in its stream, which is the header
// x-stream-offset. A consumer that starts at n+1, by the function [StreamOffset],
// continues after this delivery. ok is false if the delivery does not come from a
// stream.
func (d *Delivery) StreamOffset() (n int64, ok bool) {
	return table.Integer(d.Headers[message.OffsetHeader])
}

// operation is what a tracer is told of a delivery that came from queue.
func (d *Delivery) operation(kind OperationKind, queue string) *Operation {
	return &Operation{
		Kind: kind, VirtualHost: d.ch.vhost.name, Exchange: d.Exchange, RoutingKey: d.RoutingKey, Queue: queue,
		ConsumerTag: d.ConsumerTag, DeliveryTag: d.DeliveryTag, Redelivered: d.Redelivered, Message: &d.Message,
	}
}

// traceReceive tells the tracer of a delivery that was read from queue.
func (ch *Channel) traceReceive(ctx context.Context, queue string, d Delivery) {
	_, end := d.operation(OperationReceive, queue).begin(ctx, ch.vhost.broker.options.Tracer)
	end(nil)
}

// deliverToSink gives a message its delivery tag and passes it to the connection. It
// holds the channel's lock, so that tags are sent in their order. It reports false
// if the channel is closed. c is nil for Get; left is then the number of messages
// left in the queue.
func (ch *Channel) deliverToSink(c *Consumer, delivered *queue.Delivered, noAck bool, sink link.Sink, left int) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.closed.Load() {
		return false
	}
	it := &delivered.Item
	d := link.Delivery{
		Tag: ch.lastTag.Add(1), Redelivered: it.Redelivered,
		Exchange: *it.Exchange, RoutingKey: it.Key, Body: it.Body,
	}
	if c := it.Outgoing(); c != nil {
		d.Properties = c
	}
	if c != nil {
		d.ConsumerTag, d.Reply = c.tag, c.reply != nil
	}
	if !noAck {
		ch.addUnacked(d.Tag, delivered)
	}
	if c == nil {
		sink.Got(d, left)
	} else {
		sink.Deliver(d)
	}
	return true
}

// deliverItem passes an item of a stream to the connection of a reply consumer. It reports
// false if the channel is closed or the consumer has ended.
func (ch *Channel) deliverItem(c *Consumer, e *message.Entry) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.closed.Load() || ch.reply.Load() != c.reply {
		return false
	}
	d := link.Delivery{
		ConsumerTag: c.tag, Tag: ch.lastTag.Add(1),
		Exchange: *e.Exchange, RoutingKey: e.Key, Body: e.Body,
	}
	if e.Content != nil {
		d.Properties = e.Content
	}
	c.sink.Deliver(d)
	return true
}
