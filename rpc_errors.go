package warren

import (
	"context"
	"errors"
)

// Headers of a reply that reports a handler's failure. Its body is empty. A server
// in any language may send them.
const (
	ErrorCodeHeader = "x-warren-error"      // a code for programs, see RemoteError.Code
	ErrorTextHeader = "x-warren-error-text" // a text for people
)

// Codes of a [RemoteError] that have a meaning for all. A handler may return one of
// them itself. [Repeatable] knows which of them allow a repeat.
const (
	CodeError     = "error"     // the handler returned an error without a code of its own
	CodePanic     = "panic"     // the handler panicked
	CodeCodec     = "codec"     // the handler could not decode the request or encode the reply
	CodeBusy      = "busy"      // the request was refused before anything was done for it; a repeat is safe
	CodeTimeout   = "timeout"   // the handler had too little time: it returned [context.DeadlineExceeded]
	CodeCancelled = "cancelled" // the handler was told to stop: it returned [context.Canceled]
)

// Failures of handlers to test for with [errors.Is]. Each matches every [*RemoteError]
// with its code. A handler may return one, or a *RemoteError with the code and a text.
var (
	ErrHandlerFailed    error = &RemoteError{Code: CodeError}
	ErrHandlerPanicked  error = &RemoteError{Code: CodePanic}
	ErrHandlerCodec     error = &RemoteError{Code: CodeCodec}
	ErrBusy             error = &RemoteError{Code: CodeBusy}
	ErrHandlerTimeout   error = &RemoteError{Code: CodeTimeout}
	ErrHandlerCancelled error = &RemoteError{Code: CodeCancelled}
)

// Texts that say no more than the code does.
const (
	textError  = "the handler returned an error"
	textPanic  = "the handler panicked"
	textDecode = "the request cannot be decoded"
	textEncode = "the reply cannot be encoded"

	textTimeout   = "the handler ran out of time"
	textCancelled = "the handler was told to stop"
	textOverdue   = "the deadline was over before the handler had the request"
	textRefused   = "a call of the handler was refused"
)

// ErrNoReply is returned by a handler that sends no reply, because somebody else
// answers or because no reply is wanted. Joined with another error, it also keeps
// that from the requester: the message is then rejected or requeued as if it had no
// requester.
var ErrNoReply = errors.New("warren: the handler sends no reply")

// RemoteError is a handler's failure, as the caller gets it. A handler may return
// one, also inside of another error, to choose the code.
type RemoteError struct {
	Code string // a code for programs: chosen by the handler, or one of the Code constants
	Text string // a text for people, which every requester gets
	// Err is the error of the handler, for [errors.Is] and [errors.As]. It does not
	// leave the process, see [HandleOptions].ExposeErrors: it is nil if the handler is
	// not in this process, or if all is said by Code and Text.
	Err error

	received bool // a Call has returned it, so it says nothing about the handler that returns it
}

// Error returns the code, the text and the text of Err.
func (e *RemoteError) Error() string {
	return "warren: the handler failed: " + e.Code + ": " + e.detail()
}

// detail returns everything but the code.
func (e *RemoteError) detail() string {
	var inner *RemoteError
	switch {
	case e.Err == nil:
		return e.Text
	case e.Text == "" || e.Text == textError || e.Text == textPanic || e.Text == textTimeout || e.Text == textCancelled ||
		errors.As(e.Err, &inner):
		return e.Err.Error()
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *RemoteError) Unwrap() error { return e.Err }

// Is reports whether target is a *RemoteError with the same code, and nothing else.
func (e *RemoteError) Is(target error) bool {
	t, ok := target.(*RemoteError)
	return ok && t.Text == "" && t.Err == nil && t.Code == e.Code
}

// asRemoteError returns a handler's error in the form in which callers get it.
func asRemoteError(err error) *RemoteError {
	r, ok := errors.AsType[*RemoteError](err)
	switch {
	case ok && r != nil && r.received && r.Code == CodeBusy:
		return &RemoteError{Code: CodeError, Text: textRefused, Err: err} // others were busy, this handler was not
	case ok && r != nil && err == error(r):
		return r
	case ok && r != nil:
		return &RemoteError{Code: r.Code, Text: r.Text, Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &RemoteError{Code: CodeTimeout, Text: textTimeout, Err: err}
	case errors.Is(err, context.Canceled):
		return &RemoteError{Code: CodeCancelled, Text: textCancelled, Err: err}
	}
	return &RemoteError{Code: CodeError, Text: textError, Err: err}
}

// receivedError returns a handler's failure as its caller gets it. The handler may have
// returned a value that others share.
func receivedError(err error) error {
	r, ok := err.(*RemoteError)
	if !ok || r.Code != CodeBusy || r.received {
		return err
	}
	return &RemoteError{Code: r.Code, Text: r.Text, Err: r.Err, received: true}
}

// withoutNoReply returns nil if err says nothing but ErrNoReply, and otherwise err.
func withoutNoReply(err error) error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if withoutNoReply(one) != nil {
				return err
			}
		}
		return nil
	case interface{ Unwrap() error }:
		if withoutNoReply(e.Unwrap()) == nil {
			return nil
		}
	}
	if err == ErrNoReply {
		return nil
	}
	return err
}

// remoteError returns the failure that the headers of a reply report, or nil.
func remoteError(headers Table) error {
	code, ok := headers[ErrorCodeHeader].(string)
	if !ok {
		return nil
	}
	text, _ := headers[ErrorTextHeader].(string)
	return &RemoteError{Code: code, Text: text}
}
