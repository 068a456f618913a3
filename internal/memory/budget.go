// Package memory counts the bytes that the broker holds for its clients: messages,
// and the bookkeeping and topology around them. At a limit it makes publishers wait
// or fail.
package memory

import (
	"container/list"
	"context"
	"errors"
	"math"
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

const (
	// freeBookkeeping is how many bytes of bookkeeping and topology do not count
	// against the limit, so that a small limit is one for messages.
	freeBookkeeping = 8 << 20
	// maxSlack is the most by which a publisher may exceed the limit.
	maxSlack = 4 << 20
	// maxStep is the most that a holder may keep unreported: see Account.
	maxStep = 64 << 10
	// smallMessage is the size of a body that is never too large, however small the
	// limit is.
	smallMessage = 64 << 10
	// noLimit stands for no limit: sums with it do not overflow.
	noLimit = math.MaxInt64 / 4
)

// Budget is the memory that all messages may hold together, wherever they are, with
// the bookkeeping and topology around them.
//
// Publishers are let in while messages hold less than the limit. Those that do not
// fit wait in the order in which they came.
type Budget struct {
	limit   int64 // bytes; noLimit: there is none
	half    int64 // bytes; below this every message fits
	low     int64 // bytes; publishers that wait go on below this
	slack   int64 // bytes by which a publisher may exceed the limit
	share   int64 // most bytes of topology
	refuses bool  // publishers fail at the limit instead of waiting

	alarmed Alarmed

	used     atomic.Int64 // bytes of messages, and of bookkeeping beyond what is free
	kept     atomic.Int64 // bytes of bookkeeping and topology
	topology atomic.Int64 // bytes of topology alone
	step     atomic.Int64 // bytes; a holder reports a change of at least this size: see setStep
	waiting  atomic.Int32 // length of waiters
	alarm    atomic.Bool  // publishers have to look; written with mu held
	short    atomic.Bool  // the last state that alarmed was told; written with mu held
	byHand   byHand       // written with mu held

	mu sync.Mutex
	// Guarded by mu.
	waiters list.List // of *waiter, the first to be let in at the front
	holders int64     // see Join
	closed  bool
}

// waiter is a publisher that waits.
type waiter struct {
	size int64
	gone *atomic.Bool  // nil: never set
	let  chan struct{} // closed when err is set
	err  error         // why it is not let in; nil: it is, and size is counted
}

// Init sets the limit in bytes. A negative limit means that there is none. At
// the limit publishers wait, or fail if refuses is set.
func (b *Budget) Init(limit int64, refuses bool, alarmed Alarmed) {
	b.refuses, b.alarmed = refuses, alarmed
	b.waiters.Init()
	if limit < 0 || limit > noLimit {
		limit = noLimit
	}
	b.limit, b.half = limit, limit/2
	b.low = limit - limit/8 // room for many, so that publishers do not go on one at a time
	b.setStep()
	if !b.Limited() {
		return
	}
	b.slack = min(limit/16, maxSlack)
	b.share = max(b.half, freeBookkeeping)
}

// Limited reports whether there is a limit. Without one nothing is counted.
func (b *Budget) Limited() bool { return b.limit != noLimit }

// Limit returns the limit in bytes. Without one it is very large.
func (b *Budget) Limit() int64 { return b.limit }

// MaxMessage returns how many bytes the body of a message may have at most. A larger
// one might never fit beside topology.
func (b *Budget) MaxMessage() int64 { return max(b.limit/2, smallMessage) }

// Used returns how many bytes are reported.
func (b *Budget) Used() int64 { return b.used.Load() }

// Kept returns how many bytes bookkeeping and topology hold.
func (b *Budget) Kept() int64 { return b.kept.Load() }

// Waiting returns how many publishers wait.
func (b *Budget) Waiting() int { return int(b.waiting.Load()) }

// stepFor returns the step for a number of holders. What they keep unreported is in
// sum less than a sixty-fourth of the limit, however many of them there are; it can
// be some times that if most of them came when there were few.
func stepFor(limit, holders int64) int64 {
	return max(1, min(maxStep, limit/64/max(1, holders)))
}

// Join notes that there is one more holder, which reports what it holds in steps. The
// more holders there are, the smaller is the step.
func (b *Budget) Join() { b.join(1) }

// Leave ends what Join has begun.
func (b *Budget) Leave() { b.join(-1) }

func (b *Budget) join(n int64) {
	if b.Limited() {
		b.mu.Lock()
		b.holders += n
		b.setStep()
		b.mu.Unlock()
	}
}

// setStep sets the step. While publishers wait, every change is reported; without a
// limit, none is. It is called with mu held.
func (b *Budget) setStep() {
	switch {
	case !b.Limited():
		b.step.Store(noLimit)
	case b.waiters.Len() > 0:
		b.step.Store(1)
	default:
		b.step.Store(stepFor(b.limit, b.holders))
	}
}

// setWaiting notes how many publishers wait. It is called with mu held, when that has
// changed.
func (b *Budget) setWaiting() {
	b.waiting.Store(int32(b.waiters.Len()))
	b.setStep()
}

// Due reports whether a holder must report a change now. The holder has bytes, which
// is delta more than it last reported. Small changes are not due, except while
// publishers wait and when the holder has nothing any more.
func (b *Budget) Due(delta, bytes int64) bool {
	step := b.step.Load()
	return delta >= step || delta <= -step || bytes == 0 && delta != 0 && b.Limited()
}

// Add adds n to the bytes that messages hold; n may be negative. It lets publishers
// that wait in when there is room for them.
func (b *Budget) Add(n int64) {
	if !b.Limited() {
		return
	}
	if now := b.used.Add(n); n < 0 && now < b.low && b.waiting.Load() > 0 {
		b.mu.Lock()
		b.letIn()
		b.mu.Unlock()
	}
}

// Keep adds n to the bytes that bookkeeping holds; n may be negative. What exceeds
// freeBookkeeping counts against the limit.
func (b *Budget) Keep(n int64) {
	if !b.Limited() {
		return
	}
	now := b.kept.Add(n)
	if d := max(0, now-freeBookkeeping) - max(0, now-n-freeBookkeeping); d != 0 {
		b.Add(d)
	}
}

// Reserve is Keep for n bytes of topology, that clients may declare as much of as
// they like. It reports false, and counts nothing, if topology would hold more than
// its share: half of the limit, but 8 MiB at least. Release gives the bytes back.
func (b *Budget) Reserve(n int64) bool {
	if !b.Limited() {
		return true
	}
	if b.topology.Add(n) > b.share {
		b.topology.Add(-n)
		return false
	}
	b.Keep(n)
	return true
}

// Hold is Reserve that counts n bytes in any case.
func (b *Budget) Hold(n int64) {
	if b.Limited() {
		b.topology.Add(n)
		b.Keep(n)
	}
}

// Topology returns how many bytes topology holds.
func (b *Budget) Topology() int64 { return b.topology.Load() }

// Share returns how many bytes of topology there may be.
func (b *Budget) Share() int64 { return b.share }

// Release gives back what Reserve has counted.
func (b *Budget) Release(n int64) {
	if b.Limited() {
		b.topology.Add(-n)
		b.Keep(-n)
	}
}

// fits reports whether there is room for n bytes.
func (b *Budget) fits(n int64) bool {
	used := b.used.Load()
	return used < b.limit && used+min(n, b.half) <= b.limit+b.slack
}

// IsHalfFree reports whether less than half of the limit is used.
func (b *Budget) IsHalfFree() bool { return b.used.Load() < b.half }

// IsFull reports whether the limit is reached.
func (b *Budget) IsFull() bool { return b.used.Load() >= b.limit }

// FitsAny reports whether Fits is true of every message: less than half of the limit
// is used.
func (b *Budget) FitsAny() bool { return b.IsHalfFree() && !b.alarm.Load() }

// Pressed reports whether room is wanted: publishers wait, or were refused, and little has
// come free since.
func (b *Budget) Pressed() bool {
	return b.waiting.Load() > 0 || b.alarm.Load() && b.used.Load() >= b.low
}

// EndAlarm tells of the alarm's end, unless publishers wait. It is for who has made room
// after publishers were refused, who do not come back to look.
func (b *Budget) EndAlarm() { b.tellAlarm() }

// Fits reports whether a publisher may go on with a message of n bytes without a call
// of Admit: there is room, nobody waits, and the end of the alarm has been told.
func (b *Budget) Fits(n int64) bool {
	return b.fits(n) && b.waiting.Load() == 0 && !b.alarm.Load()
}

// Overdraw counts n bytes for somebody who must not wait. They may exceed the limit by
// twice as much as others, or by a small message. It reports false, and counts nothing,
// if that is not enough.
func (b *Budget) Overdraw(n int64) bool {
	if b.used.Load()+n > b.limit+max(2*b.slack, smallMessage) {
		return false
	}
	b.Add(n)
	return true
}

// Exhausted reports whether so much more than the limit is used that nothing may be
// added, not even by somebody who can neither wait nor be refused: an eighth of it, but
// 8 MiB at least.
func (b *Budget) Exhausted() bool { return b.used.Load() > b.limit+max(b.limit/8, freeBookkeeping) }

// Admit waits until there is room for a message of n bytes, and counts it. The caller
// gives the bytes back, by Add, when others count the message. Before it waits, it
// calls waits, unless that is nil. It fails with ErrFull if the budget refuses
// publishers, with ErrClosed if the budget is closed or gone is set, and with
// ctx's error. Whoever sets gone calls Wake afterwards; a nil gone is never set.
func (b *Budget) Admit(ctx context.Context, n int64, gone *atomic.Bool, waits func()) error {
	if b.fits(n) && b.waiting.Load() == 0 && !b.byHand.any() {
		b.Add(n)
		b.tellAlarm()
		return nil
	}
	if b.refuses {
		b.tell(true)
		return ErrFull
	}
	if waits != nil {
		waits()
	}
	w := &waiter{size: n, gone: gone, let: make(chan struct{})}
	b.mu.Lock()
	place := b.waiters.PushBack(w)
	b.setWaiting()   // from now on every change is reported, and Wake looks
	if w.isGone(b) { // Wake may have looked before
		b.waiters.Remove(place)
		b.setWaiting()
		b.mu.Unlock()
		return ErrClosed
	}
	b.letIn()
	b.mu.Unlock()
	b.tellAlarm()
	defer b.tellAlarm()
	select {
	case <-w.let:
		return w.err
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-w.let: // it was let in at the same time
		if w.err == nil {
			b.count(-n)
		}
	default:
		b.waiters.Remove(place)
	}
	b.letIn() // the next one may fit
	return ctx.Err()
}

// Wake makes those publishers fail whose gone is set, and lets others in.
func (b *Budget) Wake() {
	if b.waiting.Load() > 0 {
		b.mu.Lock()
		b.turnAway()
		b.letIn()
		b.mu.Unlock()
	}
}

// turnAway makes publishers fail that have nothing to wait for. It is called with mu
// held.
func (b *Budget) turnAway() {
	for e := b.waiters.Front(); e != nil; {
		w, next := e.Value.(*waiter), e.Next()
		if w.isGone(b) {
			b.waiters.Remove(e)
			b.setWaiting()
			w.fail()
		}
		e = next
	}
}

// isGone reports whether w has nothing to wait for.
func (w *waiter) isGone(b *Budget) bool { return b.closed || w.gone != nil && w.gone.Load() }

func (w *waiter) fail() {
	w.err = ErrClosed
	close(w.let)
}

// letIn lets publishers in from the front, as far as there is room for them. It is
// called with mu held.
func (b *Budget) letIn() {
	// Those who wait go on only below low, so that the alarm does not come and go
	// with each message.
	if b.used.Load() < b.low && !b.byHand.any() {
		for e := b.waiters.Front(); e != nil && b.fits(e.Value.(*waiter).size); e = b.waiters.Front() {
			w := b.waiters.Remove(e).(*waiter)
			b.count(w.size)
			b.setWaiting() // before w goes on, which tells the end of the alarm if it was the last
			close(w.let)
		}
	}
	b.setWaiting()
}

// count is Add with mu held, which lets nobody in.
func (b *Budget) count(n int64) {
	if b.Limited() {
		b.used.Add(n)
	}
}

// tellAlarm tells alarmed whether publishers wait, if that has changed.
func (b *Budget) tellAlarm() {
	if b.alarm.Load() == (b.waiting.Load() > 0 || b.byHand.any()) {
		return
	}
	b.tell(false)
}

// tell tells alarmed of the state of the alarm, if it has changed: on, or that
// publishers wait.
func (b *Budget) tell(on bool) {
	b.mu.Lock()
	on = on || b.waiters.Len() > 0
	b.alarm.Store(on || b.byHand.any())
	short := b.byHand.isShort(on)
	changed := b.short.Swap(short) != short
	if changed {
		b.alarmed.RecordMemoryAlarm(short)
	}
	b.mu.Unlock()
	if changed {
		b.alarmed.NotifyMemoryAlarm()
	}
}

// Close makes waiting publishers fail with ErrClosed.
func (b *Budget) Close() {
	b.mu.Lock()
	b.closed = true
	b.turnAway()
	b.mu.Unlock()
}
