package warren

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// failures is where the errors of a host's function go that works on the messages of
// a queue: a handler's or a consumer's.
type failures struct {
	vhost *VirtualHost
	queue string
	whose string // "handler" or "consumer"
}

// recovered logs a panic of the function and returns it as an error.
func (f failures) recovered(p any) error {
	f.vhost.broker.log.Error(f.whose+" panicked", "vhost", f.vhost.name, "queue", f.queue, "panic", p, "stack", string(debug.Stack()))
	err, ok := p.(error)
	if !ok {
		err = errors.New(fmt.Sprint(p))
	}
	return &RemoteError{Code: CodePanic, Text: textPanic, Err: err}
}

var errGoexit = errors.New("the handler called runtime.Goexit")

// goexitError is the error of a function that has ended its goroutine.
func goexitError() error {
	return &RemoteError{Code: CodePanic, Text: textPanic, Err: errGoexit}
}

// settle counts and logs an error that nobody else is told of. It returns the fate
// of the message.
func (f failures) settle(err error, requeue func(error) bool) (to fate) {
	f.vhost.failed.Add(1)
	to = dropped
	defer func() {
		if p := recover(); p != nil {
			f.recovered(p)
		}
		f.log(err, "requeued", to == requeued)
	}()
	if requeue != nil && requeue(err) {
		to = requeued
	}
	return to
}

// log logs an error of the function.
func (f failures) log(err error, args ...any) {
	f.vhost.broker.log.Warn(f.whose+" failed", append([]any{"vhost", f.vhost.name, "queue", f.queue, "error", err}, args...)...)
}
