package warren

import "github.com/warrenmq/warren/internal/clock"

// begins tells when calls begin, while somebody watches. When calls are many, some of
// them look at the clock, and others take what it showed last. The lock of the table
// guards it.
type begins struct {
	now     int64  // what the clock showed
	left    uint64 // calls that take now
	calls   uint64 // since rest was called
	before  uint64 // calls between the last two calls of rest
	watches uint32 // how many watchers there had been when the clock was looked at
}

const (
	timedBegins = 1000 // about how many calls look at the clock between two calls of rest
	maxLeft     = 64   // then the clock costs a call nearly nothing
)

// next returns the time at which a call begins, or zero if nobody watches.
func (g *begins) next(w *watchers, c *clock.Clock) int64 {
	if !w.any() {
		return 0
	}
	g.calls++
	if ever := w.ever.Load(); g.left == 0 || g.watches != ever {
		g.now, g.watches = c.Now(), ever
		g.left = min(max(g.calls, g.before)/timedBegins, maxLeft)
	} else {
		g.left--
	}
	return g.now
}
