package warren

import (
	"context"
	"sync"
	"sync/atomic"
)

// memory counts what the messages in all queues hold, and makes publishers
// wait while that is more than the limit.
type memory struct {
	limit  int64 // bytes; negative: none
	low    int64 // publishers that wait go on below this
	step   int64 // queues report changes of this size
	policy MemoryPolicy

	used    atomic.Int64
	waiting atomic.Int32 // publishers in admit

	mu sync.Mutex
	// Guarded by mu.
	freed  chan struct{} // closed and replaced when memory has become free
	closed bool
}

func (m *memory) init(o *Options) {
	m.limit, m.policy = o.MemoryLimit, o.MemoryPolicy
	m.low = m.limit - m.limit/8 // not one at a time
	m.step = max(1, min(64<<10, m.limit/64))
}

// due reports whether a queue that holds bytes must tell that it now holds
// delta more than it last told. While publishers wait, every byte counts; and
// an empty queue owes nothing.
func (m *memory) due(delta, bytes int64) bool {
	if m.limit < 0 || delta == 0 {
		return false
	}
	return delta >= m.step || delta <= -m.step || bytes == 0 || m.waiting.Load() > 0
}

func (m *memory) add(n int64) {
	now := m.used.Add(n)
	if n < 0 && now < m.low {
		m.wake()
	}
}

func (m *memory) wakeAll() {
	if m.freed != nil {
		close(m.freed)
		m.freed = nil
	}
}

// full reports whether publishers must wait or fail. Nobody passes those who
// wait already.
func (m *memory) full() bool {
	if m.limit < 0 {
		return false
	}
	used := m.used.Load()
	return used >= m.limit || used >= m.low && m.waiting.Load() > 0
}

// admit lets a publisher in once there is memory. What it publishes on may be
// closed meanwhile; then somebody calls wake. Before it waits, it calls waits.
func (m *memory) admit(ctx context.Context, gone *atomic.Bool, waits func()) error {
	if !m.full() {
		return nil
	}
	if m.policy == FailPublishers {
		return ErrMemoryLimit
	}
	if waits != nil {
		waits()
	}
	m.waiting.Add(1)
	defer m.waiting.Add(-1)
	for {
		m.mu.Lock()
		if m.closed || gone != nil && gone.Load() {
			m.mu.Unlock()
			return ErrClosed
		}
		if m.freed == nil {
			m.freed = make(chan struct{})
		}
		freed := m.freed
		m.mu.Unlock()
		if m.used.Load() < m.low { // it may have become free before freed was there
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wake makes waiting publishers look again.
func (m *memory) wake() {
	if m.waiting.Load() > 0 {
		m.mu.Lock()
		m.wakeAll()
		m.mu.Unlock()
	}
}

// close makes waiting publishers fail with ErrClosed.
func (m *memory) close() {
	m.mu.Lock()
	m.closed = true
	m.wakeAll()
	m.mu.Unlock()
}
