package password

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
)

// ErrBusy means that too many others wait for the check of a password.
var ErrBusy = errors.New("password: too many logins wait for the check of their password")

const (
	// maxWaiting bounds those who wait for a turn.
	maxWaiting = 256
	// maxWaitingOfOne bounds those of one origin.
	maxWaitingOfOne = 16
)

// turns are turns at slow checks. At most half of the processors check passwords at a
// time. Origins take turns, so that many logins from one do not hold up another.
type turns struct {
	mu sync.Mutex
	// Guarded by mu.
	taken   int
	waiting int
	lines   map[string][]*waiter
	next    []string // origins with a line, the next one first
}

// waiter waits for a turn.
type waiter struct {
	called  chan struct{} // closed when it is its turn, or when it must go
	evicted bool          // it must go; written before called is closed
}

// take waits for a turn, which give ends. It fails with ErrBusy and ctx's error.
func (t *turns) take(ctx context.Context, origin string) error {
	t.mu.Lock()
	if t.taken < max(1, runtime.GOMAXPROCS(0)/2) {
		t.taken++
		t.mu.Unlock()
		return nil
	}
	if len(t.lines[origin]) >= maxWaitingOfOne || t.waiting >= maxWaiting && !t.evict(len(t.lines[origin])+1) {
		t.mu.Unlock()
		return ErrBusy
	}
	w := t.join(origin)
	t.mu.Unlock()
	select {
	case <-w.called:
	case <-ctx.Done():
		if t.leave(origin, w) {
			return ctx.Err()
		}
		if !w.evicted { // its turn came at the same time
			t.give()
		}
		return ctx.Err()
	}
	if w.evicted {
		return ErrBusy
	}
	return nil
}

// give ends a turn, and gives it to who waits.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.next) == 0 {
		t.taken--
		return
	}
	origin := t.next[0]
	w := t.lines[origin][0]
	t.remove(origin, 0)
	if len(t.lines[origin]) > 0 { // the others come first
		t.next = append(t.next[1:], origin)
	}
	close(w.called)
}

// join adds a waiter to the line of its origin. It is called with mu held.
func (t *turns) join(origin string) *waiter {
	w := &waiter{called: make(chan struct{})}
	if t.lines == nil {
		t.lines = make(map[string][]*waiter)
	}
	if len(t.lines[origin]) == 0 {
		t.next = append(t.next, origin)
	}
	t.lines[origin] = append(t.lines[origin], w)
	t.waiting++
	return w
}

// leave takes a waiter out. It reports false if the waiter has been called.
func (t *turns) leave(origin string, w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.lines[origin], w)
	if i < 0 {
		return false
	}
	t.remove(origin, i)
	return true
}

// evict takes out the last waiter of the longest line, if that has more than so many.
// It is called with mu held.
func (t *turns) evict(moreThan int) bool {
	longest := ""
	for origin, line := range t.lines {
		if len(line) > len(t.lines[longest]) {
			longest = origin
		}
	}
	last := len(t.lines[longest]) - 1
	if last < moreThan {
		return false
	}
	w := t.lines[longest][last]
	t.remove(longest, last)
	w.evicted = true
	close(w.called)
	return true
}

// remove removes a waiter from a line. It is called with mu held.
func (t *turns) remove(origin string, i int) {
	t.waiting--
	line := slices.Delete(t.lines[origin], i, i+1)
	if len(line) > 0 {
		t.lines[origin] = line
		return
	}
	delete(t.lines, origin)
	t.next = slices.DeleteFunc(t.next, func(o string) bool { return o == origin })
}
