package clock

import "time"

// Alarm is one timer for the nearest of many deadlines. It is not moved when
// what it was set for has gone: who is rung looks what is due, and sets it
// again. The lock of its owner guards it. The zero value is not set.
type Alarm struct {
	timer *time.Timer
	at    int64 // when it rings; zero: it is not set
}

// Ringer is who is rung, by a goroutine of its own.
type Ringer interface{ Ring() }

// Set has r rung at a time, unless r will be rung before that. It is always the
// same r.
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

// Rung says that the alarm has rung: it is not set any more.
func (a *Alarm) Rung() { a.at = 0 }

// Stop ends the alarm. It may still ring, if it was about to.
func (a *Alarm) Stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
