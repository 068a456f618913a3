package warren

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Shutdown ends the broker gently: it takes no new calls, channels and
// publishes, but serves the requests that handlers have or will get from
// their queues, lets those handlers call and publish, and lets replies out.
// When the handlers are done, or ctx ends, it closes as Close does; calls that
// nobody serves get [ErrClosed]. It returns ctx's error if handlers had to be
// cut short.
func (b *Broker) Shutdown(ctx context.Context) error {
	b.mu.Lock()
	b.state.CompareAndSwap(stateOpen, stateDraining)
	var handlers []*Handler
	for _, v := range b.vhosts {
		handlers = append(handlers, v.handlers()...)
	}
	b.mu.Unlock()
	err := waitIdle(ctx, append(handlers, b.leaving.list()...))
	closeErr := b.close(ctx)
	if err == nil {
		err = closeErr
	}
	return err
}

// waitIdle waits until all handlers are idle at the same time: one that works
// may still give work to another. They were, if none has got a message from
// one look at all of them to the next.
func waitIdle(ctx context.Context, handlers []*Handler) error {
	for last, looks := uint64(0), 0; ; looks++ {
		sum := uint64(0)
		for _, h := range handlers {
			had, err := h.waitIdle(ctx)
			if err != nil {
				return err
			}
			sum += had
		}
		if looks > 0 && sum == last {
			return nil
		}
		last = sum
	}
}

// tasks counts goroutines, to join them.
type tasks struct {
	mu sync.Mutex
	// Guarded by mu.
	running int
	idle    chan struct{} // closed when running becomes zero
}

func (t *tasks) add() {
	t.mu.Lock()
	t.running++
	t.mu.Unlock()
}

func (t *tasks) finish() {
	t.mu.Lock()
	if t.running--; t.running == 0 && t.idle != nil {
		close(t.idle)
		t.idle = nil
	}
	t.mu.Unlock()
}

// wait returns when no task runs, or with ctx's error.
func (t *tasks) wait(ctx context.Context) error {
	t.mu.Lock()
	if t.running == 0 {
		t.mu.Unlock()
		return nil
	}
	if t.idle == nil {
		t.idle = make(chan struct{})
	}
	idle := t.idle
	t.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leaving are handlers that take no more requests but still serve some. Their
// queues do not know them any more.
type leaving struct {
	mu sync.Mutex
	// Guarded by mu, which is locked with queue.mu held.
	handlers map[*Handler]struct{}
}

func (l *leaving) add(h *Handler) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.handlers == nil {
		l.handlers = make(map[*Handler]struct{})
	}
	l.handlers[h] = struct{}{}
}

func (l *leaving) remove(h *Handler) {
	l.mu.Lock()
	delete(l.handlers, h)
	l.mu.Unlock()
}

func (l *leaving) list() []*Handler {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.handlers))
}
