// Package memory counts the bytes that messages hold. At a limit it makes
// publishers wait or fail.
package memory

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// Reasons why Admit fails.
var (
	ErrFull   = errors.New("memory: the limit is reached")
	ErrClosed = errors.New("memory: closed")
)

// Alarmed is told when the budget begins to hold publishers back, and when it
// lets them in again.
type Alarmed interface {
	// RecordMemoryAlarm is called with the budget's lock held, so that the order
	// is right. It must not block.
	RecordMemoryAlarm(on bool)
	// NotifyMemoryAlarm is called afterwards, with no lock held.
	NotifyMemoryAlarm()
}

// Budget is the memory that the messages of all queues may hold together.
type Budget struct {
	limit   int64 // bytes; negative: no limit
	low     int64 // bytes; publishers that wait go on below this
	step    int64 // bytes; a queue reports a change of at least this size
	refuses bool  // publishers fail at the limit instead of waiting

	alarmed Alarmed

	used    atomic.Int64
	waiting atomic.Int32 // publishers in Admit
	alarm   atomic.Bool  // the last state that alarmed was told

	mu sync.Mutex
	// Guarded by mu.
	freed  chan struct{} // closed and replaced when memory has become free
	closed bool
}

// Init sets the limit in bytes. A negative limit means that there is none. At
// the limit publishers wait, or fail if refuses is set.
func (b *Budget) Init(limit int64, refuses bool, alarmed Alarmed) {
	b.limit, b.refuses, b.alarmed = limit, refuses, alarmed
	b.low = limit - limit/8 // room for many, so that publishers do not go on one at a time
	b.step = max(1, min(64<<10, limit/64))
}

// Due reports whether a queue must report a change now. The queue holds bytes,
// which is delta more than it last reported. Small changes are not due, except
// while publishers wait and when the queue has become empty.
func (b *Budget) Due(delta, bytes int64) bool {
	if b.limit < 0 || delta == 0 {
		return false
	}
	return delta >= b.step || delta <= -b.step || bytes == 0 || b.waiting.Load() > 0
}

// Add adds n to the bytes that messages hold; n may be negative. It wakes the
// publishers that wait when the sum falls below the bound for them.
func (b *Budget) Add(n int64) {
	now := b.used.Add(n)
	if n < 0 && now < b.low {
		b.Wake()
	}
}

// wakeAll wakes all waiting publishers. It is called with mu held.
func (b *Budget) wakeAll() {
	if b.freed != nil {
		close(b.freed)
		b.freed = nil
	}
}

// Full reports whether publishers must wait or fail. While others wait, a new
// publisher must wait too, so that it does not overtake them.
func (b *Budget) Full() bool {
	if b.limit < 0 {
		return false
	}
	used := b.used.Load()
	return used >= b.limit || used >= b.low && b.waiting.Load() > 0
}

// Open reports whether a publisher may go on without a call of Admit: there is
// memory, and the end of the alarm has been announced.
func (b *Budget) Open() bool { return !b.Full() && !b.alarm.Load() }

// setAlarm tells alarmed of a change of the alarm.
func (b *Budget) setAlarm(on bool) {
	if b.alarm.Load() == on {
		return
	}
	b.mu.Lock()
	changed := b.alarm.Swap(on) != on
	if changed {
		b.alarmed.RecordMemoryAlarm(on)
	}
	b.mu.Unlock()
	if changed {
		b.alarmed.NotifyMemoryAlarm()
	}
}

// Admit returns nil once there is memory for a publisher. Before it waits, it
// calls waits, unless that is nil. It fails with ErrFull if the budget refuses
// publishers, with ErrClosed if the budget is closed or gone is set, and with
// ctx's error. Whoever sets gone calls Wake afterwards; a nil gone is never set.
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
		if b.used.Load() < b.low { // memory may have become free before freed was made
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

// Wake makes waiting publishers check again whether they may go on.
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
