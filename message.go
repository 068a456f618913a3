package warren

import (
	"strconv"
	"time"

	"github.com/warrenmq/warren/internal/message"
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
