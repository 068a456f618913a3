package warren

import (
	"cmp"
	"maps"
	"slices"
	"sync"
)

// handlers is the set of handlers that serve requests or may get some.
type handlers struct {
	mu sync.Mutex
	// Guarded by mu, which may be taken while a queue's lock is held.
	all map[*Handler]struct{}
}

func (s *handlers) add(h *Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[*Handler]struct{})
	}
	s.all[h] = struct{}{}
}

func (s *handlers) remove(h *Handler) {
	s.mu.Lock()
	delete(s.all, h)
	s.mu.Unlock()
}

// list returns the handlers, sorted by queue and tag.
func (s *handlers) list() []*Handler {
	s.mu.Lock()
	list := slices.Collect(maps.Keys(s.all))
	s.mu.Unlock()
	slices.SortFunc(list, func(x, y *Handler) int {
		return cmp.Or(cmp.Compare(x.queue.Name(), y.queue.Name()), cmp.Compare(x.tag, y.tag))
	})
	return list
}
