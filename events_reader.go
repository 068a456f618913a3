package warren

import (
	"context"
	"sync"
)

// maxPendingEvents bounds the events that wait for a reader.
const maxPendingEvents = 4096

// eventReader is a reader of events. It reads changes as fast as they come, and keeps
// them until the loop asks for the next one.
type eventReader struct {
	signal chan struct{} // has room for one: there is something new

	mu sync.Mutex
	// Guarded by mu.
	pending []pendingEvent
	closed  bool // the broker is closed: there will be no more
}

// pendingEvent is an event, or says how many were lost in its place.
type pendingEvent struct {
	Event
	lost int
}

// wants reports true, because each change is an event.
func (r *eventReader) wants(changeKind) bool { return true }

func (r *eventReader) read(c *change) {
	switch c.kind {
	case brokerClosed:
		r.mu.Lock()
		r.closed = true
		r.mu.Unlock()
	case changesLost:
		r.lose(c.count)
	default:
		r.add(c.event())
	}
	select {
	case r.signal <- struct{}{}:
	default:
	}
}

func (r *eventReader) add(e Event) {
	r.mu.Lock()
	full := len(r.pending) >= maxPendingEvents
	if !full {
		r.pending = append(r.pending, pendingEvent{Event: e})
	}
	r.mu.Unlock()
	if full {
		r.lose(1)
	}
}

// lose notes that n events were lost.
func (r *eventReader) lose(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := len(r.pending) - 1; i >= 0 && r.pending[i].lost > 0 {
		r.pending[i].lost += n
	} else {
		r.pending = append(r.pending, pendingEvent{lost: n})
	}
}

// next waits for the next event. more is false if there is none after the result.
func (r *eventReader) next(ctx context.Context) (e Event, more bool, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return Event{}, false, err
		}
		p, ok, closed := r.take()
		switch {
		case ok && p.lost > 0:
			return Event{}, true, &EventsLostError{p.lost}
		case ok:
			return p.Event, true, nil
		case closed:
			return Event{}, false, ErrClosed
		}
		select {
		case <-r.signal:
		case <-ctx.Done():
		}
	}
}

// take returns what waits longest.
func (r *eventReader) take() (p pendingEvent, ok, closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pending) == 0 {
		return p, false, r.closed
	}
	p = r.pending[0]
	r.pending[0] = pendingEvent{}
	if r.pending = r.pending[1:]; len(r.pending) == 0 {
		r.pending = nil
	}
	return p, true, r.closed
}
