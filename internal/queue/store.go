package queue

import (
	"math/bits"
	"sync"

	"github.com/warrenmq/warren/internal/message"
)

// store is where a queue keeps its ready messages: on one shelf, or on one for
// each priority. It is guarded by the queue's lock.
//
// A message enters at the tail by push and gets a position. It leaves from the
// head by shift and is then the consumer's, until requeue brings it back to its
// old place.
type store struct {
	shelf          // of a queue without priorities
	levels *levels // nil: the queue has no priorities
	bytes  int64   // of the bodies
	timed  int     // messages with a deadline
}

func (s *store) len() int {
	if s.levels != nil {
		return s.levels.len
	}
	return s.shelf.len()
}

// level is the shelf for messages of a priority.
func (s *store) level(priority uint8) *shelf {
	if s.levels != nil {
		return s.levels.at(priority)
	}
	return &s.shelf
}

// pass gives a position to a message that is handed over without being kept.
// Nothing must be ready.
func (s *store) pass(priority uint8) uint64 {
	l := s.level(priority)
	l.next++
	return l.next - 1
}

// push keeps a message. A deadline of zero is none.
func (s *store) push(e *message.Entry, priority uint8, deadline int64) {
	if s.levels == nil {
		s.shelf.push(e, deadline)
	} else {
		l := s.levels.at(priority)
		l.push(e, deadline)
		s.levels.added(l)
	}
	s.came(e, deadline)
}

// shift takes the first message, into it, which is zero. There must be one.
func (s *store) shift(it *message.Item) {
	if s.levels == nil {
		s.shelf.shift(it)
	} else {
		l := s.levels.top()
		l.shift(it)
		s.levels.removed(l)
	}
	s.bytes -= int64(len(it.Body))
	if it.Deadline != 0 {
		s.timed--
	}
}

// requeue brings a message back to its old place.
func (s *store) requeue(it *message.Item) {
	if s.levels == nil {
		s.returned.push(it)
	} else {
		l := &s.levels.shelves[it.Pos>>levelShift]
		l.returned.push(it)
		s.levels.added(l)
	}
	s.came(&it.Entry, it.Deadline)
}

func (s *store) came(e *message.Entry, deadline int64) {
	s.bytes += int64(len(e.Body))
	if deadline != 0 {
		s.timed++
	}
}

// deadline is that of the first message; zero if it has none. There must be a
// message.
func (s *store) deadline() int64 {
	if s.levels != nil {
		return s.levels.top().deadline()
	}
	return s.shelf.deadline()
}

// levels are the shelves of a priority queue. The level of a message is the
// top of its position, so that positions are unique in the queue.
type levels struct {
	shelves []shelf
	filled  [4]uint64 // bit set: the shelf has messages
	len     int       // messages on all shelves
}

const levelShift = 56

// newLevels makes shelves for the priorities from 0 to most.
func newLevels(most uint8, pool *sync.Pool) *levels {
	l := &levels{shelves: make([]shelf, int(most)+1)}
	for i := range l.shelves {
		l.shelves[i].pool = pool
		l.shelves[i].next = uint64(i) << levelShift
	}
	return l
}

// at is the shelf of a priority: one that is too high counts as the highest.
func (l *levels) at(priority uint8) *shelf {
	return &l.shelves[min(int(priority), len(l.shelves)-1)]
}

// top is the shelf that is served first. There must be a message.
func (l *levels) top() *shelf {
	for i := len(l.filled) - 1; i >= 0; i-- {
		if w := l.filled[i]; w != 0 {
			return &l.shelves[i*64+bits.Len64(w)-1]
		}
	}
	return &l.shelves[0]
}

func (l *levels) added(s *shelf) {
	i := s.next >> levelShift
	l.filled[i/64] |= 1 << (i % 64)
	l.len++
}

func (l *levels) removed(s *shelf) {
	if s.len() == 0 {
		i := s.next >> levelShift
		l.filled[i/64] &^= 1 << (i % 64)
	}
	l.len--
}
