package queue

import (
	"math/bits"

	"github.com/warrenmq/warren/internal/message"
)

// store keeps the ready messages of a queue: on one shelf, or on one for each
// priority. The queue's lock guards it.
//
// Push adds a message at the tail and gives it a position. Shift takes one out at
// the head, for a consumer. Requeue puts it back in its old place.
type store struct {
	shelf          // used by a queue without priorities
	levels *levels // nil: the queue has no priorities
	bytes  int64   // of the bodies
	timed  int     // number of messages with a deadline
}

func (s *store) len() int {
	if s.levels != nil {
		return s.levels.len
	}
	return s.shelf.len()
}

// level returns the shelf for messages of a priority.
func (s *store) level(priority uint8) *shelf {
	if s.levels != nil {
		return s.levels.at(priority)
	}
	return &s.shelf
}

// pass returns the position of a message that is delivered without being stored. No
// message may be ready.
func (s *store) pass(priority uint8) uint64 {
	l := s.level(priority)
	l.next++
	return l.next - 1
}

// push adds a message. A deadline of zero is none.
func (s *store) push(e *message.Entry, priority uint8, deadline int64) {
	if s.levels == nil {
		s.shelf.push(e, deadline)
	} else {
		l := s.levels.at(priority)
		l.push(e, deadline)
		s.levels.added(l)
	}
	s.count(e, deadline)
}

// shift moves the first message to it, which must be zero. There must be a message.
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

// takeAll takes all messages out. Later messages get later positions than these.
func (s *store) takeAll() (all store) {
	all = *s
	*s = store{shelf: s.emptied()}
	if all.levels != nil {
		s.levels = &levels{shelves: make([]shelf, len(all.levels.shelves))}
		for i := range s.levels.shelves {
			s.levels.shelves[i] = all.levels.shelves[i].emptied()
		}
	}
	return all
}

// requeue puts a message back in its old place.
func (s *store) requeue(it *message.Item) {
	if s.levels == nil {
		s.returned.push(it)
	} else {
		l := &s.levels.shelves[it.Pos>>levelShift]
		l.returned.push(it)
		s.levels.added(l)
	}
	s.count(&it.Entry, it.Deadline)
}

// count adds a message to bytes and timed.
func (s *store) count(e *message.Entry, deadline int64) {
	s.bytes += int64(len(e.Body))
	if deadline != 0 {
		s.timed++
	}
}

// deadline returns the deadline of the first message; zero means none. There must be
// a message.
func (s *store) deadline() int64 {
	if s.levels != nil {
		return s.levels.top().deadline()
	}
	return s.shelf.deadline()
}

// levels are the shelves of a queue with priorities. The highest bits of a message's
// position are its level, so that positions are unique in the queue.
type levels struct {
	shelves []shelf
	filled  [4]uint64 // bit set: the shelf has messages
	len     int       // messages on all shelves
}

// levelShift is the number of bits of a position below the level.
const levelShift = 56

// newLevels makes shelves for the priorities from 0 to most.
func newLevels(most uint8, shared *Shared) *levels {
	l := &levels{shelves: make([]shelf, int(most)+1)}
	for i := range l.shelves {
		l.shelves[i].shared = shared
		l.shelves[i].next = uint64(i) << levelShift
	}
	return l
}

// at returns the shelf of a priority. A priority that is too high counts as the
// highest.
func (l *levels) at(priority uint8) *shelf {
	return &l.shelves[min(int(priority), len(l.shelves)-1)]
}

// top returns the shelf of the highest priority that has messages. There must be a
// message.
func (l *levels) top() *shelf {
	for i := len(l.filled) - 1; i >= 0; i-- {
		if w := l.filled[i]; w != 0 {
			return &l.shelves[i*64+bits.Len64(w)-1]
		}
	}
	return &l.shelves[0]
}

// added notes that a message was added to a shelf.
func (l *levels) added(s *shelf) {
	i := s.next >> levelShift
	l.filled[i/64] |= 1 << (i % 64)
	l.len++
}

// removed notes that a message was taken out of a shelf.
func (l *levels) removed(s *shelf) {
	if s.len() == 0 {
		i := s.next >> levelShift
		l.filled[i/64] &^= 1 << (i % 64)
	}
	l.len--
}
