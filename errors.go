package warren

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// Reply codes of AMQP 0-9-1, under the names that amqp091-go gives them.
const (
	ContentTooLarge    = 311
	NoRoute            = 312
	NoConsumers        = 313
	ConnectionForced   = 320
	InvalidPath        = 402
	AccessRefused      = 403
	NotFound           = 404
	ResourceLocked     = 405
	PreconditionFailed = 406
	FrameError         = 501
	SyntaxError        = 502
	CommandInvalid     = 503
	ChannelError       = 504
	UnexpectedFrame    = 505
	ResourceError      = 506
	NotAllowed         = 530
	NotImplemented     = 540
	InternalError      = 541
)

// Errors to test for with [errors.Is]. The first seven match any [*Error] or
// [*Return] with the same reply code.
var (
	ErrNotFound           error = &Error{Code: NotFound, Text: "NOT_FOUND"}
	ErrAccessRefused      error = &Error{Code: AccessRefused, Text: "ACCESS_REFUSED"}
	ErrPreconditionFailed error = &Error{Code: PreconditionFailed, Text: "PRECONDITION_FAILED"}
	ErrResourceLocked     error = &Error{Code: ResourceLocked, Text: "RESOURCE_LOCKED"}
	ErrNotAllowed         error = &Error{Code: NotAllowed, Text: "NOT_ALLOWED"}

	// ErrNoRoute: no queue took a message that had to be routed (312), or
	// nobody serves the queue that a Call was sent to.
	ErrNoRoute error = &Error{Code: NoRoute, Text: "NO_ROUTE"}
	// ErrNoConsumers: no consumer was ready for a message that had to be
	// delivered at once (313).
	ErrNoConsumers error = &Error{Code: NoConsumers, Text: "NO_CONSUMERS"}

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
	if m := method(uint32(e.Class)<<16 | uint32(e.Method)); m != 0 {
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
	switch e.Code {
	case ContentTooLarge, NoRoute, NoConsumers, AccessRefused, NotFound, ResourceLocked, PreconditionFailed:
		return false
	}
	return true
}

// codeName is the name that stands before every reply text.
func codeName(code uint16) string {
	switch code {
	case ContentTooLarge:
		return "CONTENT_TOO_LARGE"
	case NoRoute:
		return "NO_ROUTE"
	case NoConsumers:
		return "NO_CONSUMERS"
	case ConnectionForced:
		return "CONNECTION_FORCED"
	case InvalidPath:
		return "INVALID_PATH"
	case AccessRefused:
		return "ACCESS_REFUSED"
	case NotFound:
		return "NOT_FOUND"
	case ResourceLocked:
		return "RESOURCE_LOCKED"
	case PreconditionFailed:
		return "PRECONDITION_FAILED"
	case FrameError:
		return "FRAME_ERROR"
	case SyntaxError:
		return "SYNTAX_ERROR"
	case CommandInvalid:
		return "COMMAND_INVALID"
	case ChannelError:
		return "CHANNEL_ERROR"
	case UnexpectedFrame:
		return "UNEXPECTED_FRAME"
	case ResourceError:
		return "RESOURCE_ERROR"
	case NotAllowed:
		return "NOT_ALLOWED"
	case NotImplemented:
		return "NOT_IMPLEMENTED"
	}
	return "INTERNAL_ERROR"
}

// method is an AMQP method: class id in the upper half, method id in the lower.
type method uint32

const (
	channelOpen     method = 20<<16 | 10
	exchangeDeclare method = 40<<16 | 10
	exchangeDelete  method = 40<<16 | 20
	exchangeBind    method = 40<<16 | 30
	exchangeUnbind  method = 40<<16 | 40
	queueDeclare    method = 50<<16 | 10
	queueBind       method = 50<<16 | 20
	queuePurge      method = 50<<16 | 30
	queueDelete     method = 50<<16 | 40
	queueUnbind     method = 50<<16 | 50
	basicQos        method = 60<<16 | 10
	basicConsume    method = 60<<16 | 20
	basicCancel     method = 60<<16 | 30
	basicPublish    method = 60<<16 | 40
	basicGet        method = 60<<16 | 70
	basicAck        method = 60<<16 | 80
	basicReject     method = 60<<16 | 90
	basicNack       method = 60<<16 | 120
	confirmSelect   method = 85<<16 | 10
	txSelect        method = 90<<16 | 10
	txCommit        method = 90<<16 | 20
	txRollback      method = 90<<16 | 30
	connectionOpen  method = 10<<16 | 40
	noMethod        method = 0 // the broker acts by itself
)

func (m method) String() string {
	switch m {
	case channelOpen:
		return "channel.open"
	case exchangeDeclare:
		return "exchange.declare"
	case exchangeDelete:
		return "exchange.delete"
	case exchangeBind:
		return "exchange.bind"
	case exchangeUnbind:
		return "exchange.unbind"
	case queueDeclare:
		return "queue.declare"
	case queueBind:
		return "queue.bind"
	case queuePurge:
		return "queue.purge"
	case queueDelete:
		return "queue.delete"
	case queueUnbind:
		return "queue.unbind"
	case basicQos:
		return "basic.qos"
	case basicConsume:
		return "basic.consume"
	case basicCancel:
		return "basic.cancel"
	case basicPublish:
		return "basic.publish"
	case basicGet:
		return "basic.get"
	case basicAck:
		return "basic.ack"
	case basicReject:
		return "basic.reject"
	case basicNack:
		return "basic.nack"
	case confirmSelect:
		return "confirm.select"
	case txSelect:
		return "tx.select"
	case txCommit:
		return "tx.commit"
	case txRollback:
		return "tx.rollback"
	case connectionOpen:
		return "connection.open"
	}
	return fmt.Sprintf("method %d.%d", uint32(m)>>16, uint32(m)&0xffff)
}

// fail makes the error that AMQP reports for m with the given code and text.
func (m method) fail(code uint16, format string, args ...any) *Error {
	return &Error{
		Code:   code,
		Class:  uint16(m >> 16),
		Method: uint16(m),
		Text:   codeName(code) + " - " + fmt.Sprintf(format, args...),
	}
}

// hint adds advice to e.
func (e *Error) hint(h string) *Error {
	e.Hint = h
	return e
}
