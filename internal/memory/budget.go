// Package memory counts what messages hold, and makes publishers wait while
// that is more than the limit.
package memory

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Why a publisher is not admitted.
var (
	ErrFull   = errors.New("memory: the limit is reached")
	ErrClosed = errors.New("memory: closed")
)

// Alarmed hears, with no lock held, when publishers begin to be held back, and
// when they are let in again.
type Alarmed interface{ MemoryAlarm(on bool) }

// Budget is the memory that messages may hold.
type Budget struct {
	limit   int64 // bytes; negative: none
	low     int64 // publishers that wait go on below this
	step    int64 // queues report changes of this size
	refuses bool  // publishers fail at the limit, and do not wait

	alarmed Alarmed

	used    atomic.Int64
	waiting atomic.Int32 // publishers in Admit
	alarm   atomic.Bool  // publishers are held back, as far as alarmed knows

	mu sync.Mutex
	// Guarded by mu.
	freed  chan struct{} // closed and replaced when memory has become free
	closed bool
}

// Init sets the limit in bytes; a negative one is none. At the limit
// publishers wait, or fail if the budget refuses.
func (b *Budget) Init(limit int64, refuses bool, alarmed Alarmed) {
	b.limit, b.refuses, b.alarmed = limit, refuses, alarmed
	b.low = limit - limit/8 // not one at a time
	b.step = max(1, min(64<<10, limit/64))
}

// Due reports whether a queue that holds bytes must tell that it now holds
// delta more than it last told. While publishers wait, every byte counts; and
// an empty queue owes nothing.
func (b *Budget) Due(delta, bytes int64) bool {
	if b.limit < 0 || delta == 0 {
		return false
	}
	return delta >= b.step || delta <= -b.step || bytes == 0 || b.waiting.Load() > 0
}

// Add counts n more bytes, or fewer.
func (b *Budget) Add(n int64) {
	now := b.used.Add(n)
	if n < 0 && now < b.low {
		b.Wake()
	}
}

func (b *Budget) wakeAll() {
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}

// Full reports whether publishers must wait or fail. Nobody passes those who
// wait already.
func (b *Budget) Full() bool {
	if b.limit < 0 {
		return false
	}
	used := b.used.Load()
	return used >= b.limit || used >= b.low && b.waiting.Load() > 0
}

// Open reports whether Admit need not be called: there is memory, and nobody is
// to be told so.
func (b *Budget) Open() bool { return !b.Full() && !b.alarm.Load() }

func (b *Budget) setAlarm(on bool) {
	if b.alarm.Load() != on && b.alarm.Swap(on) != on {
		b.alarmed.MemoryAlarm(on)
	}
}

// Admit lets a publisher in once there is memory. What it publishes on may be
// gone meanwhile; then somebody calls Wake. Before it waits, it calls waits. It
// fails with ErrFull, ErrClosed or ctx's error.
func (b *Budget) Admit(ctx context.Context, gone *atomic.Bool, waits func()) error {
	if !b.Full() {
		b.setAlarm(false)
		return nil
	}
	b.setAlarm(true)
	if b.refuses {
		return ErrFull
	}
	if waits != nil {
		waits()
	}
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	for {
		b.mu.Lock()
		if b.closed || gone != nil && gone.Load() {
			b.mu.Unlock()
			return ErrClosed
		}
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		freed := b.freed
		b.mu.Unlock()
		if b.used.Load() < b.low { // it may have become free before freed was there
			b.setAlarm(false)
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Wake makes waiting publishers look again.
func (b *Budget) Wake() {
	if b.waiting.Load() > 0 {
		b.mu.Lock()
		b.wakeAll()
		b.mu.Unlock()
	}
}

// Close makes waiting publishers fail with ErrClosed.
func (b *Budget) Close() {
	b.mu.Lock()
	b.closed = true
	b.wakeAll()
	b.mu.Unlock()
}
