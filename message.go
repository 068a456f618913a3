package warren

import (
	"strconv"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// DeliveryMode of a [Message].
const (
	Transient  uint8 = 1 // may be lost when the broker stops; the same as zero
	Persistent uint8 = 2 // is kept by a durable queue of a durable broker
)

// Message is a body with the properties of AMQP's basic class. The zero value
// of a property means that it is not set.
//
// A message is immutable from the moment it is published: queues and consumers
// share Body and Headers, so do not change either afterwards.
type Message struct {
	Headers         Table     // application headers
	ContentType     string    // MIME type of the body
	ContentEncoding string    // MIME encoding of the body
	DeliveryMode    uint8     // Transient (or zero) or Persistent
	Priority        uint8     // 0 to 9 by convention
	CorrelationId   string    // of a request, repeated in its reply
	ReplyTo         string    // where to send the reply; see [DirectReplyTo]
	Expiration      string    // milliseconds to live in a queue, as decimal digits; see [Milliseconds]
	MessageId       string    // application's identifier
	Timestamp       time.Time // seconds, on the wire
	Type            string    // application's message type
	UserId          string    // user who published
	AppId           string    // application that published
	Body            []byte
}

// properties are the message as the broker's inner parts know it.
func (m *Message) properties() *message.Properties { return (*message.Properties)(m) }

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

// Return is a message that could not be routed although it had to be
// (basic.return). It is the error of the Publish that sent the message, or of
// the TxCommit that released it.
type Return struct {
	Message
	Code       uint16 // 312 or 313
	Text       string // "NO_ROUTE" or "NO_CONSUMERS"
	Exchange   string
	RoutingKey string

	content message.Content // as it travels; nil: no property is set
}

// Error says what was returned and why.
func (r *Return) Error() string {
	return "warren: message returned: " + strconv.Itoa(int(r.Code)) + " " + r.Text +
		" (exchange '" + r.Exchange + "', routing key '" + r.RoutingKey + "')"
}

// Is matches [ErrNoRoute] and [ErrNoConsumers] by code.
func (r *Return) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == r.Code && t.Class == 0
}

// Milliseconds is d as AMQP writes an expiration: whole milliseconds, at least
// zero. It is the Expiration of a [Message] that may wait d in a queue; zero
// means that it expires unless a consumer takes it at once.
func Milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(0, d.Milliseconds()), 10)
}
