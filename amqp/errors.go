package amqp

import (
	"errors"
	"fmt"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// failure is an error of the connection, not of the broker.
func failure(code uint16, format string, args ...any) *warren.Error {
	return &warren.Error{Code: code, Text: wire.CodeName(code) + " - " + fmt.Sprintf(format, args...)}
}

func unexpectedFrame(format string, args ...any) *warren.Error {
	return failure(wire.CodeUnexpectedFrame, format, args...)
}

// malformed is a method frame that cannot be read.
func malformed(err error) *warren.Error {
	var m *wire.MethodError
	if errors.As(err, &m) && errors.Is(err, wire.ErrUnknownMethod) {
		return failure(wire.CodeCommandInvalid, "unimplemented method")
	}
	return failure(wire.CodeSyntaxError, "%v", err)
}

// asError is what to tell the client of an error of the broker.
func asError(err error) *warren.Error {
	var e *warren.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, warren.ErrMemoryLimit) {
		return failure(wire.CodePreconditionFailed, "low on memory")
	}
	if errors.Is(err, warren.ErrClosed) {
		return failure(wire.CodeConnectionForced, "broker forced connection closure with reason 'shutdown'")
	}
	return failure(wire.CodeInternalError, "%v", err)
}

// cause is the method that failed.
func cause(e *warren.Error) wire.MethodID {
	return wire.MethodID(uint32(e.Class)<<16 | uint32(e.Method))
}

// short cuts a reply text to what a short string holds, as RabbitMQ does.
func short(text string) string {
	if len(text) > 255 {
		return text[:252] + "..."
	}
	return text
}

// blame names the method that failed, where the error does not.
func blame(err error, id wire.MethodID) *warren.Error {
	e := asError(err)
	if e.Class != 0 || errors.Is(err, warren.ErrClosed) { // the latter is no method's fault
		return e
	}
	named := *e
	named.Class, named.Method = uint16(id>>16), uint16(id)
	return &named
}
