package store

import (
	"math/bits"
	"slices"

	"github.com/warrenmq/warren/internal/journal"
)

// piece is which of up to 64 successive positions have a message that lives in the log,
// and where there. The queue's lock guards it.
type piece struct {
	first     uint64 // a multiple of pieceLen
	living    uint64 // a bit for each position
	shared    uint64 // messages whose content others refer to, so that they must be written
	transient uint64 // messages that are not persistent
	seqs      []journal.Seq
	found     *found // what replay has seen; nil: nothing
}

const pieceLen = 64

// found is what replay has seen of a piece's messages.
type found struct {
	which uint64 // a bit for each message
	sizes []size // of the bodies, as seqs
	times times
}

// size is the length of a body, times two, and one if the message has a deadline.
type size uint64

func newSize(body, timed int) size { return size(body)<<1 | size(timed) }

func (c *Count) add(s size) {
	c.Len++
	c.Bytes += int64(s >> 1)
	c.Timed += int(s & 1)
}

// pieces are a lane's, by their first positions. Only the last one may be empty.
type pieces struct {
	list  []*piece
	spare *piece // empty, to be used next; nil: none
}

// find returns where the piece of a position is or belongs, and the piece if there is one.
func (l *pieces) find(pos uint64) (i int, p *piece) {
	first := pos &^ (pieceLen - 1)
	n := len(l.list)
	if n == 0 {
		return 0, nil
	}
	if last := l.list[n-1]; last.first <= first {
		if last.first == first {
			return n - 1, last
		}
		return n, nil
	}
	if head := l.list[0].first; first >= head { // as a rule there are no gaps
		if g := (first - head) / pieceLen; g < uint64(n) && l.list[g].first == first {
			return int(g), l.list[g]
		}
	}
	i, ok := slices.BinarySearchFunc(l.list, first, func(p *piece, first uint64) int {
		if p.first < first {
			return -1
		}
		if p.first > first {
			return 1
		}
		return 0
	})
	if !ok {
		return i, nil
	}
	return i, l.list[i]
}

// at returns the piece of a position, which it makes if need be.
func (l *pieces) at(pos uint64) *piece {
	if n := len(l.list); n > 0 {
		if p := l.list[n-1]; pos-p.first < pieceLen {
			return p
		}
	}
	return l.grow(pos)
}

// grow is at for a position that is not of the last piece.
func (l *pieces) grow(pos uint64) *piece {
	i, p := l.find(pos)
	if p != nil {
		return p
	}
	first := pos &^ (pieceLen - 1)
	n := len(l.list)
	if i == n && n > 0 && l.list[n-1].living == 0 {
		p = l.list[n-1]
		p.reset(first)
		return p
	}
	if p = l.spare; p != nil {
		l.spare = nil
		p.reset(first)
	} else {
		p = &piece{first: first}
		if n > 0 && len(l.list[n-1].seqs) == pieceLen {
			p.seqs = make([]journal.Seq, 0, pieceLen)
		}
	}
	l.list = slices.Insert(l.list, i, p)
	return p
}

func (p *piece) reset(first uint64) { *p = piece{first: first, seqs: p.seqs[:0]} }

// put notes where a message is.
func (l *pieces) put(pos uint64, seq journal.Seq, flags byte) {
	p := l.at(pos)
	i := int(pos - p.first)
	for len(p.seqs) < i {
		p.seqs = append(p.seqs, 0)
	}
	if len(p.seqs) == i {
		p.seqs = append(p.seqs, seq)
	} else {
		p.seqs[i] = seq
	}
	bit := uint64(1) << i
	if p.living == 0 {
		p.found = nil
	} else if p.found != nil {
		p.found.which &^= bit
	}
	p.living |= bit
	p.shared &^= bit
	p.transient &^= bit
	if flags&isShared != 0 {
		p.shared |= bit
	}
	if flags&isPersistent == 0 {
		p.transient |= bit
	}
}

// where returns the record of a message, or 0.
func (l *pieces) where(pos uint64) journal.Seq {
	_, p := l.find(pos)
	if p == nil || p.living>>(pos-p.first)&1 == 0 {
		return 0
	}
	return p.seqs[pos-p.first]
}

// take takes a message out. Its record, which may be 0, has the place's flags.
func (l *pieces) take(pos uint64) (seq journal.Seq, flags byte) {
	at, p := l.find(pos)
	if p == nil {
		return 0, 0
	}
	i := pos - p.first
	bit := uint64(1) << i
	if p.living&bit == 0 {
		return 0, 0
	}
	seq = p.seqs[i]
	if p.shared&bit != 0 {
		flags |= isShared
	}
	if p.transient&bit == 0 {
		flags |= isPersistent
	}
	if p.living &^= bit; p.living == 0 {
		l.emptied(at)
	}
	return seq, flags
}

// emptied takes a piece that has no messages off the list, unless it is the last one.
func (l *pieces) emptied(at int) {
	if at == len(l.list)-1 {
		return
	}
	l.spare = l.list[at]
	if at == 0 {
		l.list[0] = nil
		l.list = l.list[1:]
		return
	}
	l.list = slices.Delete(l.list, at, at+1)
}

// takeRange takes all messages from first to last out. It returns how many they are, and
// how many of them are persistent.
func (l *pieces) takeRange(first, last uint64) (n, persistent int) {
	from, _ := l.find(first)
	to := from
	for ; to < len(l.list) && l.list[to].first <= last; to++ {
		p := l.list[to]
		gone := p.living & p.mask(first, last)
		n += bits.OnesCount64(gone)
		persistent += bits.OnesCount64(gone &^ p.transient)
		p.living &^= gone
	}
	if to == len(l.list) {
		to--
	}
	if from < to {
		kept := slices.DeleteFunc(l.list[from:to], func(p *piece) bool { return p.living == 0 })
		l.list = slices.Delete(l.list, from+len(kept), to)
	}
	return n, persistent
}

// mask has the bits of the positions from first to last.
func (p *piece) mask(first, last uint64) uint64 {
	m := ^uint64(0)
	if first > p.first {
		m <<= min(first-p.first, pieceLen)
	}
	if last < p.first {
		return 0
	}
	if end := last - p.first; end < pieceLen-1 {
		m &= 1<<(end+1) - 1
	}
	return m
}

// each calls f for the messages from first to last, in order, until it returns false.
func (l *pieces) each(first, last uint64, f func(pos uint64, p *piece, i int) bool) {
	from, _ := l.find(first)
	for ; from < len(l.list) && l.list[from].first <= last; from++ {
		p := l.list[from]
		for m := p.living & p.mask(first, last); m != 0; m &= m - 1 {
			i := bits.TrailingZeros64(m)
			if !f(p.first+uint64(i), p, i) {
				return
			}
		}
	}
}
