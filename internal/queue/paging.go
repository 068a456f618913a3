package queue

import (
	"slices"

	"github.com/warrenmq/warren/internal/store"
)

// A queue of a broker with a directory need not have all its messages in memory. Those
// at the head are there, or are about to be, and those that came last. What is between
// them is outside: on disk only.

// outside are messages of a shelf that are on disk only. They were never delivered, so
// those that were requeued come before them.
type outside struct {
	store.Count
	first, last uint64 // positions: all that live on disk from first to last are outside
	deadline    int64  // of the first message, if dated is set; zero: none
	dated       bool
	loading     bool // Loaded is going to be called, with messages from loads on
	loads       uint64
	awaits      int64 // bytes that count as held, for what is being loaded
}

// Bounds in bytes, which matter where few messages hold much.
const (
	largeBody  = 4 << 10   // bytes of a body that counts for chunkBytes
	chunkBytes = 256 << 10 // of the large bodies in a chunk; it takes no more then
	headBytes  = 1 << 20   // of the bodies that wait at the head for readers
	manyBytes  = 4 << 20   // that a queue holds before any messages are put outside
)

// isOut reports whether the first message is outside.
func (s *shelf) isOut() bool { return s.out != nil && s.returned.len() == 0 }

// top returns the shelf that has the first message. There must be one.
func (s *backlog) top() *shelf {
	if s.levels != nil {
		return s.levels.top()
	}
	return &s.shelf
}

// isOut reports whether there are messages, and the first one is outside.
func (s *backlog) isOut() bool { return s.len() > 0 && s.top().isOut() }

// shelfOf returns the shelf of a level; nil: it has none.
func (s *backlog) shelfOf(level uint8) *shelf {
	if s.levels == nil {
		return &s.shelf
	}
	if i, ok := s.levels.find(min(level, s.levels.most)); ok {
		return s.levels.shelves[i]
	}
	return nil
}

// loadHead begins to load messages, if there are few in memory before those outside.
func (q *Queue) loadHead() {
	if q.deleted || q.store.len() == 0 {
		return
	}
	s := q.store.top()
	o := s.out
	if o == nil || o.loading || s.returned.len() >= fewLoaded || s.returned.waitingBytes() >= headBytes || !q.mayLoad(s) {
		return
	}
	o.loading, o.loads = q.disk.Load(o.first, o.last), o.first
	if !o.loading { // it cannot be, but then nobody must wait for them
		q.dropOutside(s, o.Count)
		q.wakeAwaiting()
		return
	}
	// It counts at once, so that many queues do not begin to load together more than there
	// is room for.
	o.awaits = min(o.Bytes, store.MostLoaded)
	q.memory.Add(o.awaits)
}

// Loaded implements store.Taker: it takes messages from outside.
func (q *Queue) Loaded(b *store.Block) {
	q.mu.Lock()
	q.disk.Keep(b)
	if q.stream != nil {
		if !q.deleted {
			q.takeSegment(b)
		}
		q.wakeAwaiting()
		q.unlock()
		return
	}
	if s := q.store.shelfOf(uint8(b.Last >> levelShift)); !q.deleted && s.awaits(b) {
		q.take(s, b)
		q.tidy()
		q.dispatch()
	}
	q.wakeAwaiting()
	q.unlock()
}

// wakeAwaiting lets those look again who wait in awaitLoaded.
func (q *Queue) wakeAwaiting() {
	if q.disk.loaded != nil {
		close(q.disk.loaded)
		q.disk.loaded = nil
	}
}

// awaits reports whether the shelf, which may be nil, has asked for a block. It has not
// if all was purged since, and others are outside now.
func (s *shelf) awaits(b *store.Block) bool {
	return s != nil && s.out != nil && s.out.loading && s.out.loads <= b.Last
}

