package warren

import (
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// Delivery is a message that a consumer or Get received.
type Delivery struct {
	Message
	Exchange     string // it was published to
	RoutingKey   string // it was published with
	ConsumerTag  string // of the consumer; empty from Get
	DeliveryTag  uint64 // counts the channel's deliveries from 1
	Redelivered  bool   // somebody has seen it before and did not settle it
	MessageCount int    // messages left ready in the queue; set by Get only

	ch *Channel
}

// fill makes d show it.
func (d *Delivery) fill(ch *Channel, it *message.Item) {
	if c := it.Outgoing(); c == nil {
		d.Message = Message{Body: it.Body}
	} else {
		d.Message = Message(c.Shown())
		d.Body = it.Body
	}
	d.Exchange = *it.Exchange
	d.RoutingKey = it.Key
	d.Redelivered = it.Redelivered
	d.ch = ch
}

// Ack settles the delivery, and with multiple every earlier one of its channel
// (basic.ack). See [Channel.Ack].
func (d *Delivery) Ack(multiple bool) error {
	if d.ch == nil {
		return errUnknownTag(wire.BasicAckID, d.DeliveryTag)
	}
	return d.ch.Ack(d.DeliveryTag, multiple)
}

// Nack gives the delivery back, and with multiple every earlier one of its
// channel: to its old place in the queue with requeue, else it is dropped
// (basic.nack). See [Channel.Nack].
func (d *Delivery) Nack(multiple, requeue bool) error {
	if d.ch == nil {
		return errUnknownTag(wire.BasicNackID, d.DeliveryTag)
	}
	return d.ch.Nack(d.DeliveryTag, multiple, requeue)
}

// Reject gives one delivery back, as Nack does (basic.reject).
func (d *Delivery) Reject(requeue bool) error {
	if d.ch == nil {
		return errUnknownTag(wire.BasicRejectID, d.DeliveryTag)
	}
	return d.ch.Reject(d.DeliveryTag, requeue)
}

// StreamOffset is the place of the delivery in the stream that it comes from:
// a consumer that starts at the next one, by [StreamOffset], goes on behind
// it. ok is false if it does not come from a stream. It is the header
// x-stream-offset.
func (d *Delivery) StreamOffset() (n int64, ok bool) {
	return table.Integer(d.Headers[message.OffsetHeader])
}
