package remote

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren"
)

// StateKind says what has become of the connection.
type StateKind string

// The kinds of states.
const (
	Connected   StateKind = "connected"   // to URL; what was declared and consumed is being so again
	Lost        StateKind = "lost"        // Reason says why
	Unreachable StateKind = "unreachable" // no URL has taken the connection: Reason has a [*DialError] for each
	Blocked     StateKind = "blocked"     // the broker takes no messages: Text says why. Who sends waits
	Unblocked   StateKind = "unblocked"   // it takes them again
	Closed      StateKind = "closed"      // by Close or Shutdown; no state comes after it
)

// State is a state of the connection, which lasts until the next one. Fields that its
// kind does not use are empty.
type State struct {
	Time   time.Time
	Kind   StateKind
	URL    string        // of the broker, without the password
	Reason error         // why the connection was lost, or there is none
	Text   string        // the broker's reason to take no messages
	Wait   time.Duration // until it connects again
}

// maxPendingStates bounds the states that wait for a reader.
const maxPendingStates = 1024

// stateReader keeps states until a loop asks for the next one.
type stateReader struct {
	signal chan struct{} // has room for one: there is something new

	mu sync.Mutex
	// Guarded by mu.
	pending []State
	lost    int // states that found pending full
	closed  bool
}

// States yields each change of the connection's state from the call on, until ctx ends,
// the loop does, or the Broker closes. So who calls it, looks at [Broker.State], and then
// begins the loop misses nothing. States wait for a slow reader, up to 1024 of them; the
// reader is told of those that are lost by a [*warren.EventsLostError], after which the
// loop goes on. The last pair has ctx's error, or [warren.ErrClosed].
//
// The reader may use the Broker. States that no loop reads wait until ctx ends. A second
// loop gets what changes after it began.
func (b *Broker) States(ctx context.Context) iter.Seq2[State, error] {
	var first atomic.Pointer[stateReader]
	first.Store(b.addStateReader())
	stop := context.AfterFunc(ctx, func() {
		if r := first.Swap(nil); r != nil {
			b.removeStateReader(r)
		}
	})
	return func(yield func(State, error) bool) {
		stop()
		r := first.Swap(nil)
		if r == nil {
			r = b.addStateReader()
		}
		defer b.removeStateReader(r)
		for {
			s, more, err := r.next(ctx)
			if !yield(s, err) || !more {
				return
			}
		}
	}
}

// State returns the present state.
func (b *Broker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

func (b *Broker) addStateReader() *stateReader {
	r := &stateReader{signal: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	r.closed = b.state.Kind == Closed
	b.readers[r] = struct{}{}
	return r
}

func (b *Broker) removeStateReader(r *stateReader) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.readers, r)
}

// setState notes a state and tells the readers. The caller holds mu, and calls logState
// when it does not any more.
func (b *Broker) setState(s *State) {
	s.Time = time.Now()
	b.state = *s
	close(b.changed)
	b.changed = make(chan struct{})
	for r := range b.readers {
		r.add(s)
	}
}

// logState writes a line for a state.
func (b *Broker) logState(s *State) {
	level, text := slog.LevelInfo, ""
	var args []any
	if s.URL != "" {
		args = append(args, "url", s.URL)
	}
	switch s.Kind {
	case Connected:
		text = "connected to the broker"
	case Lost:
		level, text = slog.LevelWarn, "the connection to the broker was lost"
		args = append(args, "error", s.Reason, "again_in", s.Wait)
	case Unreachable:
		level, text = slog.LevelWarn, "no broker takes the connection"
		args = append(args, "error", s.Reason, "again_in", s.Wait)
	case Blocked:
		level, text = slog.LevelWarn, "the broker takes no messages: who sends is held back"
		args = append(args, "reason", s.Text)
	case Unblocked:
		text = "the broker takes messages again"
	case Closed:
		text = "the connection to the broker is closed"
	}
	b.options.Logger.Log(context.Background(), level, text, args...)
}

func (r *stateReader) add(s *State) {
	r.mu.Lock()
	if len(r.pending) < maxPendingStates || s.Kind == Closed {
		r.pending = append(r.pending, *s)
	} else {
		r.lost++
	}
	r.closed = r.closed || s.Kind == Closed
	r.mu.Unlock()
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

// next waits for the next state. more is false if there is none after the result.
func (r *stateReader) next(ctx context.Context) (s State, more bool, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return State{}, false, err
		}
		s, ok, err := r.take()
		if ok {
			return s, err != warren.ErrClosed, err
		}
		select {
		case <-r.signal:
		case <-ctx.Done():
		}
	}
}

// take returns what waits longest, or what is to be told after all of that.
func (r *stateReader) take() (s State, ok bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.pending) > 0 && (r.lost == 0 || r.pending[0].Kind != Closed):
		s = r.pending[0]
		r.pending = r.pending[1:]
		return s, true, nil
	case r.lost > 0:
		n := r.lost
		r.lost = 0
		return s, true, &warren.EventsLostError{Count: n}
	case r.closed:
		return s, true, warren.ErrClosed
	}
	return s, false, nil
}
