package queue

import (
	"slices"

	"github.com/warrenmq/warren/internal/message"
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
	loading     bool   // Loaded is going to be called, with messages from loads on
	loads       uint64
}

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
	if o := s.out; o != nil && !o.loading && s.returned.len() < fewLoaded {
		o.loading, o.loads = q.disk.Load(o.first, o.last), o.first
		if !o.loading { // it cannot be, but then nobody must wait for them
			q.store.dropOutside(s, o.Count)
			q.wakeAwaiting()
		}
	}
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
		s.returned.adopt(r)
	}
	q.memory.Add(cost)
	q.disk.awaited.lose(s.out.first, b.Last) // they could not be read
	s.out.first, s.out.loading = max(s.out.first, b.Last+1), false
	s.out.sub(store.Count{Len: r.len, Bytes: r.bytes, Timed: r.timed})
	q.counts.Dropped += uint64(b.Count.Len - r.len)
	q.store.dropOutside(s, store.Count{Len: b.Count.Len - r.len, Bytes: b.Count.Bytes - r.bytes, Timed: b.Count.Timed - r.timed})
}

func (o *outside) sub(c store.Count) {
	o.Len -= c.Len
	o.Bytes -= c.Bytes
	o.Timed -= c.Timed
}

// dropOutside uncounts messages outside that are no more.
func (s *backlog) dropOutside(l *shelf, c store.Count) {
	s.bytes -= c.Bytes
	s.timed -= c.Timed
	if l.out.sub(c); l.out.Len == 0 {
		l.out = nil
	}
	if s.levels != nil {
		s.levels.dropped(l, c.Len)
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

// chunksAtOnce is how many chunks of messages are put outside, or on disk, before others
// get the queue's lock.
const chunksAtOnce = 16

// inPortions calls f under the lock until it returns false, and between the calls lets
// others have the lock.
func (q *Queue) inPortions(f func() (more bool)) {
	for more := true; more; {
		q.mu.Lock()
		more = !q.deleted && f()
		q.unlock()
	}
}

// Paged implements store.Taker: more messages are in page files, so that memory need not
// have them.
func (q *Queue) Paged() {
	q.inPortions(func() bool {
		if q.stream != nil {
			q.pageStream()
			return false
		}
		return q.onShelves(q.page)
	})
}

// onShelves calls f for the shelves of all levels. It reports whether f did for one.
func (q *Queue) onShelves(f func(s *shelf) (more bool)) (more bool) {
	if q.store.levels == nil {
		return f(&q.store.shelf)
	}
	for _, s := range q.store.levels.shelves {
		more = f(s) || more
	}
	return more
}

// page puts messages of a shelf outside that are in page files, a few at a time. It keeps
// some before them and after them. It reports whether there may be more.
func (q *Queue) page(s *shelf) (more bool) {
	if s.out == nil && s.ready < manyInMemory {
		return false
	}
	q.paged = true
	freed := int64(0)
	defer func() { q.memory.Add(-freed) }()
	for range chunksAtOnce {
		if s.ready <= tailInMemory || s.head.next == nil {
			return false
		}
		c := s.head
		n := c.write - c.read
		last := s.first + uint64(n) - 1
		if q.disk.Paged(s.first, last) < n {
			return q.spillAll(s)
		}
		if s.out == nil && s.returned.len() < headInMemory {
			s.returned.adopt(s.takeChunk(c))
			continue
		}
		if s.out == nil {
			s.out = &outside{first: s.first}
		}
		freed += q.putOutside(s, c)
		s.out.last = last
	}
	return true
}

// putOutside puts the messages of the first chunk, which is not the last one, outside. It
// returns what they have held.
func (q *Queue) putOutside(s *shelf, c *chunk) (cost int64) {
	for i := c.read; i < c.write; i++ {
		e := &c.entries[i]
		cost += e.Cost()
		s.out.Bytes += int64(len(e.Body))
		if c.deadlines != nil && c.deadlines[i] != 0 {
			s.out.Timed++
		}
		q.disk.awaited.keep(s.first, e)
		s.first++
	}
	n := c.write - c.read
	s.out.Len += n
	s.ready -= n
	clear(c.entries)
	s.removeHead(c)
	return cost
}

// takeChunk takes the first chunk, which is not the last one, off the shelf, and returns
// its messages.
func (s *shelf) takeChunk(c *chunk) *run {
	r := &run{}
	for i := c.read; i < c.write; i++ {
		it := message.Item{Entry: c.entries[i], Pos: s.first}
		if c.deadlines != nil {
			it.Deadline = c.deadlines[i]
		}
		r.add(&it)
		s.first++
	}
	s.ready -= r.len
	clear(c.entries)
	s.removeHead(c)
	return r
}

// Spill puts messages on disk that are only in memory, because they need not survive a
// restart. It is called when memory is short. They can be put outside when they are in
// page files.
func (q *Queue) Spill() {
	if q.stream == nil { // a stream is on disk anyway
		q.inPortions(func() bool { return q.onShelves(q.spillAll) })
	}
}

// spillAll spills chunks of a shelf that are full, a few at a time. It reports whether
// there are more.
func (q *Queue) spillAll(s *shelf) (more bool) {
	first, n := s.first, 0
	for c := s.head; c != nil && c.isFull() && s.ready >= manyInMemory; c = c.next {
		if !c.spilled {
			if n++; n > chunksAtOnce {
				return true
			}
			q.spill(first, c)
		}
		first += uint64(c.write - c.read)
	}
	return false
}

// spillLast spills the last chunk of a level, if it has just become full and memory is
// short.
func (q *Queue) spillLast(level uint8) {
	s := q.store.shelfOf(level)
	if c := s.tail; c.isFull() && !c.spilled && s.ready >= manyInMemory && !q.shared.Memory.FitsAny() {
		q.spill(s.next-uint64(c.write-c.read), c)
	}
}

// spill spills a chunk, whose first message has the position first.
func (q *Queue) spill(first uint64, c *chunk) {
	c.spilled = true
	var it message.Item // it escapes
	for i := c.read; i < c.write; i++ {
		e := &c.entries[i]
		if q.disk.durable && e.Persistent() {
			continue
		}
		it = message.Item{Entry: *e, Pos: first + uint64(i-c.read)}
		if c.deadlines != nil {
			it.Deadline = c.deadlines[i]
		}
		q.disk.spilled = true
		q.disk.Spill(&it)
	}
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
			q.store.dropOutside(s, o.Count)
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
	o.first = last + 1
	q.counts.Dropped += uint64(gone.Len)
	q.store.dropOutside(s, gone)
}
