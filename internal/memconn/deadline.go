package memconn

import "time"

// setDeadline sets an end's deadline; the zero time is none. It reports false if the
// end is closed.
func (s *stream) setDeadline(e *end, t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.closed {
		return false
	}
	e.stopDeadline()
	if t.IsZero() {
		return true
	}
	now := time.Now()
	left := t.Sub(now)
	if left <= 0 {
		e.late = true
		e.changed.Broadcast()
		return true
	}
	e.deadline = now.Add(left) // on the monotonic clock, which timers use
	if e.timer == nil {
		e.timer = time.AfterFunc(left, func() { s.expire(e) })
	} else {
		e.timer.Reset(left)
	}
	return true
}

// expire is called by the timer. By then there may be another deadline, or none.
func (s *stream) expire(e *end) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !e.deadline.IsZero() && !time.Now().Before(e.deadline) {
		e.deadline, e.late = time.Time{}, true
		e.changed.Broadcast()
	}
}

// stopDeadline removes the deadline.
func (e *end) stopDeadline() {
	e.deadline, e.late = time.Time{}, false
	if e.timer != nil {
		e.timer.Stop()
	}
}
