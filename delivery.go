package warren

import (
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
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

// fill sets all fields of d except the tags and MessageCount.
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

// Ack settles the delivery (basic.ack). With multiple it also settles every earlier
// delivery of the channel. See [Channel.Ack].
func (d *Delivery) Ack(multiple bool) error {
	if d.ch == nil {
		return errUnknownTag(wire.BasicAckID, d.DeliveryTag)
	}
	return d.ch.Ack(d.DeliveryTag, multiple)
}

// Nack rejects the delivery (basic.nack). With multiple it also rejects every
// earlier delivery of the channel. With requeue the messages return to their old
// places in the queue, otherwise they are dropped. See [Channel.Nack].
func (d *Delivery) Nack(multiple, requeue bool) error {
	if d.ch == nil {
		return errUnknownTag(wire.BasicNackID, d.DeliveryTag)
	}
	return d.ch.Nack(d.DeliveryTag, multiple, requeue)
}

// Reject rejects one delivery, as Nack does (basic.reject).
func (d *Delivery) Reject(requeue bool) error {
	if d.ch == nil {
		return errUnknownTag(wire.BasicRejectID, d.DeliveryTag)
	}
	return d.ch.Reject(d.DeliveryTag, requeue)
}

// StreamOffset returns the offset of the delivery in its stream, which is the header
// x-stream-offset. A consumer that starts at n+1, by the function [StreamOffset],
// continues after this delivery. ok is false if the delivery does not come from a
// stream.
func (d *Delivery) StreamOffset() (n int64, ok bool) {
	return table.Integer(d.Headers[message.OffsetHeader])
}
