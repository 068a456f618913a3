package queue

import "github.com/warrenmq/warren/internal/message"

// backlog keeps the ready messages of a queue: on one shelf, or on one for each
// priority. The queue's lock guards it.
//
// Push adds a message at the tail and gives it a position. Shift takes one out at
// the head, for a consumer. Requeue puts it back in its old place.
type backlog struct {
	shelf          // used by a queue without priorities
	levels *levels // nil: the queue has no priorities
	bytes  int64   // of the bodies
	timed  int     // number of messages with a deadline
}

func (s *backlog) len() int {
	if s.levels != nil {
		return s.levels.len
	}
	return s.shelf.len()
}

// isEmpty reports whether there is no message. It is asked for each message, and mostly
// answers at a glance.
func (s *backlog) isEmpty() bool { return s.ready == 0 && s.hasNoOthers() }

// hasNoOthers reports whether there is no message but in the chunks of the shelf.
func (s *backlog) hasNoOthers() bool {
	return s.out == nil && s.returned.many == nil && len(s.returned.few) == 0 && s.levels == nil || s.len() == s.ready
}

// position returns the position that the next message of a priority gets.
func (s *backlog) position(priority uint8) uint64 {
	if s.levels != nil {
		return s.levels.position(priority)
	}
	return s.next
}

// pass returns the position of a message that is delivered without being stored. No
// message may be ready.
func (s *backlog) pass(priority uint8) uint64 {
	if s.levels != nil {
		return s.levels.pass(priority)
	}
	s.next++
	return s.next - 1
}

// push adds a message. A deadline of zero is none.
func (s *backlog) push(e *message.Entry, priority uint8, deadline int64) {
	if s.levels == nil {
		s.shelf.push(e, deadline)
	} else {
		s.levels.at(priority).push(e, deadline)
		s.levels.added()
	}
	s.count(e, deadline)
}

// shift moves the first message to it, which must be zero. There must be a message.
func (s *backlog) shift(it *message.Item) {
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
func (s *backlog) takeAll() (all backlog) {
	all = *s
	*s = backlog{shelf: s.emptied()}
	if all.levels != nil {
		s.levels = all.levels.emptied()
	}
	return all
}

// requeue puts a message back in its old place.
func (s *backlog) requeue(it *message.Item) {
	if s.levels == nil {
		s.returned.push(it)
	} else {
		s.levels.at(uint8(it.Pos >> levelShift)).returned.push(it)
		s.levels.added()
	}
	s.count(&it.Entry, it.Deadline)
}

// adopt puts the messages of a run, which are of one level, back in their old places.
func (s *backlog) adopt(r *run) {
	if s.levels == nil {
		s.returned.adopt(r)
	} else {
		s.levels.at(uint8(r.first().Pos >> levelShift)).returned.adopt(r)
		s.levels.len += r.len
	}
	s.bytes += r.bytes
	s.timed += r.timed
}

// count adds a message to bytes and timed.
func (s *backlog) count(e *message.Entry, deadline int64) {
	s.bytes += int64(len(e.Body))
	if deadline != 0 {
		s.timed++
	}
}

// deadline returns the deadline of the first message; zero means none. There must be
// a message.
func (s *backlog) deadline() int64 {
	if s.levels != nil {
		return s.levels.top().deadline()
	}
	return s.shelf.deadline()
}
