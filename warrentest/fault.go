package warrentest

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// moment says when a fault acts.
type moment int

const (
	before moment = iota // the method is on its way
	after                // it was carried out
	now
)

// Fault is something that goes wrong on purpose: see [Broker.Before], [Broker.After] and
// [Broker.Now].
type Fault struct {
	broker  *Broker
	moment  moment
	match   Match
	actions []Action

	mu sync.Mutex
	// Guarded by mu.
	skip, left int  // left is negative for Forever
	count      int  // methods that it has met
	undone     bool // it meets no more
	undos      []func()
	held       []func()      // what Reverse holds back
	more       chan struct{} // closed when count or undone changes; made by Wait
}

// Before lets the actions happen, in their order, when a method that m means is on its
// way: before it is carried out, or before the client gets it if it comes from the
// broker. Some actions take its place. Of several faults that mean the same method, the
// one that was set first acts. It fails the test if no method is like m.Method, or if
// an action cannot happen then.
func (b *Broker) Before(m Match, actions ...Action) *Fault {
	b.t.Helper()
	return b.addFault(before, m, actions)
}

// After lets the actions happen when a method that m means was carried out, in place of
// its answer, or before it: the ok of a declare, the confirm of a publish. Without an
// answer they happen when the method was passed on.
func (b *Broker) After(m Match, actions ...Action) *Fault {
	b.t.Helper()
	return b.addFault(after, m, actions)
}

// Now lets the actions happen at once, to all connections that m means by Connection, User
// and VirtualHost.
func (b *Broker) Now(m Match, actions ...Action) *Fault {
	b.t.Helper()
	f := b.newFault(now, m, actions)
	for _, t := range b.taps.list() {
		if e := t.event(Server, 0); m.matches(&e) {
			f.meet()
			s := &strike{tap: t, fault: f, op: &op{Event: e}}
			s.run(0)
		}
	}
	return f
}

func (b *Broker) newFault(at moment, m Match, actions []Action) *Fault {
	b.t.Helper()
	if m.Method != "" && !isMethod(m.Method) {
		b.t.Fatalf("warrentest: no method is like %q: use AMQP's names, such as \"basic.publish\", or Connect or Heartbeat", m.Method)
	}
	for _, a := range actions {
		if !slices.Contains(a.moments, at) {
			b.t.Fatalf("warrentest: %s cannot happen %s a method: %s", a.name, at, a.rule)
		}
	}
	for _, a := range actions {
		if m.Method == Connect && !a.dials {
			b.t.Fatalf("warrentest: %s cannot meet a client that dials, because there is no connection yet: use \"connection.start-ok\"", a.name)
		}
	}
	f := &Fault{broker: b, moment: at, match: m, actions: actions, skip: m.Skip, left: m.Times}
	if f.left == 0 {
		f.left = 1
	}
	return f
}

func (b *Broker) addFault(at moment, m Match, actions []Action) *Fault {
	b.t.Helper()
	f := b.newFault(at, m, actions)
	b.faults.add(f)
	return f
}

// String is how a test says it.
func (m moment) String() string { return [...]string{"before", "after", "without"}[m] }

// Undo ends the fault: it meets no more methods, and what lasts, such as a Stall, is
// over. A second Undo does nothing.
func (f *Fault) Undo() {
	f.mu.Lock()
	undos, held := f.undos, f.held
	f.undos, f.held, f.undone = nil, nil, true
	f.wake()
	f.mu.Unlock()
	for _, undo := range undos {
		undo()
	}
	for _, release := range held {
		release()
	}
}

// Count returns how many methods, or connections with Now, the fault has met.
func (f *Fault) Count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count
}

// Wait waits until the fault has met n methods. After 5 seconds it fails the test.
func (f *Fault) Wait(n int) {
	t := f.broker.t
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		f.mu.Lock()
		count := f.count
		if f.more == nil {
			f.more = make(chan struct{})
		}
		more := f.more
		f.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-more:
		case <-timeout.C:
			t.Fatalf("warrentest: after %v, %s has met %d methods, not %d\n%s", patience, f, count, n, f.broker.recentEvents())
		}
	}
}

// patience is how long waits of the kit wait.
const patience = 5 * time.Second

// String is the actions as a test says them.
func (f *Fault) String() string {
	var names []string
	for _, a := range f.actions {
		names = append(names, a.name)
	}
	return strings.Join(names, ", ")
}

// answers reports whether an action answers the method in place of the broker.
func (f *Fault) answers() bool {
	return slices.ContainsFunc(f.actions, func(a Action) bool { return a.answers })
}

// take reports whether the fault is to meet a method that its match means.
func (f *Fault) take() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.undone || f.left == 0 {
		return false
	}
	if f.skip > 0 {
		f.skip--
		return false
	}
	if f.left > 0 {
		f.left--
	}
	f.count++
	f.wake()
	return true
}

// meet counts a method.
func (f *Fault) meet() {
	f.mu.Lock()
	f.count++
	f.wake()
	f.mu.Unlock()
}

// wake wakes Wait. mu is held.
func (f *Fault) wake() {
	if f.more != nil {
		close(f.more)
		f.more = nil
	}
}

// onUndo lets Undo call undo, or calls it at once if the fault is undone already.
func (f *Fault) onUndo(undo func()) {
	f.mu.Lock()
	undone := f.undone
	if !undone {
		f.undos = append(f.undos, undo)
	}
	f.mu.Unlock()
	if undone {
		undo()
	}
}

// faults are those of a broker, in the order in which they were set.
type faults struct {
	mu   sync.Mutex
	list []*Fault // guarded by mu
}

// any reports whether there is a fault that may meet something.
func (s *faults) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.list) > 0
}

func (s *faults) add(f *Fault) {
	s.mu.Lock()
	s.list = append(s.list, f)
	s.mu.Unlock()
}

// take returns the fault that is to meet the method, or nil.
func (s *faults) take(at moment, e *Event) *Fault {
	s.mu.Lock()
	list := s.list
	s.mu.Unlock()
	for _, f := range list {
		if f.moment == at && f.match.matches(e) && f.take() {
			return f
		}
	}
	return nil
}
