package clock

import "time"

// Alarm is one timer for the nearest of many deadlines. A deadline that is no
// longer needed is not taken out: the alarm rings for it, and the Ringer does
// what is due and sets the alarm for the next deadline. The lock of the alarm's
// owner guards it. The zero value is not set.
type Alarm struct {
	timer *time.Timer
	at    int64 // when it rings; zero: it is not set
}

// Ringer is called when an alarm rings.
type Ringer interface {
	// Ring runs in a goroutine of its own.
	Ring()
}

// Set makes the alarm call r.Ring at the time at, unless it is set for an
// earlier time. Both times are on the clock. Every call must give the same r.
func (a *Alarm) Set(at, now int64, r Ringer) {
	if a.at == 0 || a.at > at {
		a.set(at, time.Duration(at-now), r)
	}
}

func (a *Alarm) set(at int64, d time.Duration, r Ringer) {
	a.at = at
	if a.timer == nil {
		a.timer = time.AfterFunc(d, r.Ring)
	} else {
		a.timer.Reset(d)
	}
}

// Rung notes that the alarm has rung and is no longer set. Ring calls it first.
func (a *Alarm) Rung() { a.at = 0 }

// Stop stops the alarm. If the timer has just expired, Ring may still be called.
func (a *Alarm) Stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
