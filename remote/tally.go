package remote

import "sync"

// tally counts the requests that somebody has and has not settled.
type tally struct {
	mu sync.Mutex
	// Guarded by mu.
	open int
	last chan struct{} // nil: nobody waits
}

func (t *tally) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
}

func (t *tally) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open--; t.open == 0 && t.last != nil {
		close(t.last)
	}
}

// none returns a channel that is closed when all are settled. It is called once, after
// the last add.
func (t *tally) none() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = make(chan struct{})
	if t.open == 0 {
		close(t.last)
	}
	return t.last
}
