// Package clock has the clock that deadlines are given on, and an alarm that
// rings when a deadline has come.
package clock

import "time"

// Clock measures the time of deadlines: the nanoseconds since it was started,
// plus one, so that zero can mean never.
type Clock struct{ started time.Time }

// Start starts a clock.
func Start() Clock { return Clock{time.Now()} }

// StartEarlier starts a clock as if it had been started d ago, so that it has times for
// what happened before.
func StartEarlier(d time.Duration) Clock { return Clock{time.Now().Add(-d)} }

// Now returns the time.
func (c *Clock) Now() int64 { return int64(time.Since(c.started)) + 1 }

// At converts t to a time on the clock. A time before the clock was started
// becomes one.
func (c *Clock) At(t time.Time) int64 { return max(1, int64(t.Sub(c.started))+1) }

// Time converts a time on the clock to a time of day. Zero stays zero.
func (c *Clock) Time(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return c.started.Add(time.Duration(at - 1))
}

// Earlier returns the earlier of two times on the clock. Zero means never.
func Earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
