package intercept

import (
	"context"
	"fmt"

	"github.com/warrenmq/warren"
)

// Recover turns a panic of a handler or of a function that consumes into an error, so
// that the interceptors around it see one: without it they see the panic, and the broker
// makes the error. f is called with what the function has panicked with, and returns the
// error. It runs while the function's stack is still there for [runtime/debug.Stack]; the
// broker does not log the panic then. If f is nil or returns nil, the error is a
// [*warren.RemoteError] with [warren.CodePanic] that wraps p if that is an error. A call of
// [runtime.Goexit] is no panic.
func Recover(f func(ctx context.Context, p any) error) warren.Interceptors {
	recovered := func(ctx context.Context, p any) error {
		if f != nil {
			if err := f(ctx, p); err != nil {
				return err
			}
		}
		cause, ok := p.(error)
		if !ok {
			cause = fmt.Errorf("%v", p)
		}
		return &warren.RemoteError{Code: warren.CodePanic, Text: "the handler panicked", Err: cause}
	}
	return around(func(next warren.HandlerFunc) warren.HandlerFunc {
		return func(ctx context.Context, req *warren.Request) (reply warren.Message, err error) {
			defer func() {
				if p := recover(); p != nil {
					err = recovered(ctx, p)
				}
			}()
			return next(ctx, req)
		}
	}, func(next warren.DeliveryFunc) warren.DeliveryFunc {
		return func(ctx context.Context, d warren.Delivery) (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = recovered(ctx, p)
				}
			}()
			return next(ctx, d)
		}
	})
}
