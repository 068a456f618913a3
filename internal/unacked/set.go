// Package unacked keeps deliveries that are not settled, by delivery tag.
package unacked

import (
	"iter"
	"math/bits"
	"sync"
	"unsafe"
)

// Tagged is a delivery with its tag.
type Tagged[D any] struct {
	Tag      uint64
	Delivery D
}

// Set keeps a channel's unsettled deliveries by delivery tag. Tags rise, and most
// deliveries are settled soon. So it is a list of blocks of successive tags. A block
// is removed when its last delivery is settled, even if older blocks stay. The newest
// one stays until its tags are over, because who settles each delivery before the next
// comes would empty it again and again.
type Set[D any] struct {
	shared      *Shared[D]
	first, last *block[D]
	blocks      map[uint64]*block[D] // by tag / blockSize
	most        int                  // the most blocks since the map was made
	size        int                  // number of deliveries
}

// Shared is what the sets of all channels use together.
type Shared[D any] struct {
	memory Memory
	blocks sync.Pool // of *block[D]: free ones
}

// Memory counts the bytes of blocks, which stay as large however few deliveries are
// left in them.
type Memory interface{ Keep(n int64) }

// NewShared makes what sets share.
func NewShared[D any](m Memory) *Shared[D] { return &Shared[D]{memory: m} }

// New makes a set. Its blocks are counted until they are empty.
func New[D any](s *Shared[D]) Set[D] { return Set[D]{shared: s} }

// blockSize is the number of tags of a block: one for each bit of block.used.
const blockSize = 32

// block holds deliveries with successive tags.
type block[D any] struct {
	number     uint64 // tag / blockSize
	used       uint32 // bit set: the slot holds a delivery
	slots      [blockSize]D
	prev, next *block[D]
}

// Add adds a delivery under a tag that the set does not have.
func (s *Set[D]) Add(tag uint64, d *D) {
	number := tag / blockSize
	b := s.last
	if b == nil || b.number != number {
		if b = s.blocks[number]; b == nil {
			b = s.grow(number)
		}
	}
	i := tag % blockSize
	b.used |= 1 << i
	b.slots[i] = *d
	s.size++
}

// grow makes the block with the given number and puts it in its place in the list.
func (s *Set[D]) grow(number uint64) *block[D] {
	if s.last != nil && s.last.used == 0 {
		s.unlink(s.last)
	}
	b, ok := s.shared.blocks.Get().(*block[D])
	if !ok {
		b = &block[D]{}
	}
	s.shared.memory.Keep(bytesOf(b))
	b.number = number
	if s.blocks == nil {
		s.blocks = make(map[uint64]*block[D])
	}
	s.blocks[number] = b
	s.most = max(s.most, len(s.blocks))
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

// find returns the block of a tag, or nil if there is none.
func (s *Set[D]) find(tag uint64) *block[D] {
	number := tag / blockSize
	if s.first != nil && s.first.number == number {
		return s.first
	}
	return s.blocks[number]
}

// Has reports whether there is a delivery with the tag.
func (s *Set[D]) Has(tag uint64) bool {
	b := s.find(tag)
	return b != nil && b.used&(1<<(tag%blockSize)) != 0
}

// Find returns the delivery with the tag, until it is removed, or nil.
func (s *Set[D]) Find(tag uint64) *D {
	b := s.find(tag)
	if i := tag % blockSize; b != nil && b.used&(1<<i) != 0 {
		return &b.slots[i]
	}
	return nil
}

// Remove moves the delivery with the tag to d. It reports false if there is none.
func (s *Set[D]) Remove(tag uint64, d *D) bool {
	b := s.find(tag)
	i := tag % blockSize
	if b == nil || b.used&(1<<i) == 0 {
		return false
	}
	*d = b.slots[i]
	b.slots[i] = *new(D)
	b.used &^= 1 << i
	s.size--
	if b.used == 0 && b != s.last {
		s.unlink(b)
	}
	return true
}

// unlink removes an empty block from the list.
func (s *Set[D]) unlink(b *block[D]) {
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
	s.shared.memory.Keep(-bytesOf(b))
	s.shared.blocks.Put(b)
	if s.most > manyBlocks && len(s.blocks) < s.most/8 {
		s.shrink()
	}
}

// bytesOf returns what a block takes, with its entry in the map.
func bytesOf[D any](b *block[D]) int64 { return int64(unsafe.Sizeof(*b)) + 64 }

// manyBlocks is the number of blocks above which a map is made anew when most of them
// have gone, because maps keep their room.
const manyBlocks = 64

func (s *Set[D]) shrink() {
	blocks := make(map[uint64]*block[D], len(s.blocks))
	for number, b := range s.blocks {
		blocks[number] = b
	}
	s.blocks, s.most = blocks, len(blocks)
}

// RemoveTo removes deliveries up to and including tag, appends them to out, the
// oldest first, and returns out. If out has most or more then, there may be others
// left, which a further call removes.
func (s *Set[D]) RemoveTo(tag uint64, out []Tagged[D], most int) []Tagged[D] {
	last := tag / blockSize
	for b := s.first; b != nil && b.number <= last && len(out) < most; {
		next, going := b.next, b.used
		if b.number == last {
			going &= 1<<(tag%blockSize+1) - 1
		}
		s.size -= bits.OnesCount32(going)
		b.used &^= going
		for ; going != 0; going &= going - 1 {
			i := bits.TrailingZeros32(going)
			out = append(out, Tagged[D]{b.number*blockSize + uint64(i), b.slots[i]})
			b.slots[i] = *new(D)
		}
		if b.used == 0 {
			s.unlink(b)
		}
		b = next
	}
	return out
}

// All iterates over the deliveries, the oldest first. The lock that guards the set is
// held meanwhile.
func (s *Set[D]) All() iter.Seq[*D] {
	return func(yield func(*D) bool) {
		for b := s.first; b != nil; b = b.next {
			for used := b.used; used != 0; used &= used - 1 {
				if !yield(&b.slots[bits.TrailingZeros32(used)]) {
					return
				}
			}
		}
	}
}

// Len returns the number of deliveries.
func (s *Set[D]) Len() int { return s.size }
