package store

import (
	"cmp"
	"iter"
	"math"
	"math/bits"
	"slices"
	"sort"
)

// Count tells of messages how many there are and what their bodies hold.
type Count struct {
	Len   int   // messages
	Bytes int64 // of their bodies
	Timed int   // messages with a deadline
}

func (c *Count) sum(o Count) {
	c.Len += o.Len
	c.Bytes += o.Bytes
	c.Timed += o.Timed
}

// BlockInfo tells of a few messages that follow each other, without reading them.
type BlockInfo struct {
	First, Last uint64 // positions
	Count       Count  // of those that live
	Oldest      int64  // when the first message came, on the clock; zero: nobody asked
	Newest      int64  // when the last one came
	Marks       uint64 // union of [Mark] of all filter values; those that are settled count, too
}

// Next returns the first position of a level that was never given to a message. After a
// restart the engine goes on with it.
func (k *Queue) Next(level uint8) uint64 {
	if l := k.lane(uint64(level) << levelShift); l != nil {
		return l.next
	}
	return uint64(level) << levelShift
}

// Levels returns the levels that have or had messages, the lowest first.
func (k *Queue) Levels() []uint8 {
	levels := make([]uint8, len(k.lanes))
	for i, l := range k.lanes {
		levels[i] = l.level
	}
	return levels
}

// Out tells how many messages of a level were on disk when the store was opened: all
// that the engine has to load. First and last are their lowest and highest positions.
func (k *Queue) Out(level uint8) (first, last uint64, c Count) {
	if l := k.lane(uint64(level) << levelShift); l != nil && l.out != nil {
		return l.out.first, l.out.last, l.out.count
	}
	return 0, 0, Count{}
}

// Paged returns how many messages from first to last, of the same level, are in page
// files, so that the engine may drop them from memory, and load them again.
func (k *Queue) Paged(first, last uint64) int {
	if l := k.lane(first); l != nil {
		return l.paged(first, last)
	}
	return 0
}

// Blocks tells of the messages of a level that are in page files, and of those that were
// in the log when the store was opened, in order: blocks that end at the position from or
// behind it. Whoever ranges over them may remove messages meanwhile.
func (k *Queue) Blocks(level uint8, from uint64) iter.Seq[BlockInfo] {
	return func(yield func(BlockInfo) bool) {
		l := k.lane(uint64(level) << levelShift)
		if l == nil {
			return
		}
		if !l.overlaps {
			l.blocks(k.store, from, yield)
			return
		}
		var all []BlockInfo
		for _, r := range l.runs {
			for i := r.find(from); r.left > 0 && i < len(r.blocks); i++ {
				if b := &r.blocks[i]; b.left > 0 {
					all = append(all, b.info(k.store))
				}
			}
		}
		for _, p := range l.log.list {
			if p.wasFound() && p.first+pieceLen > from {
				all = append(all, p.info(k.store))
			}
		}
		for _, b := range joinBlocks(all) {
			if !yield(b) {
				return
			}
		}
	}
}

// blocks is Blocks for runs that do not overlap.
func (l *lane) blocks(s *Store, from uint64, yield func(BlockInfo) bool) {
	for {
		b := l.blockFrom(from)
		if b == nil {
			break
		}
		from = b.last() + 1
		if !yield(b.info(s)) {
			return
		}
	}
	for {
		i, _ := l.log.find(from)
		for i < len(l.log.list) && !l.log.list[i].wasFound() {
			i++
		}
		if i == len(l.log.list) {
			return
		}
		p := l.log.list[i]
		from = p.first + pieceLen
		if !yield(p.info(s)) {
			return
		}
	}
}

// blockFrom returns the first block in which something lives and that ends at from or
// behind it.
func (l *lane) blockFrom(from uint64) *block {
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].last() >= from })
	for ; i < len(l.runs); i++ {
		r := l.runs[i]
		for j := r.find(from); r.left > 0 && j < len(r.blocks); j++ {
			if b := &r.blocks[j]; b.left > 0 {
				return b
			}
		}
	}
	return nil
}

// wasFound reports whether Open has found messages of the piece that still live.
func (p *piece) wasFound() bool { return p.found != nil && p.living&p.found.which != 0 }

// joinBlocks sorts blocks, and makes one of those that overlap.
func joinBlocks(all []BlockInfo) []BlockInfo {
	slices.SortFunc(all, func(a, b BlockInfo) int { return cmp.Compare(a.First, b.First) })
	n := 0
	for i := range all {
		if n == 0 || all[i].First > all[n-1].Last {
			all[n] = all[i]
			n++
			continue
		}
		last, o := &all[n-1], &all[i]
		last.Last = max(last.Last, o.Last)
		last.Count.sum(o.Count)
		last.Oldest, last.Newest, last.Marks = min(last.Oldest, o.Oldest), max(last.Newest, o.Newest), last.Marks|o.Marks
	}
	return all[:n]
}

func (b *block) info(s *Store) BlockInfo {
	i := BlockInfo{First: b.first, Last: b.last(), Count: Count{Len: int(b.left), Bytes: int64(b.bytes), Timed: int(b.timed)}}
	if b.times != nil {
		i.setTimes(b.times, s)
	}
	return i
}

// info tells of a piece of the log that was found by Open.
func (p *piece) info(s *Store) BlockInfo {
	living := p.living & p.found.which
	i := BlockInfo{First: p.first + uint64(bits.TrailingZeros64(living)), Last: p.first + uint64(bits.Len64(living)) - 1}
	for m := living; m != 0; m &= m - 1 {
		i.Count.add(p.found.sizes[bits.TrailingZeros64(m)])
	}
	i.setTimes(&p.found.times, s)
	return i
}

func (i *BlockInfo) setTimes(t *times, s *Store) {
	i.Oldest, i.Newest, i.Marks = s.clockOf(t.oldest), s.clockOf(t.newest), t.marks
}

// countOut sets what Out tells. sizes gives those of a run's messages. It is called by
// Open.
func (l *lane) countOut(sizes func(r *run) []size) {
	o := out{first: math.MaxUint64}
	for _, r := range l.runs {
		if r.left == 0 {
			continue
		}
		first, _ := r.next(0)
		o.first, o.last = min(o.first, first), max(o.last, r.last())
		var of []size
		at := 0
		for i := range r.blocks {
			b := &r.blocks[i]
			if b.left > 0 && b.left < b.len && of == nil {
				of = sizes(r)
			}
			if b.left > 0 {
				o.count.sum(b.count(of, at))
			}
			at += int(b.len)
		}
	}
	l.log.each(0, math.MaxUint64, func(pos uint64, p *piece, i int) bool {
		o.first, o.last = min(o.first, pos), max(o.last, pos)
		o.count.add(p.found.sizes[i])
		return true
	})
	if o.count.Len > 0 {
		l.out = &o
	}
}

// count counts the messages that live. Of are the sizes of the run's messages, of which
// the block's begin at an index; they are needed if some do not live.
func (b *block) count(of []size, at int) Count {
	if b.left == b.len {
		return Count{int(b.len), int64(b.bytes), int(b.timed)}
	}
	var c Count
	for i := range int(b.len) {
		if b.living.has(i) {
			c.add(of[at+i])
		}
	}
	b.bytes, b.timed = uint32(c.Bytes), uint16(c.Timed)
	return c
}
