package warren

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

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

// plain reports whether no property is set.
func (m *Message) plain() bool {
	return m.Headers == nil && m.DeliveryMode == 0 && m.Priority == 0 &&
		len(m.ContentType)|len(m.ContentEncoding)|len(m.CorrelationId)|len(m.ReplyTo)|
			len(m.Expiration)|len(m.MessageId)|len(m.Type)|len(m.UserId)|len(m.AppId) == 0 &&
		m.Timestamp.IsZero()
}

// maxExpiration is RabbitMQ's bound: ten years of 365 days, in milliseconds.
const maxExpiration = 10 * 365 * 24 * 3600 * 1000

// check refuses properties that AMQP cannot carry.
func (m *Message) check() error {
	for _, p := range [...]struct{ name, value string }{
		{"content_type", m.ContentType}, {"content_encoding", m.ContentEncoding},
		{"correlation_id", m.CorrelationId}, {"reply_to", m.ReplyTo},
		{"expiration", m.Expiration}, {"message_id", m.MessageId},
		{"type", m.Type}, {"user_id", m.UserId}, {"app_id", m.AppId},
	} {
		if len(p.value) > maxShortString {
			return failure(wire.BasicPublishID, wire.CodeSyntaxError, "property %s of %d bytes exceeds %d", p.name, len(p.value), maxShortString)
		}
	}
	return checkTable(wire.BasicPublishID, m.Headers)
}

// parseExpiration gives the milliseconds of an expiration.
func parseExpiration(s string) (ms int64, err error) {
	ms, problem := expirationProblem(s)
	if problem != "" {
		return 0, failure(wire.BasicPublishID, wire.CodePreconditionFailed, "invalid expiration '%s': %s", s, problem).
			hint("it is a number of milliseconds, written as decimal digits")
	}
	return ms, nil
}

// expirationProblem is RabbitMQ's word for what is wrong with an expiration.
func expirationProblem(s string) (ms int64, problem string) {
	sign := 0
	if s[0] == '-' || s[0] == '+' {
		sign = 1
	}
	rest := strings.TrimLeft(s[sign:], "0123456789")
	digits := len(s) - sign - len(rest)
	if digits == 0 {
		return 0, "no_integer"
	}
	if rest != "" {
		return 0, fmt.Sprintf("{leftover_string,%q}", rest)
	}
	n, _ := strconv.ParseInt(s, 10, 64) // the nearest value, if it is out of range
	switch {
	case n < 0:
		return 0, "{value_negative," + s + "}"
	case n > maxExpiration:
		return 0, "{value_too_large," + strings.TrimPrefix(s, "+") + "}"
	}
	return n, ""
}

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
func (d *Delivery) fill(ch *Channel, it *item) {
	if c := it.shown(); c == nil {
		d.Message = Message{Body: it.body}
	} else {
		d.Message = c.message()
		d.Body = it.body
	}
	d.Exchange = it.exchange.name
	d.RoutingKey = it.key
	d.Redelivered = it.redelivered
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
	Code       uint16 // NoRoute or NoConsumers
	Text       string // "NO_ROUTE" or "NO_CONSUMERS"
	Exchange   string
	RoutingKey string
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

// entry is a message as queues keep it: 64 bytes, copied by value. What few
// messages have stands behind the interface.
type entry struct {
	body     []byte
	key      string
	exchange *exchange // it was published to; only its name is used
	content  content   // nil when no property is set
}

// item is an entry that a queue has given a position, and its fate so far.
type item struct {
	entry
	pos         uint64
	deadline    int64  // when it expires, see Broker.clock; zero: never
	returns     uint32 // times that it came back; counted where a limit is set
	redelivered bool
}

// shown is the content that a consumer gets to see: with x-delivery-count, if
// the queue has counted how often the message came back.
func (it *item) shown() content {
	if it.returns == 0 {
		return it.content
	}
	return it.with("x-delivery-count", int64(it.returns))
}

// with is the entry's content with one more header.
func (e *entry) with(header string, v any) content {
	m := e.message()
	h := make(Table, len(m.Headers)+1)
	maps.Copy(h, m.Headers)
	h[header] = v
	m.Headers = h
	return e.derive(&m)
}

// overhead is what an entry costs beyond its body, for the memory limit.
const overhead = 100

func (e *entry) cost() int64 { return int64(len(e.body)) + overhead }

// message puts the entry back into the form that users know.
func (e *entry) message() Message {
	if e.content == nil {
		return Message{Body: e.body}
	}
	m := e.content.message()
	m.Body = e.body
	return m
}

// derive makes the content of a message that goes on with other properties.
func (e *entry) derive(m *Message) content {
	if r := e.request(); r != nil {
		return r.derive(m)
	}
	props := properties(*m)
	props.Body = nil
	return &props
}

// request is that of a Call, or nil.
func (e *entry) request() *Request {
	r, _ := e.content.(*Request)
	return r
}

// drop tells the call that waits for an answer to e that there will be none.
func (e *entry) drop(err error) {
	if r := e.request(); r != nil {
		r.dropped(1, err)
	}
}

// remaining is the time left until ctx's deadline, in milliseconds and never
// negative; ok is false when there is none.
func remaining(ctx context.Context) (ms int64, ok bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return max(0, time.Until(deadline).Milliseconds()), true
}
