package warren

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/internal/wire"
)

// Errors to test for with [errors.Is]. The first seven match each [*Error] and
// [*Return] with the same reply code.
var (
	ErrNotFound           error = &Error{Code: 404, Text: "NOT_FOUND"}
	ErrAccessRefused      error = &Error{Code: 403, Text: "ACCESS_REFUSED"}
	ErrPreconditionFailed error = &Error{Code: 406, Text: "PRECONDITION_FAILED"}
	ErrResourceLocked     error = &Error{Code: 405, Text: "RESOURCE_LOCKED"}
	ErrNotAllowed         error = &Error{Code: 530, Text: "NOT_ALLOWED"}

	// ErrNoRoute: no queue took a mandatory message (312), or the queue of a Call
	// does not exist.
	ErrNoRoute error = &Error{Code: 312, Text: "NO_ROUTE"}
	// ErrNoConsumers: no consumer had room for an immediate message (313).
	ErrNoConsumers error = &Error{Code: 313, Text: "NO_CONSUMERS"}

	// ErrClosed: the broker, session, channel, consumer or handler was closed. It
	// also matches [net.ErrClosed]. If the broker has closed the channel by itself,
	// the error also is an [*Error] with the reason, see
	// [QueueOptions].ConsumerTimeout.
	ErrClosed = fmt.Errorf("warren: closed (%w)", net.ErrClosed)
	// ErrConsumerCancelled: the broker cancelled the consumer, because its queue was
	// deleted. AMQP clients get basic.cancel then.
	ErrConsumerCancelled = errors.New("warren: the consumer was cancelled: its queue was deleted")
	// ErrSlowConsumer: a direct reply-to consumer was cancelled because it had
	// [Options].ReplyBuffer unread replies when one more came, or because memory was
	// used up.
	ErrSlowConsumer = errors.New("warren: the reply consumer was cancelled: its buffer of unread replies is full")
	// ErrMemoryLimit: messages hold [Options].MemoryLimit bytes, and
	// [Options].MemoryPolicy is [FailPublishers], or the publisher's channel has
	// messages in a transaction, or its context has ended while it waited; then the
	// error is the context's, too.
	ErrMemoryLimit = errors.New("warren: publish refused: messages hold as much memory as Options.MemoryLimit allows")
	// ErrRequestDropped: the request of a Call was dropped before it was answered:
	// its queue was deleted or purged, or a consumer rejected it.
	ErrRequestDropped = errors.New("warren: the request was dropped before it was answered: its queue was deleted or purged, or a consumer rejected it")
	// ErrStorage: a write to the directory of a broker from [Open] has failed, and it is
	// not known whether a message, or a change of the topology, is there. The broker
	// goes on, and tries again: what was declared exists, and a second call that
	// succeeds says that it is on disk. Who waited for a confirm gets ErrStorage
	// together with ErrNacked. Publishers of persistent messages get it alone if
	// [Options].MemoryPolicy is [FailPublishers], or if their context ends while they
	// are held back; then nothing was published.
	ErrStorage = errors.New("warren: storage has failed")
	// ErrDiskFull is the [ErrStorage] for a disk with too little free space.
	ErrDiskFull = fmt.Errorf("%w: the disk is full, or nearly so", ErrStorage)
	// ErrNacked: a queue could not keep a message that was published in
	// confirm mode, in a transaction or by a Call (basic.nack), or it is not known to
	// be on disk, see ErrStorage.
	ErrNacked = errors.New("warren: the broker refused the message (basic.nack)")
)

// Error is a failed operation, as AMQP reports it in channel.close or
// connection.close. In process it is only returned and closes nothing.
type Error struct {
	Code   uint16 // reply code, for example 404
	Class  uint16 // class id of the method that failed, for example 50 for queue.*
	Method uint16 // method id within the class
	Text   string // reply text in RabbitMQ's words, beginning with the name of the code
	Hint   string // advice; not part of the reply text
}

// Error returns the method that failed, the reply text and the hint.
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

// Is reports whether target is the sentinel for the error's code: an *Error with
// this code, and without class and method.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Class == 0 && t.Method == 0
}

// ClosesConnection reports whether RabbitMQ closes the whole connection for this
// error, and not only the channel.
func (e *Error) ClosesConnection() bool {
	return wire.ClosesConnection(e.Code)
}

// failure makes the error that AMQP reports for the method m, with the given code
// and text. m is zero if no method caused the error.
func failure(m wire.MethodID, code uint16, format string, args ...any) *Error {
	return &Error{
		Code:   code,
		Class:  uint16(m >> 16),
		Method: uint16(m),
		Text:   wire.CodeName(code) + " - " + fmt.Sprintf(format, args...),
	}
}

// withHint sets the hint of e and returns e.
func (e *Error) withHint(h string) *Error {
	e.Hint = h
	return e
}

// isNotFound reports whether err is an *Error with code 404.
func isNotFound(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Code == wire.CodeNotFound
}

// quoteBool formats a property as RabbitMQ's texts do.
func quoteBool(b bool) string { return "'" + strconv.FormatBool(b) + "'" }

// errQueueDeleted is why a consumer or a handler has ended. Its users get
// ErrConsumerCancelled, which somebody can also cause by ConsumerCancel.
var errQueueDeleted = errors.New("its queue was deleted")
