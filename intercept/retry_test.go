package intercept_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/intercept"
	"github.com/warrenmq/warren/internal/brokertest"
)

var errOther = errors.New("another error")

// tries is a Caller that fails with its errors, one after another, and then succeeds.
type tries struct {
	errs []error
	ids  []string        // of the requests
	at   []time.Duration // when they came
	from time.Time
}

func newTries(errs ...error) *tries { return &tries{errs: errs, from: time.Now()} }

func (c *tries) Call(_ context.Context, _ string, msg warren.Message, _ ...warren.CallOptions) (warren.Message, error) {
	c.ids = append(c.ids, msg.MessageId)
	c.at = append(c.at, time.Since(c.from))
	if len(c.ids) <= len(c.errs) {
		return warren.Message{}, c.errs[len(c.ids)-1]
	}
	return warren.Message{Body: []byte("done")}, nil
}

func (c *tries) with(o intercept.RetryOptions) warren.Caller {
	return warren.Intercept(c, intercept.Retry(o).Call...)
}

func busy() error { return &warren.RemoteError{Code: warren.CodeBusy, Text: "later"} }

func TestRetryRepeatsWhatIsSafeToRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTries(warren.ErrNoRoute, busy())
		reply, err := c.with(intercept.RetryOptions{}).Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "done", string(reply.Body))
		require.Len(t, c.ids, 3)
		require.NotEmpty(t, c.ids[0])
		require.Equal(t, c.ids[0], c.ids[1])
		require.Equal(t, c.ids[0], c.ids[2])
		wait := c.at[1]
		require.True(t, 25*time.Millisecond <= wait && wait <= 50*time.Millisecond, "%v", wait)
		wait = c.at[2] - c.at[1]
		require.True(t, 50*time.Millisecond <= wait && wait <= 100*time.Millisecond, "%v", wait)
	})
}

func TestRetryKeepsTheMessageIdOfTheCaller(t *testing.T) {
	c := newTries()
	_, err := c.with(intercept.RetryOptions{}).Call(t.Context(), "q", warren.Message{MessageId: "mine"})
	require.NoError(t, err)
	require.Equal(t, []string{"mine"}, c.ids)
}

func TestRetryGivesUpAfterItsAttemptsOrAnErrorThatIsNotSafe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			o     intercept.RetryOptions
			errs  []error
			tries int
			err   error
		}{
			{intercept.RetryOptions{}, []error{busy(), busy(), busy(), busy()}, 3, warren.ErrBusy},
			{intercept.RetryOptions{Attempts: 1}, []error{busy()}, 1, warren.ErrBusy},
			{intercept.RetryOptions{Attempts: 5}, []error{busy(), busy(), busy(), busy()}, 5, nil},
			{intercept.RetryOptions{Attempts: -1}, []error{busy(), busy(), busy(), busy(), busy(), busy()}, 7, nil},
			{intercept.RetryOptions{}, []error{errOther}, 1, errOther},
			{intercept.RetryOptions{}, []error{warren.ErrRequestDropped}, 1, warren.ErrRequestDropped},
			{intercept.RetryOptions{}, []error{warren.ErrNoRoute, errOther}, 2, errOther},
			{intercept.RetryOptions{If: func(err error) bool { return errors.Is(err, errOther) }}, []error{errOther, busy()}, 2, warren.ErrBusy},
		} {
			calls := newTries(c.errs...)
			_, err := calls.with(c.o).Call(t.Context(), "q", warren.Message{})
			if c.err == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, c.err)
			}
			require.Len(t, calls.ids, c.tries)
		}
	})
}

func TestRetryNeverWaitsBeyondTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := newTries(busy(), busy(), busy(), busy(), busy())
		_, err := c.with(intercept.RetryOptions{Attempts: -1, Delay: 800 * time.Millisecond}).Call(ctx, "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrBusy, "the last error")
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.Len(t, c.ids, 2, "the second wait would be at least as long as what is left")
		require.NoError(t, ctx.Err(), "it has not waited for the deadline")
	})
}

func TestRetryTellsTheEndOfItsContextAndTheLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		c := newTries(busy(), busy())
		began := time.Now()
		_, err := c.with(intercept.RetryOptions{Delay: time.Hour, MaxDelay: time.Hour}).Call(ctx, "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrBusy)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, time.Second, time.Since(began))
		require.Len(t, c.ids, 1)
	})
}

func TestWaitsOfRetryAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs := make([]error, 100)
		for i := range errs {
			errs[i] = busy()
		}
		c := newTries(errs...)
		_, err := c.with(intercept.RetryOptions{Attempts: -1, Delay: time.Second, MaxDelay: 3 * time.Second}).Call(t.Context(), "q", warren.Message{})
		require.NoError(t, err)
		for i := range c.at[3:] {
			wait := c.at[i+3] - c.at[i+2]
			require.True(t, 1500*time.Millisecond <= wait && wait <= 3*time.Second, "wait %d is %v", i, wait)
		}
		c = newTries(errs[:3]...)
		_, err = c.with(intercept.RetryOptions{Attempts: 3, Delay: 1, MaxDelay: 1<<63 - 1}).Call(t.Context(), "q", warren.Message{})
		require.ErrorIs(t, err, warren.ErrBusy)
	})
}

func TestRetryOfACallWhoseQueueComesLater(t *testing.T) {
	o := &warren.Options{Intercept: intercept.Retry(intercept.RetryOptions{Attempts: -1})}
	brokertest.RunWith(t, o, func(t *testing.T, b *warren.Broker) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		call := brokertest.Call(ctx, b, "late", "x")
		brokertest.Later(time.Second)
		brokertest.Handle(t, b, "late", brokertest.Echo)
		reply, err := brokertest.Answer(t, call)
		require.NoError(t, err)
		require.Equal(t, "x", string(reply.Body))
		brokertest.Clean(t, b)
	})
}

// The first try is served, but the caller does not wait for it. The handler knows the
// second by its MessageId.
func TestRetryWhoseFirstTryWasServedGetsItsAnswer(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		served := 0
		slow := func(context.Context, *warren.Request) (warren.Message, error) {
			served++
			time.Sleep(3 * time.Second) // it does not look at its context
			return warren.Message{Body: []byte("charged")}, nil
		}
		brokertest.Handle(t, b, "charge", slow, warren.HandleOptions{Intercept: intercept.Idempotent(intercept.IdempotentOptions{}).Handle})
		again := intercept.RetryOptions{
			Attempts: 10, Timeout: time.Second, If: func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
		}
		reply, err := warren.Intercept(b, intercept.Retry(again).Call...).Call(t.Context(), "charge", warren.Message{})
		require.NoError(t, err)
		require.Equal(t, "charged", string(reply.Body))
		require.Equal(t, 1, served)
		brokertest.Clean(t, b)
	})
}
