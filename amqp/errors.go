package amqp

import (
	"errors"
	"fmt"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// names are the words that stand before reply texts.
func name(code uint16) string {
	switch code {
	case warren.FrameError:
		return "FRAME_ERROR"
	case warren.SyntaxError:
		return "SYNTAX_ERROR"
	case warren.CommandInvalid:
		return "COMMAND_INVALID"
	case warren.ChannelError:
		return "CHANNEL_ERROR"
	case warren.UnexpectedFrame:
		return "UNEXPECTED_FRAME"
	case warren.NotAllowed:
		return "NOT_ALLOWED"
	case warren.NotImplemented:
		return "NOT_IMPLEMENTED"
	case warren.AccessRefused:
		return "ACCESS_REFUSED"
	case warren.ConnectionForced:
		return "CONNECTION_FORCED"
	case warren.PreconditionFailed:
		return "PRECONDITION_FAILED"
	}
	return "INTERNAL_ERROR"
}

// failure is an error of the connection, not of the broker.
func failure(code uint16, format string, args ...any) *warren.Error {
	return &warren.Error{Code: code, Text: name(code) + " - " + fmt.Sprintf(format, args...)}
}

func unexpectedFrame(format string, args ...any) *warren.Error {
	return failure(warren.UnexpectedFrame, format, args...)
}

// malformed is a method frame that cannot be read.
func malformed(err error) *warren.Error {
	var m *wire.MethodError
	if errors.As(err, &m) && errors.Is(err, wire.ErrUnknownMethod) {
		return failure(warren.CommandInvalid, "unimplemented method")
	}
	return failure(warren.SyntaxError, "%v", err)
}

// asError is what to tell the client of an error of the broker.
func asError(err error) *warren.Error {
	var e *warren.Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, warren.ErrMemoryLimit) {
		return failure(warren.PreconditionFailed, "low on memory")
	}
	if errors.Is(err, warren.ErrClosed) {
		return failure(warren.ConnectionForced, "broker forced connection closure with reason 'shutdown'")
	}
	return failure(warren.InternalError, "%v", err)
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
