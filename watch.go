package warren

import (
	"sync"
	"sync/atomic"
)

// watchers are those who called Watch.
type watchers struct {
	now  atomic.Int32
	ever atomic.Uint32
}

// any reports whether somebody watches.
func (w *watchers) any() bool { return w.now.Load() > 0 }

// add adds a watcher, until stop is called.
func (w *watchers) add() (stop func()) {
	w.ever.Add(1)
	w.now.Add(1)
	return sync.OnceFunc(func() { w.now.Add(-1) })
}
