package store

import (
	"slices"

	"github.com/warrenmq/warren/internal/message"
)

// Taker is the engine of a queue.
type Taker interface {
	// Loaded gives what Load has read. It is called with no lock held, once for each
	// Load that has returned true. Before it uses the block's items the engine takes its
	// lock and calls Queue.Keep.
	Loaded(b *Block)
	// Paged says that more of the queue's messages are in page files now: see
	// Queue.Paged. It is called with no lock held.
	Paged()
}

// Block is what Load has read: all messages that live from First to Last, in order.
type Block struct {
	First, Last uint64 // positions, of the same level
	Items       []message.Item
	Times       []int64 // when the messages came, on the clock; zero: nobody asked
	Count       Count   // of the messages that were known to be there, read or not
	// Damage is why messages are missing: they cannot be read, and are given up. The
	// store has told its logger.
	Damage error
}

// plan is what to read for a Load.
type plan struct {
	k           *Queue
	asked       uint64 // last position that was asked for
	first, last uint64
	blocks      []planBlock
	records     []planRecord
	seen        uint64 // lower positions count as redelivered
}

// planBlock is a block to read, in a page file that is kept open.
type planBlock struct {
	run    *run
	block  *block
	living bitmap
}

// planRecord is a record of the log to read.
type planRecord struct {
	pos uint64
	seq Seq
}

// Load starts to read messages from first to last, which are of the same level: a block
// of them from the first one on that lives. It returns false, and the taker is told
// nothing, if there is none.
func (k *Queue) Load(first, last uint64) bool {
	p := k.plan(first, last)
	if p == nil {
		return false
	}
	k.store.loads.add(p)
	return true
}

// plan finds what to read. It is nil if nothing lives.
func (k *Queue) plan(first, last uint64) *plan {
	l := k.lane(first)
	if l == nil {
		return nil
	}
	at, b := l.nextPaged(first, last)
	p := &plan{k: k, asked: last, first: first, last: last, seen: l.seen}
	end := last
	if b != nil {
		end = min(last, at-1)
		p.last = min(last, b.last())
	}
	n := 0
	if b == nil || at > first {
		l.log.each(first, end, func(pos uint64, pc *piece, i int) bool {
			p.records = append(p.records, planRecord{pos, pc.seqs[i]})
			if n++; n == blockLen {
				p.last = pos
			}
			return n < blockLen
		})
	}
	if n > 0 && b != nil && n < blockLen { // up to the block
		p.last = at - 1
	}
	if n > 0 {
		return p
	}
	if b == nil {
		return nil
	}
	for _, r := range l.runs {
		if r.left > 0 && r.first() <= p.last && r.last() >= at {
			p.addBlocks(r, at)
		}
	}
	l.log.each(at, p.last, func(pos uint64, pc *piece, i int) bool {
		p.records = append(p.records, planRecord{pos, pc.seqs[i]})
		return true
	})
	return p
}

// nextPaged returns the first message from first to last that lives in a page file, and
// its block.
func (l *lane) nextPaged(first, last uint64) (at uint64, b *block) {
	for _, r := range l.runs {
		if r.first() > last || b != nil && r.first() > at {
			break
		}
		if r.left == 0 || r.last() < first {
			continue
		}
		if pos, in := r.next(first); in != nil && pos <= last && (b == nil || pos < at) {
			at, b = pos, in
		}
	}
	return at, b
}

// addBlocks adds the blocks of a run that have messages from a position to the plan's
// last one.
func (p *plan) addBlocks(r *run, from uint64) {
	for i := r.find(from); i < len(r.blocks) && r.blocks[i].first <= p.last; i++ {
		b := &r.blocks[i]
		if b.among(from, p.last) > 0 {
			r.page.use()
			p.blocks = append(p.blocks, planBlock{r, b, b.living})
		}
	}
}

func (p *plan) release() {
	for i := range p.blocks {
		p.blocks[i].run.page.release()
	}
	p.blocks = nil
}

// Keep drops those of a block's items that were removed since Load was called, and takes
// them off its Count; and it sets what Returned has noted. The engine calls it when it
// has taken its lock in Loaded.
func (k *Queue) Keep(b *Block) {
	l := k.lane(b.First)
	kept := 0
	for i := range b.Items {
		it := &b.Items[i]
		if l == nil || l.log.where(it.Pos) == 0 && l.find(it.Pos) == nil {
			b.Count.Len--
			b.Count.Bytes -= int64(len(it.Body))
			if it.Deadline != 0 {
				b.Count.Timed--
			}
			continue
		}
		if m, ok := k.marks[it.Pos]; ok {
			it.Returns, it.Redelivered = m.returns, m.redelivered || it.Pos < l.seen
		}
		if kept != i {
			b.Items[kept], b.Times[kept] = b.Items[i], b.Times[i]
		}
		kept++
	}
	clear(b.Items[kept:])
	b.Items, b.Times = b.Items[:kept], b.Times[:kept]
}

// sort puts the items in order, which came from several places.
func (b *Block) sort() {
	if slices.IsSortedFunc(b.Items, byPos) {
		return
	}
	at := make(map[uint64]int64, len(b.Items))
	for i := range b.Items {
		at[b.Items[i].Pos] = b.Times[i]
	}
	slices.SortFunc(b.Items, byPos)
	for i := range b.Items {
		b.Times[i] = at[b.Items[i].Pos]
	}
}

func byPos(a, b message.Item) int {
	switch {
	case a.Pos < b.Pos:
		return -1
	case a.Pos > b.Pos:
		return 1
	}
	return 0
}
