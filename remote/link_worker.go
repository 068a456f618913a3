package remote

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren"
)

// LinkKind is a kind of rule of a link.
type LinkKind string

// Kinds of rules, each with its field in [LinkOptions].
const (
	LinkPull   LinkKind = "pull"
	LinkPush   LinkKind = "push"
	LinkImport LinkKind = "import"
	LinkExport LinkKind = "export"
)

// LinkStats is what one rule of a link has done.
type LinkStats struct {
	Kind    LinkKind
	Queue   string
	Running bool  // it works; false: it waits until it can begin again
	Err     error // why it has stopped last; nil: it never has

	Passed      uint64 // messages that the other side has confirmed, or requests
	Redelivered uint64 // those of Passed that may have passed before
	Looped      uint64 // messages and requests that had gone round in a loop
	Refused     uint64 // messages that the other side cannot take as they are; they were rejected
}

// Stats returns what each rule has done: those of Pull, Push, Import and Export, in their
// order.
func (l *Linked) Stats() []LinkStats {
	all := make([]LinkStats, len(l.workers))
	for i, w := range l.workers {
		all[i] = w.look()
	}
	return all
}

// linkWorker begins the work of one rule, and again when it has failed.
type linkWorker struct {
	link  *Linked
	kind  LinkKind
	queue string

	once  sync.Once
	begun chan struct{} // closed when it has begun, or failed to, for the first time
	never error         // why it has failed to; written before begun is closed

	passed, redelivered, looped, refused atomic.Uint64

	mu sync.Mutex
	// Guarded by mu.
	running bool
	err     error
}

func (l *Linked) worker(kind LinkKind, queue string) *linkWorker {
	w := &linkWorker{link: l, kind: kind, queue: queue, begun: make(chan struct{})}
	l.workers = append(l.workers, w)
	return w
}

// begin works in a goroutine until the link ends. It gives up if it cannot begin the
// first time, or if the broker here has closed.
func (w *linkWorker) begin(work func() error) {
	w.link.gone.Go(func() {
		o := &w.link.options
		delay := o.Delay
		for {
			passed := w.passed.Load()
			err := work()
			if w.link.reading.Err() != nil {
				err = warren.ErrClosed
			}
			began := w.stopped(err)
			if !began || w.link.reading.Err() != nil || errors.Is(err, errLocalClosed) {
				return
			}
			if w.passed.Load() != passed {
				delay = o.Delay
			}
			select {
			case <-time.After(delay):
			case <-w.link.reading.Done():
				return
			}
			delay = min(2*delay, o.MaxDelay)
		}
	})
}

// works says that the work has begun.
func (w *linkWorker) works() {
	w.mu.Lock()
	again := w.err != nil
	w.running = true
	w.mu.Unlock()
	if again {
		w.link.options.Logger.Info("a rule of the link works again", "kind", w.kind, "queue", w.queue)
	}
	w.tell(nil)
}

// tell says how the first beginning went. It reports whether it was the first.
func (w *linkWorker) tell(err error) (first bool) {
	w.once.Do(func() {
		w.never, first = err, true
		close(w.begun)
	})
	return first
}

// stopped says that the work has failed. It reports whether it had ever begun.
func (w *linkWorker) stopped(err error) bool {
	w.mu.Lock()
	running := w.running
	w.running, w.err = false, err
	w.mu.Unlock()
	if running && w.link.reading.Err() == nil {
		w.link.options.Logger.Warn("a rule of the link has stopped", "kind", w.kind, "queue", w.queue, "error", err)
	}
	return !w.tell(err)
}

// awaitBegin waits until the work has begun for the first time.
func (w *linkWorker) awaitBegin(ctx context.Context) error {
	select {
	case <-w.begun:
		if w.never != nil {
			return &linkError{w.kind, w.queue, w.never}
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *linkWorker) look() LinkStats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return LinkStats{
		Kind: w.kind, Queue: w.queue, Running: w.running, Err: w.err,
		Passed: w.passed.Load(), Redelivered: w.redelivered.Load(), Looped: w.looped.Load(), Refused: w.refused.Load(),
	}
}

// linkError is why a rule cannot begin.
type linkError struct {
	kind  LinkKind
	queue string
	err   error
}

func (e *linkError) Error() string {
	return "remote: link: " + string(e.kind) + " of queue '" + e.queue + "': " + e.err.Error()
}
func (e *linkError) Unwrap() error { return e.err }

// errLocalClosed: the broker here is closed.
var errLocalClosed = &localClosed{}

type localClosed struct{}

func (*localClosed) Error() string { return "remote: the broker here is closed" }
func (*localClosed) Unwrap() error { return warren.ErrClosed }
