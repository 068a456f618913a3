package queue

import (
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// Peeked is a ready message of a queue.
type Peeked struct {
	message.Item
	Place uint64 // among the ready messages, from 0; in a stream its offset
}

// Peek returns up to n ready messages behind the first skip ones, in the order of their
// delivery, without a trace in the queue. Messages that have expired are left out. It stops
// after bodies of most bytes. It reads messages that are on disk, and fails if they cannot
// be read, or with ErrDeleted.
func (q *Queue) Peek(skip, n int, most int64) ([]Peeked, error) {
	l := look{skip: skip, n: n, most: most}
	q.mu.Lock()
	if q.deleted {
		q.mu.Unlock()
		return nil, ErrDeleted
	}
	now := q.shared.Clock.Now()
	if q.stream != nil {
		l.atStream(q)
	} else {
		l.atStore(q)
	}
	q.mu.Unlock()
	list, err := l.read(most)
	if err != nil {
		return nil, err
	}
	kept := list[:0]
	for _, m := range list {
		if m.Deadline == 0 || m.Deadline > now {
			kept = append(kept, m)
		}
	}
	return kept, nil
}

// look collects messages under the queue's lock: those in memory, and where on disk the
// others are, which are read later without the lock.
type look struct {
	skip  int    // messages still to be passed over
	n     int    // messages still to be taken
	most  int64  // bytes of bodies still to be taken, of messages in memory
	place uint64 // of the next message
	parts []lookPart
}

// lookPart are messages that follow each other.
type lookPart struct {
	memory []Peeked
	disk   store.Peek // used in place of memory
	place  uint64     // of the first message on disk; of a stream, its position is its place
	stream bool
	skip   int // messages on disk to be passed over
	n      int // messages on disk, behind those
}

func (l *look) done() bool { return l.n <= 0 || l.most <= 0 }

// pass passes over as many of the next n messages as are to be skipped, and returns how
// many these are.
func (l *look) pass(n int) int {
	n = min(n, l.skip)
	l.skip -= n
	l.place += uint64(n)
	return n
}

// take takes a message that is in memory.
func (l *look) take(it *message.Item) {
	last := len(l.parts) - 1
	if last < 0 || l.parts[last].disk != nil {
		l.parts = append(l.parts, lookPart{})
		last++
	}
	p := &l.parts[last]
	p.memory = append(p.memory, Peeked{*it, l.place})
	l.place++
	l.n--
	l.most -= int64(len(it.Body))
}

// onDisk takes messages from first to last, as far as there are any on disk.
func (l *look) onDisk(d Disk, first, last uint64, stream bool) {
	for first <= last && !l.done() {
		p := d.Peek(first, last)
		if p == nil {
			return
		}
		n, place := p.Len(), l.place
		skip := l.pass(n)
		if skip == n {
			p.Release()
		} else {
			n = min(n-skip, l.n)
			l.parts = append(l.parts, lookPart{disk: p, place: place, stream: stream, skip: skip, n: n})
			l.n -= n
			l.place += uint64(n)
		}
		first = p.Last() + 1
	}
}

// atStore looks at the messages of all levels.
func (l *look) atStore(q *Queue) {
	if q.store.levels == nil {
		l.atShelf(q, &q.store.shelf)
		return
	}
	for i := len(q.store.levels.shelves) - 1; i >= 0 && !l.done(); i-- {
		l.atShelf(q, q.store.levels.shelves[i])
	}
}

// atShelf looks at the messages of a shelf: those that came back, then those outside, then
// those in the chunks.
func (l *look) atShelf(q *Queue, s *shelf) {
	if n := s.returned.len(); n <= l.skip {
		l.pass(n)
	} else {
		for it := range s.returned.all() {
			if l.done() {
				return
			}
			if l.pass(1) == 0 {
				l.take(it)
			}
		}
	}
	if o := s.out; o != nil {
		if o.Len <= l.skip {
			l.pass(o.Len)
		} else {
			l.onDisk(q.disk, o.first, o.last, false)
		}
	}
	pos := s.first
	for c := s.head; c != nil && !l.done(); c = c.next {
		skip := l.pass(c.write - c.read)
		for i := c.read + skip; i < c.write && !l.done(); i++ {
			it := message.Item{Entry: c.entries[i], Pos: pos + uint64(i-c.read)}
			if c.deadlines != nil {
				it.Deadline = c.deadlines[i]
			}
			l.take(&it)
		}
		pos += uint64(c.write - c.read)
	}
}

// atStream looks at the messages of a stream.
func (l *look) atStream(q *Queue) {
	for _, g := range q.stream.segments {
		if l.done() {
			return
		}
		skip := l.pass(g.len)
		if skip == g.len {
			continue
		}
		first := g.first + uint64(skip)
		if g.records == nil || g.partial {
			l.onDisk(q.disk, first, g.end()-1, true)
			continue
		}
		l.place = first
		for i := skip; i < g.len && !l.done(); i++ {
			l.take(&message.Item{Entry: g.records[i].Entry, Pos: g.first + uint64(i)})
			l.place = g.first + uint64(i) + 1
		}
	}
}

// read returns the messages, with those on disk, up to bodies of most bytes.
func (l *look) read(most int64) (list []Peeked, err error) {
	for i := range l.parts {
		p := &l.parts[i]
		if p.disk != nil && (most <= 0 || err != nil) {
			p.disk.Release()
			continue
		}
		some, more := p.memory, false
		if p.disk != nil {
			some, more, err = p.read(most)
		}
		for j := 0; j < len(some) && most > 0; j++ {
			list = append(list, some[j])
			most -= int64(len(some[j].Body))
		}
		if more {
			most = 0
		}
	}
	return list, err
}

// read reads the messages of a part that are on disk. More is true if it has left out
// some, because bodies have most bytes.
func (p *lookPart) read(most int64) (list []Peeked, more bool, err error) {
	items, more, err := p.disk.Read(p.skip, most)
	if err != nil {
		return nil, false, err
	}
	items = items[:min(p.n, len(items))]
	list = make([]Peeked, len(items))
	for i := range items {
		list[i] = Peeked{items[i], p.place + uint64(p.skip+i)}
		if p.stream {
			list[i].Place = items[i].Pos
		}
	}
	return list, more, nil
}
