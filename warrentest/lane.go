package warrentest

import "sync"

// laneID is a channel in one direction.
type laneID struct {
	from    Side
	channel uint16
}

// lane keeps the order of what one side sends on one channel. The reader does the work
// itself until something has to wait. From then on a goroutine does it, until it has
// caught up.
type lane struct {
	tap *tap

	mu sync.Mutex
	// Guarded by mu.
	busy   bool // there is a goroutine
	queue  []func(detached bool)
	room   chan struct{} // closed when the queue gets shorter; nil: nobody waits
	behind chan struct{} // closed when the goroutine has caught up; nil: nobody waits
}

// maxBehind is how much may wait in a lane. Then the reader waits.
const maxBehind = 10_000

// lane returns the lane of a channel.
func (t *tap) lane(from Side, channel uint16) *lane {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := laneID{from, channel}
	l := t.lanes[id]
	if l == nil {
		l = &lane{tap: t}
		t.lanes[id] = l
	}
	return l
}

// do calls f, now or when all before it is done. detached says that f may wait.
func (l *lane) do(f func(detached bool)) {
	l.mu.Lock()
	for l.busy && len(l.queue) >= maxBehind {
		if l.room == nil {
			l.room = make(chan struct{})
		}
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
		case <-l.tap.done:
			return
		}
		l.mu.Lock()
	}
	if l.busy {
		l.queue = append(l.queue, f)
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	f(false)
}

// detach calls f, and what comes after it, in a goroutine. It is called by a function that
// do has called, as the last that it does.
func (l *lane) detach(f func()) {
	l.mu.Lock()
	l.busy = true
	l.mu.Unlock()
	l.tap.broker.taps.running.Go(func() {
		f()
		for {
			l.mu.Lock()
			if len(l.queue) == 0 {
				l.busy = false
				if l.behind != nil {
					close(l.behind)
					l.behind = nil
				}
				l.mu.Unlock()
				return
			}
			next := l.queue[0]
			l.queue = l.queue[1:]
			if l.room != nil {
				close(l.room)
				l.room = nil
			}
			l.mu.Unlock()
			next(true)
		}
	})
}

// catchUp waits until the lanes of a side have nothing left that waits, except the one
// that calls it, if any.
func (t *tap) catchUp(from Side, except *lane) {
	t.mu.Lock()
	var lanes []*lane
	for id, l := range t.lanes {
		if id.from == from && l != except {
			lanes = append(lanes, l)
		}
	}
	t.mu.Unlock()
	for _, l := range lanes {
		l.mu.Lock()
		if !l.busy {
			l.mu.Unlock()
			continue
		}
		if l.behind == nil {
			l.behind = make(chan struct{})
		}
		behind := l.behind
		l.mu.Unlock()
		select {
		case <-behind:
		case <-t.done:
			return
		}
	}
}