// take puts a block's messages on their shelf. Those that could not be read are lost.
func (q *Queue) take(s *shelf, b *store.Block) {
	q.disk.awaited.giveBack(b.Items)
	r := runOf(b.Items)
	cost := int64(0)
	for i := range b.Items {
		cost += b.Items[i].Cost()
	}
	if r.len > 0 {
		r.unseen = true
		s.returned.adopt(r)
	}
	o := s.out
	q.memory.Add(cost - o.awaits)
	q.disk.awaited.lose(o.first, b.Last) // they could not be read
	o.first, o.dated, o.loading, o.awaits = max(o.first, b.Last+1), false, false, 0
	o.sub(store.Count{Len: r.len, Bytes: r.bytes, Timed: r.timed})
	q.seldom().Dropped += uint64(b.Count.Len - r.len)
	q.dropOutside(s, store.Count{Len: b.Count.Len - r.len, Bytes: b.Count.Bytes - r.bytes, Timed: b.Count.Timed - r.timed})
}

func (o *outside) sub(c store.Count) {
	o.Len -= c.Len
	o.Bytes -= c.Bytes
	o.Timed -= c.Timed
}

// dropOutside uncounts messages of a shelf that were outside and are no more.
func (q *Queue) dropOutside(s *shelf, c store.Count) {
	q.store.bytes -= c.Bytes
	q.store.timed -= c.Timed
	if s.out.sub(c); s.out.Len == 0 {
		q.memory.Add(-s.out.awaits)
		s.out = nil
	}
	if q.store.levels != nil {
		q.store.levels.dropped(s, c.Len)
	}
}

// awaitHead waits until the first message is in memory, or w gives up. It is called with
// mu held, and gives it up meanwhile.
func (q *Queue) awaitHead(w Waiter) {
	for q.paged && !q.deleted && !q.single && !q.cleanHead() && q.store.isOut() {
		if !q.awaitLoaded(w) {
			return
		}
	}
}

// Waiter waits for messages that are on disk only.
type Waiter interface {
	// Await waits until loaded is closed. It reports false if it gives up before.
	Await(loaded <-chan struct{}) bool
}

// awaitLoaded waits until something was loaded, or the queue is deleted. It reports false
// if w gives up before; nil never does. It is called with mu held, and gives it up
// meanwhile.
func (q *Queue) awaitLoaded(w Waiter) bool {
	if q.disk.loaded == nil {
		q.disk.loaded = make(chan struct{})
	}
	loaded := q.disk.loaded
	q.unlock() // it begins to load what is at the head
	defer q.mu.Lock()
	if w != nil {
		return w.Await(loaded)
	}
	<-loaded
	return true
}

// purgeOutside takes all messages outside out of the queue. Those of a queue that is
// deleted need not be removed one by one, or stay on disk.
func (q *Queue) purgeOutside() {
	purge := func(s *shelf) {
		if o := s.out; o != nil {
			if !q.deleted {
				q.disk.RemoveRange(o.first, o.last)
			}
			q.disk.awaited.lose(o.first, o.last)
			q.dropOutside(s, o.Count)
		}
	}
	if q.store.levels == nil {
		purge(&q.store.shelf)
		return
	}
	for _, s := range slices.Clone(q.store.levels.shelves) {
		purge(s)
	}
}

// trimOutside drops messages outside, the first ones first, without reading them: whole
// blocks, as far as the limits of length and bytes ask for it.
func (q *Queue) trimOutside(s *shelf) {
	o, r := s.out, q.rules
	var gone store.Count
	first, last := o.first, o.first
	for b := range q.disk.Blocks(uint8(o.first>>levelShift), o.first) {
		tooLong := r.MaxLength >= 0 && int64(q.store.len()-gone.Len-b.Count.Len) >= r.MaxLength
		tooLarge := r.MaxBytes >= 0 && q.store.bytes-gone.Bytes-b.Count.Bytes >= r.MaxBytes
		if b.Last < o.first { // they were delivered before
			continue
		}
		if b.First < o.first || b.Last > o.last || !tooLong && !tooLarge {
			break
		}
		last = b.Last
		gone.Len += b.Count.Len
		gone.Bytes += b.Count.Bytes
		gone.Timed += b.Count.Timed
	}
	if gone.Len == 0 {
		return
	}
	q.disk.RemoveRange(first, last)
	q.disk.awaited.lose(first, last)
	o.first, o.dated = last+1, false
	q.seldom().Dropped += uint64(gone.Len)
	q.dropOutside(s, gone)
}
