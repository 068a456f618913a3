package amqp

import (
	"errors"
	"fmt"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// failure makes an error that the connection itself has found.
func failure(code uint16, format string, args ...any) *warren.Error {
	return &warren.Error{Code: code, Text: wire.CodeName(code) + " - " + fmt.Sprintf(format, args...)}
}

// unexpectedFrame makes an error 505 UNEXPECTED_FRAME.
func unexpectedFrame(format string, args ...any) *warren.Error {
	return failure(wire.CodeUnexpectedFrame, format, args...)
}

// malformed makes the error for a method frame that cannot be read.
func malformed(err error) *warren.Error {
	var m *wire.MethodError
	if errors.As(err, &m) && errors.Is(err, wire.ErrUnknownMethod) {
		return failure(wire.CodeCommandInvalid, "unimplemented method")
	}
	return failure(wire.CodeSyntaxError, "%v", err)
}

// asError returns what the client is told of an error of the broker.
func asError(err error) *warren.Error {
	var e *warren.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, warren.ErrMemoryLimit) {
		return failure(wire.CodePreconditionFailed, "low on memory")
	}
	if errors.Is(err, warren.ErrDiskFull) {
		return failure(wire.CodePreconditionFailed, "low on disk")
	}
	if errors.Is(err, warren.ErrStorage) {
		return failure(wire.CodePreconditionFailed, "storage has failed")
	}
	if errors.Is(err, warren.ErrClosed) {
		return failure(wire.CodeConnectionForced, "broker forced connection closure with reason 'shutdown'")
	}
	return failure(wire.CodeInternalError, "%v", err)
}

// cause returns the method that failed.
func cause(e *warren.Error) wire.MethodID {
	return wire.MethodID(uint32(e.Class)<<16 | uint32(e.Method))
}

// short cuts a reply text to the length of a short string, as RabbitMQ does.
func short(text string) string {
	if len(text) > 255 {
		return text[:252] + "..."
	}
	return text
}

// blame adds the method that failed to an error that has none.
func blame(err error, id wire.MethodID) *warren.Error {
	e := asError(err)
	if e.Class != 0 || errors.Is(err, warren.ErrClosed) { // the latter is no method's fault
		return e
	}
	named := *e
	named.Class, named.Method = uint16(id>>16), uint16(id)
	return &named
}
