package queue

import "github.com/warrenmq/warren/internal/message"

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
func (q *Queue) Paged() { q.PageOut() }

// PageOut puts messages outside that are in page files: those in the middle of a long
// queue, or, during relief, all that nobody has got yet. Those that are in memory only go
// to disk then.
func (q *Queue) PageOut() {
	q.inPortions(func() bool {
		switch {
		case q.disk == nil: // or it is not open yet: the store may be quicker than Init
			return false
		case q.stream != nil:
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

// holdsMuch reports whether the queue holds so much that some messages of a shelf should
// be outside.
func (q *Queue) holdsMuch(s *shelf) bool {
	return s.out != nil || s.ready >= manyInMemory || q.memory.Bytes() >= manyBytes
}

// page puts messages of a shelf outside that are in page files, a few at a time. It keeps
// some before them and after them, but not during relief. It reports whether there may be
// more.
func (q *Queue) page(s *shelf) (more bool) {
	pressed := q.pressed()
	if !pressed && !q.holdsMuch(s) {
		return false
	}
	q.paged = true
	freed := int64(0)
	if pressed {
		freed = q.unload(s)
	}
	defer func() { q.free(freed) }()
	for range chunksAtOnce {
		c := s.head
		if s.ready == 0 || !pressed && (c.next == nil || s.ready <= tailInMemory && q.memory.Bytes()-freed < manyBytes) {
			return false
		}
		n := c.write - c.read
		last := s.first + uint64(n) - 1
		if q.disk.Paged(s.first, last) < n {
			return q.spillAll(s)
		}
		if !pressed && s.out == nil && s.returned.len() < headInMemory && s.returned.waitingBytes() < headBytes {
			s.returned.adopt(s.takeChunk(c))
			continue
		}
		if s.out == nil {
			s.out = &outside{first: s.first, deadline: s.chunkDeadline(), dated: true}
		}
		freed += q.putOutside(s, c)
		s.out.last = last
	}
	return true
}

// unload puts messages outside again that nobody has got since they were there, or would
// have gone there. It returns what they have held.
func (q *Queue) unload(s *shelf) (cost int64) {
	if s.out != nil && s.out.loading {
		return 0
	}
	for _, r := range s.returned.takeUnseen() {
		if s.out == nil {
			s.out = &outside{}
		}
		o := s.out
		if at := r.first(); o.Len == 0 || at.Pos < o.first {
			o.first, o.deadline, o.dated = at.Pos, at.Deadline, true
		}
		o.Len += r.len
		for it := range r.all() {
			o.last = max(o.last, it.Pos)
			o.Bytes += int64(len(it.Body))
			if it.Deadline != 0 {
				o.Timed++
			}
			cost += it.Cost()
			q.disk.awaited.keep(it.Pos, &it.Entry)
		}
	}
	return cost
}

// putOutside puts the messages of the first chunk outside. It returns what they have held.
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

// takeChunk takes the first chunk off the shelf, and returns its messages.
func (s *shelf) takeChunk(c *chunk) *run {
	r := &run{unseen: true}
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

// spillAll spills chunks of a shelf that are full, a few at a time; during relief, all. It reports whether there are more.
func (q *Queue) spillAll(s *shelf) (more bool) {
	pressed := q.pressed()
	if s.ready == 0 || !pressed && !q.holdsMuch(s) {
		return false
	}
	if pressed {
		s.tail.close()
	}
	first, n := s.first, 0
	for c := s.head; c != nil && c.isFull(); c = c.next {
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

// filled looks at the last chunk of a level, to which a message was added. It closes it when
// large bodies are in it, and spills it, if it has just become full and memory is short.
func (q *Queue) filled(level uint8, body int) {
	s := q.store.shelfOf(level)
	c := s.tail
	if body > largeBody {
		if c.large += body; c.large >= chunkBytes {
			c.close()
		}
	}
	if c.isFull() && !c.spilled && q.holdsMuch(s) && q.isShort() {
		q.spill(s.next-uint64(c.write-c.read), c)
	}
}

// spill spills a chunk, whose first message has the position first.
func (q *Queue) spill(first uint64, c *chunk) {
	c.close()
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
