package warren

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/internal/wire"
)

// Errors to test for with [errors.Is]. The first seven match any [*Error] or
// [*Return] with the same reply code.
var (
	ErrNotFound           error = &Error{Code: wire.CodeNotFound, Text: "NOT_FOUND"}
	ErrAccessRefused      error = &Error{Code: wire.CodeAccessRefused, Text: "ACCESS_REFUSED"}
	ErrPreconditionFailed error = &Error{Code: wire.CodePreconditionFailed, Text: "PRECONDITION_FAILED"}
	ErrResourceLocked     error = &Error{Code: wire.CodeResourceLocked, Text: "RESOURCE_LOCKED"}
	ErrNotAllowed         error = &Error{Code: wire.CodeNotAllowed, Text: "NOT_ALLOWED"}

	// ErrNoRoute: no queue took a message that had to be routed (312), or
	// nobody serves the queue that a Call was sent to.
	ErrNoRoute error = &Error{Code: wire.CodeNoRoute, Text: "NO_ROUTE"}
	// ErrNoConsumers: no consumer was ready for a message that had to be
	// delivered at once (313).
	ErrNoConsumers error = &Error{Code: wire.CodeNoConsumers, Text: "NO_CONSUMERS"}

	// ErrClosed: the broker, session, channel, consumer or handler was closed.
	// It also matches [net.ErrClosed]. A channel that the broker has closed
	// tells why by an [*Error] with it, see [QueueOptions].ConsumerTimeout.
	ErrClosed = fmt.Errorf("warren: closed (%w)", net.ErrClosed)
	// ErrConsumerCancelled: the broker cancelled the consumer, because its
	// queue was deleted. AMQP clients get basic.cancel in this case.
	ErrConsumerCancelled = errors.New("warren: the consumer was cancelled: its queue was deleted")
	// ErrSlowConsumer: replies came faster than a direct reply-to consumer read
	// them and filled its buffer ([Options].ReplyBuffer), so it was cancelled.
	ErrSlowConsumer = errors.New("warren: the reply consumer was cancelled: its buffer of unread replies is full")
	// ErrMemoryLimit: queues hold [Options].MemoryLimit bytes and the broker
	// is set to refuse publishes then.
	ErrMemoryLimit = errors.New("warren: publish refused: queues hold as much memory as Options.MemoryLimit allows")
	// ErrRequestDropped: the request of a Call was dropped before anybody
	// answered it: its queue was deleted or purged, or a consumer rejected it.
	ErrRequestDropped = errors.New("warren: the request was dropped before it was answered: its queue was deleted or purged, or a consumer rejected it")
	// ErrNacked: a queue could not keep a message that was published in
	// confirm mode, in a transaction or by a Call (basic.nack).
	ErrNacked = errors.New("warren: the broker refused the message (basic.nack)")
)

// Error is a failed operation, as AMQP would report it in channel.close or
// connection.close. In process it closes nothing: it is only returned.
type Error struct {
	Code   uint16 // reply code, for example 404
	Class  uint16 // class id of the method that failed, for example 50 for queue.*
	Method uint16 // method id within the class
	Text   string // reply text in RabbitMQ's words, with the name of the code in front
	Hint   string // what to do about it; not part of the reply text
}

// Error gives the reply text, the method that failed and the hint.
func (e *Error) Error() string {
	var s strings.Builder
	s.WriteString("warren: ")
	if m := wire.MethodID(uint32(e.Class)<<16 | uint32(e.Method)); m != 0 {
		fmt.Fprintf(&s, "%s: ", m)
	}
	fmt.Fprintf(&s, "%d %s", e.Code, e.Text)
	if e.Hint != "" {
		s.WriteString(" (")
		s.WriteString(e.Hint)
		s.WriteByte(')')
	}
	return s.String()
}

// Is reports whether target is the sentinel for the error's code. Any *Error
// without class and method counts as one.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Class == 0 && t.Method == 0
}

// ClosesConnection reports whether an AMQP broker closes the whole connection
// for this error, as RabbitMQ does, and not just the channel.
func (e *Error) ClosesConnection() bool {
	return wire.ClosesConnection(e.Code)
}

// failure makes the error that AMQP reports for m with the given code and text.
// A zero m stands for what the broker does by itself.
func failure(m wire.MethodID, code uint16, format string, args ...any) *Error {
	return &Error{
		Code:   code,
		Class:  uint16(m >> 16),
		Method: uint16(m),
		Text:   wire.CodeName(code) + " - " + fmt.Sprintf(format, args...),
	}
}

// hint adds advice to e.
func (e *Error) withHint(h string) *Error {
	e.Hint = h
	return e
}

// isNotFound reports whether err is a 404.
func isNotFound(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Code == wire.CodeNotFound
}

// quoteBool writes a property as RabbitMQ does in texts.
func quoteBool(b bool) string { return "'" + strconv.FormatBool(b) + "'" }
