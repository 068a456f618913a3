package warren

import (
	"errors"
)

// Headers of a reply that tells of a handler's failure. Its body is empty. A
// server in any language may send them.
const (
	ErrorCodeHeader = "x-warren-error"      // a word for programs, see RemoteError.Code
	ErrorTextHeader = "x-warren-error-text" // a text for people
)

// Codes of a [RemoteError] that the broker sets.
const (
	CodeError = "error" // the handler returned an error without a code of its own
	CodePanic = "panic" // the handler panicked
	CodeCodec = "codec" // the handler could not decode the request or encode the reply
)

// ErrNoReply is what a handler returns when it sends no reply, because
// somebody else will or because none is wanted.
var ErrNoReply = errors.New("warren: the handler sends no reply")

// RemoteError is a handler's failure as its caller sees it. A handler returns
// one itself to choose the code.
type RemoteError struct {
	Code string // a word for programs: the handler's own, or a Code constant
	Text string // a text for people
}

// Error gives the code and the text.
func (e *RemoteError) Error() string {
	return "warren: the handler failed: " + e.Code + ": " + e.Text
}

// Is matches a *RemoteError with the same code and no text.
func (e *RemoteError) Is(target error) bool {
	t, ok := target.(*RemoteError)
	return ok && t.Text == "" && t.Code == e.Code
}

// asRemoteError keeps of err what can travel.
func asRemoteError(err error) *RemoteError {
	var r *RemoteError
	if errors.As(err, &r) {
		return r
	}
	return &RemoteError{Code: CodeError, Text: err.Error()}
}

// errorHeaders are those of a reply that carries err.
func errorHeaders(err *RemoteError) Table {
	return Table{ErrorCodeHeader: err.Code, ErrorTextHeader: err.Text}
}

// remoteError finds the failure that the headers of a reply tell of, or nil.
func remoteError(headers Table) error {
	code, ok := headers[ErrorCodeHeader].(string)
	if !ok {
		return nil
	}
	text, _ := headers[ErrorTextHeader].(string)
	return &RemoteError{Code: code, Text: text}
}
