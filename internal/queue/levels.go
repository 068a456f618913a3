package queue

import "slices"

// levels are the shelves of a queue with priorities. The highest bits of a message's
// position are its level, so that positions are unique in the queue.
//
// There are shelves for those levels only that have messages. A level gets a new
// shelf with positions after all that were ever given.
type levels struct {
	most    uint8 // the highest level
	shared  *Shared
	shelves []*shelf // with messages, the lowest level first
	spare   *shelf   // without messages, to be used next; nil: none
	next    uint64   // for the positions of a new shelf, without the level
	len     int      // messages on all shelves
}

// levelShift is the number of bits of a position below the level.
const levelShift = 56

// manyLevels is how many shelves a queue may have room for that has no messages.
const manyLevels = 16

// newLevels makes levels for the priorities from 0 to most.
func newLevels(most uint8, shared *Shared) *levels { return &levels{most: most, shared: shared} }

// level returns the level of s.
func (s *shelf) level() uint8 { return uint8(s.next >> levelShift) }

// find returns where the shelf of a level is or belongs, and whether it is there.
func (l *levels) find(level uint8) (i int, ok bool) {
	for i = len(l.shelves); i > 0; i-- {
		if have := l.shelves[i-1].level(); have <= level {
			if have == level {
				return i - 1, true
			}
			break
		}
	}
	return i, false
}

// at returns the shelf of a level, which it makes if need be. A level that is too high
// counts as the highest. The caller adds a message to it, and calls added.
func (l *levels) at(level uint8) *shelf {
	level = min(level, l.most)
	i, ok := l.find(level)
	if ok {
		return l.shelves[i]
	}
	s := l.spare
	l.spare = nil
	if s == nil {
		s = &shelf{shared: l.shared}
	}
	s.next = uint64(level)<<levelShift | l.next
	l.shelves = slices.Insert(l.shelves, i, s)
	return s
}

// position returns the position that the next message of a level gets.
func (l *levels) position(level uint8) uint64 {
	level = min(level, l.most)
	if i, ok := l.find(level); ok {
		return l.shelves[i].next
	}
	return uint64(level)<<levelShift | l.next
}

// pass is store.pass.
func (l *levels) pass(level uint8) uint64 {
	pos := l.position(level)
	l.next++
	return pos
}

// top returns the shelf of the highest level that has messages. There must be a
// message.
func (l *levels) top() *shelf { return l.shelves[len(l.shelves)-1] }

// added notes that a message was added.
func (l *levels) added() { l.len++ }

// removed notes that a message was taken out of the top shelf.
func (l *levels) removed(s *shelf) {
	l.len--
	if s.len() > 0 {
		return
	}
	last := len(l.shelves) - 1
	l.shelves[last] = nil
	l.shelves = l.shelves[:last]
	l.vacated(s)
}

// dropped notes that n messages of a shelf are no more.
func (l *levels) dropped(s *shelf, n int) {
	l.len -= n
	if i, ok := l.find(s.level()); ok && s.len() == 0 {
		l.shelves = slices.Delete(l.shelves, i, i+1)
		l.vacated(s)
	}
}

// vacated makes a shelf that is off the list, and has no messages, the one to be used
// next.
func (l *levels) vacated(s *shelf) {
	if len(l.shelves) == 0 && cap(l.shelves) > manyLevels {
		l.shelves = nil
	}
	l.retire(s)
	l.spare = s
}

// retire notes the positions of a shelf that is not used any more.
func (l *levels) retire(s *shelf) { l.next = max(l.next, s.next&(1<<levelShift-1)) }

// emptied returns levels without messages that go on with later positions.
func (l *levels) emptied() *levels {
	e := &levels{most: l.most, shared: l.shared, next: l.next}
	for _, s := range l.shelves {
		e.retire(s)
	}
	return e
}
