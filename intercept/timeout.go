package intercept

import (
	"context"
	"errors"
	"time"

	"github.com/warrenmq/warren"
)

// Timeout gives a handler, or a function that consumes, d for each message: then its
// context ends. If it fails because of that, its error is a [*warren.RemoteError] with
// [warren.CodeTimeout], unless it has chosen a code of its own. A function that does not
// look at its context goes on, and its result counts. Zero or less: no limit.
func Timeout(d time.Duration) warren.Interceptors {
	if d <= 0 {
		return warren.Interceptors{}
	}
	text := "the handler took longer than " + d.String()
	return around(func(next warren.HandlerFunc) warren.HandlerFunc {
		return func(ctx context.Context, req *warren.Request) (warren.Message, error) {
			limited, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			reply, err := next(limited, req)
			return reply, timedOut(ctx, limited, err, text)
		}
	}, func(next warren.DeliveryFunc) warren.DeliveryFunc {
		return func(ctx context.Context, delivery warren.Delivery) error {
			limited, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			return timedOut(ctx, limited, next(limited, delivery), text)
		}
	})
}

// timedOut returns err as a timeout if only limited has ended, and not ctx that it was made
// from.
func timedOut(ctx, limited context.Context, err error, text string) error {
	if err == nil || !errors.Is(limited.Err(), context.DeadlineExceeded) || ctx.Err() != nil || errors.Is(err, warren.ErrNoReply) {
		return err
	}
	if _, ok := errors.AsType[*warren.RemoteError](err); ok {
		return err
	}
	return &warren.RemoteError{Code: warren.CodeTimeout, Text: text, Err: err}
}
