package store

import (
	"math/bits"
	"slices"
	"sort"
)

// Most messages in a block, and most bytes of its records, unless it has one record.
const (
	blockLen   = 256
	blockBytes = 256 << 10
)

// MostLoaded is how many bytes Load reads at most, unless it reads one message.
const MostLoaded = blockBytes

// block is what is known of a block of a page file: which messages are in it, and which
// of them live. The queue's lock guards what can change.
type block struct {
	first  uint64   // position of the first message
	off    int64    // in the file
	size   uint32   // in the file, with its header
	span   uint32   // from the first position to the last one
	bytes  uint32   // of the bodies
	len    uint16   // messages
	timed  uint16   // of them with a deadline
	deltas []uint32 // positions, from first on; nil: they follow each other
	times  *times   // nil: nobody asked

	left   uint16 // messages that live
	living bitmap // a bit for each message
}

// bitmap has a bit for each message of a block.
type bitmap [blockLen / 64]uint64

func (m *bitmap) has(i int) bool { return m[i/64]>>(i%64)&1 == 1 }
func (m *bitmap) set(i int)      { m[i/64] |= 1 << (i % 64) }
func (m *bitmap) clear(i int)    { m[i/64] &^= 1 << (i % 64) }

func (m *bitmap) count() (n int) {
	for _, w := range m {
		n += bits.OnesCount64(w)
	}
	return n
}

// fill sets the first n bits.
func (m *bitmap) fill(n int) {
	for i := range m {
		switch k := n - 64*i; {
		case k >= 64:
			m[i] = ^uint64(0)
		case k > 0:
			m[i] = 1<<k - 1
		}
	}
}

// times tells when the messages of a block came, in milliseconds of Unix time, and which
// filter values they may have.
type times struct {
	oldest, newest int64
	marks          uint64
}

// add notes one more message.
func (t *times) add(at int64, mark uint64) {
	if t.oldest == 0 || at < t.oldest {
		t.oldest = at
	}
	t.newest = max(t.newest, at)
	t.marks |= mark
}

func (b *block) last() uint64 { return b.first + uint64(b.span) }

// pos is the position of message i.
func (b *block) pos(i int) uint64 {
	if b.deltas == nil {
		return b.first + uint64(i)
	}
	return b.first + uint64(b.deltas[i])
}

// index returns which message has a position; ok is false if none has.
func (b *block) index(pos uint64) (i int, ok bool) {
	if pos < b.first || pos > b.last() {
		return 0, false
	}
	d := uint32(pos - b.first)
	if b.deltas == nil {
		return int(d), true
	}
	return slices.BinarySearch(b.deltas, d)
}

// from returns the first message whose position is not below pos.
func (b *block) from(pos uint64) int {
	if pos <= b.first {
		return 0
	}
	if pos > b.last() {
		return int(b.len)
	}
	d := uint32(pos - b.first)
	if b.deltas == nil {
		return int(d)
	}
	i, _ := slices.BinarySearch(b.deltas, d)
	return i
}

// next returns the position of the first message from pos on that lives.
func (b *block) next(pos uint64) (uint64, bool) {
	if b.left == 0 {
		return 0, false
	}
	for i := b.from(pos); i < int(b.len); {
		if w := b.living[i/64] >> (i % 64); w != 0 {
			return b.pos(i + bits.TrailingZeros64(w)), true
		}
		i = i&^63 + 64
	}
	return 0, false
}

// remove settles the messages from first to last, and returns how many lived.
func (b *block) remove(first, last uint64) (n int) {
	if first <= b.first && b.last() <= last {
		n = int(b.left)
		b.left, b.living = 0, bitmap{}
		return n
	}
	for i := b.from(first); i < int(b.len) && b.pos(i) <= last; i++ {
		if b.living.has(i) {
			b.living.clear(i)
			n++
		}
	}
	b.left -= uint16(n)
	return n
}

// among returns how many messages from first to last live.
func (b *block) among(first, last uint64) (n int) {
	if first <= b.first && b.last() <= last {
		return int(b.left)
	}
	for i := b.from(first); i < int(b.len) && b.pos(i) <= last; i++ {
		if b.living.has(i) {
			n++
		}
	}
	return n
}

// run is the blocks of one queue in a page file, in order of their positions. The
// queue's lock guards it.
type run struct {
	k         *Queue
	page      *page
	level     uint8
	transient bool    // not persistent
	blocks    []block // a part of the page's
	left      int     // messages that live
	filling   bool    // messages are being moved to it
}

func (r *run) first() uint64 { return r.blocks[0].first }
func (r *run) last() uint64  { return r.blocks[len(r.blocks)-1].last() }

// find returns the first block that ends at pos or behind it.
func (r *run) find(pos uint64) int {
	return sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].last() >= pos })
}

// next returns the first message from pos on that lives, and its block.
func (r *run) next(pos uint64) (at uint64, b *block) {
	if r.left == 0 {
		return 0, nil
	}
	for i := r.find(pos); i < len(r.blocks); i++ {
		if at, ok := r.blocks[i].next(pos); ok {
			return at, &r.blocks[i]
		}
	}
	return 0, nil
}

// has reports whether a message lives.
func (r *run) has(pos uint64) bool {
	if i := r.find(pos); i < len(r.blocks) {
		b := &r.blocks[i]
		at, ok := b.index(pos)
		return ok && b.living.has(at)
	}
	return false
}

// remove settles the messages from first to last, and returns how many lived.
func (r *run) remove(first, last uint64) (n int) {
	if r.left == 0 {
		return 0
	}
	if first <= r.first() && r.last() <= last && !r.filling {
		n = r.left // its blocks do not matter any more
	} else {
		for i := r.find(first); i < len(r.blocks) && r.blocks[i].first <= last; i++ {
			n += r.blocks[i].remove(first, last)
		}
	}
	r.left -= n
	return n
}

// among returns how many messages from first to last live.
func (r *run) among(first, last uint64) (n int) {
	if first <= r.first() && r.last() <= last {
		return r.left
	}
	for i := r.find(first); i < len(r.blocks) && r.blocks[i].first <= last; i++ {
		n += r.blocks[i].among(first, last)
	}
	return n
}
