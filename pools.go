package warren

import (
	"maps"
	"slices"
	"sync"

	"github.com/warrenmq/warren/internal/queue"
)

// pools is the set of pools of handlers that serve requests or may get some.
type pools struct {
	mu sync.Mutex
	// Guarded by mu, which may be taken while a queue's lock is held.
	all map[*queue.Pool]struct{}
}

func (p *pools) add(one *queue.Pool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = make(map[*queue.Pool]struct{})
	}
	p.all[one] = struct{}{}
}

func (p *pools) remove(one *queue.Pool) {
	p.mu.Lock()
	delete(p.all, one)
	p.mu.Unlock()
}

func (p *pools) list() []*queue.Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.all))
}
