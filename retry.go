package warren

import (
	"cmp"
	"errors"
	"math"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// Retry says what happens to an event or a job on which the function of a [Subscription]
// has failed, by an error or a panic.
//
// It comes again after a delay, which it spends in a queue of its own beside that of the
// subscription, so that others are worked on meanwhile, and come before it. When it has
// failed often enough, it goes to the dead letter queue with headers that say why
// ([ErrorCodeHeader], [ErrorTextHeader], [AttemptsHeader]), and stays there until somebody
// looks. An error of [NoRetry], and a body that the codec cannot decode, bring it there at
// once. The copy that comes again, or the dead letter, is confirmed before the original is
// acknowledged, so that none is lost when the program dies in between; it may then come
// twice.
//
// The zero value means five attempts, with delays of 1, 2, 4 and 8 seconds.
type Retry struct {
	// Attempts is how often the function is called before the message is a dead letter.
	// 1: no retry. Zero: 5. Negative: for ever.
	Attempts int
	// Delay is the time between the first failure and the second attempt. It counts in
	// whole milliseconds. Zero: a second. Negative: none, the message goes to the end of
	// the queue at once.
	Delay time.Duration
	// Factor is by what each delay is longer than the one before. 1: all are the same.
	// Zero: 2. Less than 1 fails with 406.
	Factor float64
	// MaxDelay is the longest delay. Zero: an hour, or Delay if that is longer. More than
	// 30 days fail with 406.
	MaxDelay time.Duration
	// DeadLetter is the name of the dead letter queue, which is declared for the first
	// dead letter if it does not exist: durable, unless the subscription's is not. Empty:
	// the name of the subscription's queue and ".failed". A subscription whose queue has no
	// name then has none, and drops what has failed so often.
	DeadLetter string
}

// Defaults of Retry.
const (
	defaultAttempts    = 5
	defaultRetryDelay  = time.Second
	defaultRetryFactor = 2
	defaultMaxDelay    = time.Hour
)

// mostDelay is the longest delay: a queue's time to live must be below 2^32 milliseconds
// in RabbitMQ.
const mostDelay = 30 * 24 * time.Hour

// deadLetterSuffix is what makes the name of a dead letter queue of a queue's name.
const deadLetterSuffix = ".failed"

// complete returns r with its defaults, for a queue. It refuses what has no meaning.
func (r Retry) complete(queue string, exclusive bool) (Retry, error) {
	refuse := func(format string, args ...any) (Retry, error) {
		return r, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, format, args...)
	}
	r.Attempts, r.Delay = cmp.Or(r.Attempts, defaultAttempts), cmp.Or(r.Delay, defaultRetryDelay)
	r.Factor, r.MaxDelay = cmp.Or(r.Factor, defaultRetryFactor), cmp.Or(r.MaxDelay, max(defaultMaxDelay, r.Delay))
	switch {
	case !(r.Factor >= 1):
		return refuse("a retry's factor of %v is less than 1", r.Factor)
	case r.MaxDelay < 0:
		return refuse("a retry's longest delay of %v is negative", r.MaxDelay)
	case r.MaxDelay > mostDelay:
		return refuse("a retry's longest delay of %v exceeds %v", r.MaxDelay, mostDelay)
	}
	if r.DeadLetter == "" && !exclusive {
		r.DeadLetter = queue + deadLetterSuffix
	}
	if err := checkName(wire.QueueDeclareID, "dead letter queue name", r.DeadLetter); err != nil {
		return r, err
	}
	return r, checkName(wire.QueueDeclareID, "delay queue name", delayQueue(queue, mostDelay))
}

// after returns what comes after a failure of an attempt, which counts from 1: a dead
// letter, or another attempt after a delay.
func (r *Retry) after(attempt int, err error) (delay time.Duration, dead bool) {
	if _, never := errors.AsType[*noRetry](err); never || r.Attempts > 0 && attempt >= r.Attempts {
		return 0, true
	}
	if r.Delay < 0 {
		return 0, false
	}
	d := float64(r.Delay) * math.Pow(r.Factor, float64(attempt-1))
	if !(d < float64(r.MaxDelay)) {
		return r.MaxDelay, false
	}
	return time.Duration(d), false
}

// NoRetry returns err as an error after which the event or job does not come again, but is
// a dead letter at once: for what no repetition can mend. Everything else of err is as it
// was. NoRetry of nil is nil.
func NoRetry(err error) error {
	if err == nil {
		return nil
	}
	return &noRetry{err}
}

// noRetry is an error that NoRetry has made.
type noRetry struct{ err error }

func (e *noRetry) Error() string { return e.err.Error() }
func (e *noRetry) Unwrap() error { return e.err }
