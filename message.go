package warren

import (
	"strconv"
	"time"

	"github.com/warrenmq/warren/internal/message"
)

// Values of the DeliveryMode of a [Message].
const (
	Transient  uint8 = 1 // may be lost when the broker stops; zero means the same
	Persistent uint8 = 2 // kept on disk by a durable queue of a broker from [Open]
)

// Message is a body with the properties of AMQP's basic class. A property with its
// zero value is not set.
//
// A published message is immutable: queues and consumers share its Body and Headers,
// so do not change them after publishing.
type Message struct {
	Headers         Table     // application headers
	ContentType     string    // MIME type of the body
	ContentEncoding string    // MIME encoding of the body
	DeliveryMode    uint8     // Transient (or zero) or Persistent
	Priority        uint8     // 0 to 9 by convention
	CorrelationId   string    // of a request, repeated in its reply
	ReplyTo         string    // address for the reply; see [DirectReplyTo]
	Expiration      string    // time to live in a queue, in milliseconds as decimal digits; see [Milliseconds]
	MessageId       string    // the application's identifier
	Timestamp       time.Time // in seconds over AMQP
	Type            string    // the application's message type
	UserId          string    // the user who published
	AppId           string    // the application that published
	Body            []byte
}

// properties returns the message as properties for the internal packages.
func (m *Message) properties() *message.Properties { return (*message.Properties)(m) }

// Return is a mandatory or immediate message that nothing took (basic.return). It is
// the error of the Publish that sent the message, or of the TxCommit that published
// it.
type Return struct {
	Message
	Code       uint16 // 312 or 313
	Text       string // "NO_ROUTE" or "NO_CONSUMERS"
	Exchange   string
	RoutingKey string

	content message.Content // the encoded or original content; nil: no property is set
}

// Error returns the code, the exchange and the routing key.
func (r *Return) Error() string {
	return "warren: message returned: " + strconv.Itoa(int(r.Code)) + " " + r.Text +
		" (exchange '" + r.Exchange + "', routing key '" + r.RoutingKey + "')"
}

// Is reports whether target is the sentinel for the code: [ErrNoRoute] or
// [ErrNoConsumers].
func (r *Return) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == r.Code && t.Class == 0
}

// Milliseconds returns d in whole milliseconds, at least zero, in the form of
// [Message].Expiration. Zero means that the message expires unless a consumer takes
// it at once.
func Milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(0, d.Milliseconds()), 10)
}
