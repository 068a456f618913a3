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

// ErrNoReply is returned by a handler that sends no reply, because somebody else
// answers or because no reply is wanted.
var ErrNoReply = errors.New("warren: the handler sends no reply")

// RemoteError is a handler's failure, as the caller gets it. A handler may return
// one to choose the code.
type RemoteError struct {
	Code string // a code for programs: chosen by the handler, or one of the Code constants
	Text string // a text for people
}

// Error returns the code and the text.
func (e *RemoteError) Error() string {
	return "warren: the handler failed: " + e.Code + ": " + e.Text
}

// Is reports whether target is a *RemoteError with the same code and no text.
func (e *RemoteError) Is(target error) bool {
	t, ok := target.(*RemoteError)
	return ok && t.Text == "" && t.Code == e.Code
}

// asRemoteError converts err to the form in which it is sent.
func asRemoteError(err error) *RemoteError {
	var r *RemoteError
	if errors.As(err, &r) {
		return r
	}
	return &RemoteError{Code: CodeError, Text: err.Error()}
}

// errorHeaders returns the headers of a reply that reports err.
func errorHeaders(err *RemoteError) Table {
	return Table{ErrorCodeHeader: err.Code, ErrorTextHeader: err.Text}
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
