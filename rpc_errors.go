package warren

import (
	"errors"
)

// Headers of a reply that reports a handler's failure. Its body is empty. A server
// in any language may send them.
const (
	ErrorCodeHeader = "x-warren-error"      // a code for programs, see RemoteError.Code
	ErrorTextHeader = "x-warren-error-text" // a text for people
)

// Codes of a [RemoteError] that the broker sets.
const (
	CodeError = "error" // the handler returned an error without a code of its own
	CodePanic = "panic" // the handler panicked
	CodeCodec = "codec" // the handler could not decode the request or encode the reply
)

// Texts that say no more than the code does.
const (
	textError  = "the handler returned an error"
	textPanic  = "the handler panicked"
	textDecode = "the request cannot be decoded"
	textEncode = "the reply cannot be encoded"
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
	case e.Text == "" || e.Text == textError || e.Text == textPanic || errors.As(e.Err, &inner):
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
	if r, ok := err.(*RemoteError); ok && r != nil {
		return r
	}
	if r, ok := errors.AsType[*RemoteError](err); ok && r != nil {
		return &RemoteError{Code: r.Code, Text: r.Text, Err: err}
	}
	return &RemoteError{Code: CodeError, Text: textError, Err: err}
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
