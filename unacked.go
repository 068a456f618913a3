package warren

import (
	"math/bits"
	"time"
)

// delivered is a message that was given out and waits to be settled.
type delivered struct {
	item
	queue    *queue
	consumer *consumer // nil: Get
	timeout  time.Duration
	due      int64 // when it must be settled, after timeout; zero: at no time
}

// unackedSet keeps a channel's unsettled deliveries by delivery tag. Tags rise
// and most are settled soon, so it is a list of blocks of successive tags; a
// block goes when its last delivery is settled, however old its neighbours
// are.
type unackedSet struct {
	first, last *unackedBlock
	blocks      map[uint64]*unackedBlock // by tag / unackedBlockSize
	spare       *unackedBlock            // the first of some that are free
	spares      int
	len         int
}

// maxSpares bounds the free blocks that are kept: a consumer with a prefetch of
// a thousand settles half of them at once.
const maxSpares = 16

const unackedBlockSize = 32

type unackedBlock struct {
	number     uint64 // tag / unackedBlockSize
	used       uint32 // bit set: the slot holds a delivery
	slots      [unackedBlockSize]delivered
	prev, next *unackedBlock
}

// add puts d in under tag, which is not there yet.
func (s *unackedSet) add(tag uint64, d *delivered) {
	number := tag / unackedBlockSize
	b := s.last
	if b == nil || b.number != number {
		if b = s.blocks[number]; b == nil {
			b = s.grow(number)
		}
	}
	i := tag % unackedBlockSize
	b.used |= 1 << i
	b.slots[i] = *d
	s.len++
}

// grow makes the block with the given number and puts it in its place.
func (s *unackedSet) grow(number uint64) *unackedBlock {
	b := s.spare
	if b == nil {
		b = &unackedBlock{}
	} else {
		s.spare = b.next
		s.spares--
	}
	b.number = number
	if s.blocks == nil {
		s.blocks = make(map[uint64]*unackedBlock)
	}
	s.blocks[number] = b
	after := s.last
	for after != nil && after.number > number {
		after = after.prev
	}
	b.prev = after
	if after == nil {
		b.next, s.first = s.first, b
	} else {
		b.next, after.next = after.next, b
	}
	if b.next == nil {
		s.last = b
	} else {
		b.next.prev = b
	}
	return b
}

func (s *unackedSet) block(tag uint64) *unackedBlock {
	number := tag / unackedBlockSize
	if s.first != nil && s.first.number == number {
		return s.first
	}
	return s.blocks[number]
}

func (s *unackedSet) has(tag uint64) bool {
	b := s.block(tag)
	return b != nil && b.used&(1<<(tag%unackedBlockSize)) != 0
}

// remove takes the delivery with the tag out, into d, and reports false if there
// is none.
func (s *unackedSet) remove(tag uint64, d *delivered) bool {
	b := s.block(tag)
	i := tag % unackedBlockSize
	if b == nil || b.used&(1<<i) == 0 {
		return false
	}
	*d = b.slots[i]
	b.slots[i] = delivered{}
	b.used &^= 1 << i
	s.len--
	if b.used == 0 {
		s.unlink(b)
	}
	return true
}

func (s *unackedSet) unlink(b *unackedBlock) {
	if b.prev == nil {
		s.first = b.next
	} else {
		b.prev.next = b.next
	}
	if b.next == nil {
		s.last = b.prev
	} else {
		b.next.prev = b.prev
	}
	delete(s.blocks, b.number)
	b.prev, b.next = nil, nil
	if s.spares < maxSpares {
		b.next, s.spare = s.spare, b
		s.spares++
	}
}

// removeTo takes out all deliveries up to and including tag, oldest first, and
// appends them to out.
func (s *unackedSet) removeTo(tag uint64, out []settling) []settling {
	last := tag / unackedBlockSize
	for b := s.first; b != nil && b.number <= last; {
		next, going := b.next, b.used
		if b.number == last {
			going &= 1<<(tag%unackedBlockSize+1) - 1
		}
		s.len -= bits.OnesCount32(going)
		b.used &^= going
		for ; going != 0; going &= going - 1 {
			i := bits.TrailingZeros32(going)
			out = append(out, settling{b.number*unackedBlockSize + uint64(i), b.slots[i]})
			b.slots[i] = delivered{}
		}
		if b.used == 0 {
			s.unlink(b)
		}
		b = next
	}
	return out
}

// nextDue is the delivery that must be settled first; nil: none must.
func (s *unackedSet) nextDue() (next *delivered) {
	for b := s.first; b != nil; b = b.next {
		for used := b.used; used != 0; used &= used - 1 {
			d := &b.slots[bits.TrailingZeros32(used)]
			if d.due != 0 && (next == nil || d.due < next.due) {
				next = d
			}
		}
	}
	return next
}

// unsettled is a message that goes back before it got a tag.
func unsettled(it item) settling { return settling{delivered: delivered{item: it}} }

// settling is a delivery on its way out, with the tag it had.
type settling struct {
	tag uint64
	delivered
}
