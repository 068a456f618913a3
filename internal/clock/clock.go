// Package clock tells the time of deadlines, and rings when one has come.
package clock

import "time"

// Clock is the time of deadlines: nanoseconds since the clock was started, and
// one, so that zero can mean never.
type Clock struct{ started time.Time }

// Start starts a clock.
func Start() Clock { return Clock{time.Now()} }

// Now is the time.
func (c *Clock) Now() int64 { return int64(time.Since(c.started)) + 1 }

// At is t on the clock: one, if it was before the clock was started.
func (c *Clock) At(t time.Time) int64 { return max(1, int64(t.Sub(c.started))+1) }

// Earlier is the earlier of two times, of which zero is never.
func Earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
