//go:build paged

package warren

import "sync"

// pagedOut is how often a test's broker has put messages outside memory.
type pagedOut struct {
	mu sync.Mutex
	// Guarded by mu.
	asked, next int
}

// due reports whether it is time: each time at first, then seldom, so that tests with
// many messages come to their end.
func (p *pagedOut) due() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked++; p.asked <= p.next {
		return false
	}
	p.next = p.asked + p.asked/16
	return true
}

// out puts all messages outside memory that may be there, before a publish.
func (p *pagedOut) out(m *messages) {
	if p.due() {
		for _, q := range m.broker.allQueues() {
			q.PageOut()
		}
		m.store.PageOutNow()
	}
}
