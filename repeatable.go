package warren

import (
	"errors"

	"github.com/warrenmq/warren/internal/queue"
)

// Repeatable reports whether a call that has failed with err may be repeated without
// harm, and may succeed then: it is certain that no handler has worked on the request,
// and the reason may pass. It reports true for
//
//   - a [*RemoteError] with [CodeBusy],
//   - [ErrNoRoute], [ErrNoConsumers], [ErrNotFound], [ErrMemoryLimit] and [ErrStorage],
//   - [ErrNacked] of a call through the default exchange, unless the queue makes dead
//     letters of what it refuses,
//   - errors of package remote that say that nothing was sent.
//
// It reports false for everything else: nil, requests that cannot be sent at all, such as
// one that is too large, and failures of which nobody knows how far the request has come,
// such as [ErrRequestDropped] and the end of a context. A handler that is idempotent, by
// MessageId for example, can be called again after those, too.
//
// What a handler has returned counts as its code says, whatever the error wraps.
func Repeatable(err error) bool {
	if r, ok := errors.AsType[*RemoteError](err); ok && r != nil {
		return r.Code == CodeBusy
	}
	if e, ok := errors.AsType[unsent](err); ok && e.Unsent() {
		return true
	}
	if errors.Is(err, ErrNacked) {
		return false // another queue may have the request
	}
	for _, target := range [...]error{ErrNoRoute, ErrNoConsumers, ErrNotFound, ErrMemoryLimit, ErrStorage} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// unsent is an error that may know that nobody has got the request. Package remote has
// such ones.
type unsent interface {
	error
	Unsent() bool
}

// unsentError is an error of which it is known that nobody has got the request.
type unsentError struct{ error }

// Unsent implements unsent.
func (e *unsentError) Unsent() bool { return true }

// Unwrap returns the error.
func (e *unsentError) Unwrap() error { return e.error }

// nackedBy returns the error of a call whose only queue has refused the request with err.
func nackedBy(err error) error {
	if err == queue.ErrRefused {
		return &unsentError{ErrNacked}
	}
	return ErrNacked
}
