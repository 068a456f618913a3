package warrentest

import "slices"

// strike is a fault that meets a method: its actions happen one after another, and then
// what they have left of the method goes on.
type strike struct {
	tap    *tap
	fault  *Fault // nil: there is none
	op     *op    // the method that the match means
	target *op    // what is to be passed on: op itself, or its answer; nil: nothing, after a method without an answer
	lane   *lane  // of target; nil with Now

	forward  bool // target goes on
	again    bool // twice
	detached bool // the strike has a goroutine of its own
}

// run runs the actions from the i-th on. One that may wait does so in a goroutine of its
// own, behind which what follows in the lane waits.
func (s *strike) run(i int) {
	for ; s.fault != nil && i < len(s.fault.actions); i++ {
		a := &s.fault.actions[i]
		if a.slow && !s.detached {
			s.detached = true
			s.lane.detach(func() { s.run(i) })
			return
		}
		a.do(s)
	}
	if s.target != nil && s.forward {
		s.tap.pass(s.target)
		if s.again {
			s.tap.passAgain(s.target)
		}
	}
	s.tap.finish(s)
}

// misused fails the test because of an action that does not fit the method.
func (s *strike) misused(rule string) {
	s.tap.broker.t.Errorf("warrentest: %s has met %s: %s", s.fault, s.op.Method, rule)
}

// hold keeps release until there are n of them, and then calls them in reverse order. It
// calls release at once if the fault is undone.
func (f *Fault) hold(n int, release func()) {
	f.mu.Lock()
	if f.undone {
		f.mu.Unlock()
		release()
		return
	}
	f.held = append(f.held, release)
	var due []func()
	if len(f.held) >= n {
		due, f.held = f.held, nil
	}
	f.mu.Unlock()
	for _, release := range slices.Backward(due) {
		release()
	}
}
