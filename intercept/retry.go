package intercept

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"github.com/warrenmq/warren"
)

// RetryOptions say how often and when [Retry] repeats a call.
type RetryOptions struct {
	// Attempts is how often a call is tried, the first try included. Zero: 3. Negative:
	// as often as its context allows.
	Attempts int
	// Delay is how long Retry waits before the second try. Each further wait is twice as
	// long, up to MaxDelay. A wait is a random time between half of that and all of it, so
	// that callers who have failed together do not come again together. Zero: 50
	// milliseconds.
	Delay time.Duration
	// MaxDelay is the longest wait. Zero: 5 seconds.
	MaxDelay time.Duration
	// Timeout bounds each try. The caller's deadline counts, too. A try that has exceeded
	// it fails with [context.DeadlineExceeded], which warren.Repeatable does not repeat,
	// because a handler may have the request: If decides otherwise. Zero: no bound.
	Timeout time.Duration
	// If says whether a call that has failed with err is repeated. Nil:
	// [warren.Repeatable], which is true only when no handler has worked on the request.
	// With another If use [Idempotent] for the handler.
	If func(err error) bool
}

// Retry repeats calls that fail, with longer and longer waits between them. It never
// waits beyond the deadline of the caller's context: if the next try would come later, it
// returns the error of the last one at once. When ctx ends while it waits, the error is
// both ctx's and that of the last try. All tries have the same MessageId, which Retry sets
// if it is empty, so that [Idempotent] knows them.
func Retry(o RetryOptions) warren.Interceptors {
	if o.Attempts == 0 {
		o.Attempts = 3
	}
	if o.Delay <= 0 {
		o.Delay = 50 * time.Millisecond
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = 5 * time.Second
	}
	if o.If == nil {
		o.If = warren.Repeatable
	}
	return calls(func(next warren.CallFunc) warren.CallFunc {
		return func(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
			if msg.MessageId == "" {
				msg.MessageId = rand.Text()
			}
			delay := min(o.Delay, o.MaxDelay)
			for attempt := 1; ; attempt++ {
				reply, err := o.try(ctx, next, queue, msg, opts)
				if err == nil || attempt == o.Attempts || ctx.Err() != nil || !o.If(err) {
					return reply, err
				}
				wait := delay/2 + time.Duration(mathrand.Int64N(int64(delay/2)+1))
				if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
					return reply, err
				}
				if ended := sleep(ctx, wait); ended != nil {
					return reply, fmt.Errorf("%w before the call was repeated that had failed: %w", ended, err)
				}
				if delay *= 2; delay <= 0 || delay > o.MaxDelay {
					delay = o.MaxDelay
				}
			}
		}
	})
}

// try calls once.
func (o *RetryOptions) try(ctx context.Context, next warren.CallFunc, queue string, msg warren.Message, opts []warren.CallOptions) (warren.Message, error) {
	if o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.Timeout)
		defer cancel()
	}
	return next(ctx, queue, msg, opts...)
}

// sleep waits, and returns ctx's error if it ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
