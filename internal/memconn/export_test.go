package memconn

// StopTimers stops the end's timers and says how many were running.
func StopTimers(c *Conn) (running int) {
	for s, e := range map[*stream]*end{c.in: &c.in.reader, c.out: &c.out.writer} {
		s.mu.Lock()
		if e.timer != nil && e.timer.Stop() {
			running++
		}
		s.mu.Unlock()
	}
	return running
}

// LateTimers does what timers do that were stopped or set again too late.
func LateTimers(c *Conn) {
	c.in.expire(&c.in.reader)
	c.out.expire(&c.out.writer)
}
