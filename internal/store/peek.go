package store

import (
	"cmp"
	"errors"
	"slices"

	"github.com/warrenmq/warren/internal/message"
)

// Peek is a look at messages on disk, without the consequences of Load: the taker is told
// nothing, and what cannot be read is not given up.
//
// It is an interface, so that a program whose broker has no directory is linked without
// the store.
type Peek interface {
	// Last is the position up to which Read reads.
	Last() uint64
	// Len is how many messages Read finds, if none of them is removed before. It is
	// called with the queue's lock held.
	Len() int
	// Release gives up the files that Read would have read.
	Release()
	// Read reads the messages behind the first skip ones, in order. It stops when it has
	// read bodies of most bytes, and then more is true if some were left out. It fails if
	// the disk cannot be read, or with a *[journal.DamagedError] if messages are not what
	// was written.
	Read(skip int, most int64) (items []message.Item, more bool, err error)
}

// peek implements Peek.
type peek struct{ plan *plan }

// Peek plans to read messages from first to last, which are of the same level: a block of
// them from the first one on that lives. It is nil if there is none. The caller calls Read
// or Release, with no lock held.
func (k *Queue) Peek(first, last uint64) Peek {
	p := k.plan(first, last)
	if p == nil {
		return nil
	}
	return &peek{p}
}

func (p *peek) Last() uint64 { return p.plan.last }

func (p *peek) Len() int {
	n := len(p.plan.records)
	for i := range p.plan.blocks {
		b := &p.plan.blocks[i]
		n += b.block.among(p.plan.first, p.plan.last)
	}
	return n
}

func (p *peek) Release() { p.plan.release() }

// mostMoves is how often messages may move while they are looked for.
const mostMoves = 100

func (p *peek) Read(skip int, most int64) (items []message.Item, more bool, err error) {
	k, last := p.plan.k, p.plan.last
	r := loader{s: k.store, parser: parser{names: &k.store.names}}
	for moves, plan := 0, p.plan; plan != nil && !more; {
		b, cut, err := r.peek(plan, max(0, skip-len(items)), most)
		plan.release()
		first := plan.first
		switch {
		case errors.Is(err, errMoved) && moves < mostMoves:
			moves++
		case err != nil:
			return nil, false, err
		default:
			first = plan.last + 1
			items = append(items, b.Items...)
			most -= b.Count.Bytes
		}
		more = cut || most <= 0 && first <= last
		if first > last {
			break
		}
		k.mu.Lock()
		plan = k.plan(first, last)
		k.mu.Unlock()
	}
	items = items[min(skip, len(items)):]
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range items {
		it := &items[i]
		if m, ok := k.marks[it.Pos]; ok {
			it.Returns, it.Redelivered = m.returns, it.Redelivered || m.redelivered
		}
	}
	return items, more, nil
}

// peek is read that gives up nothing. It does not read those of the first skip messages
// that are in the log, so that these are empty. Cut is true if it has stopped after bodies
// of most bytes, and left out the rest.
func (r *loader) peek(p *plan, skip int, most int64) (b *Block, cut bool, err error) {
	b = &Block{First: p.first, Last: p.last}
	for i := range p.blocks {
		err := r.readBlock(b, p, &p.blocks[i])
		if isDamage(err) {
			err = r.readBlock(b, p, &p.blocks[i]) // it may have been the way to the disk
		}
		if err != nil {
			return nil, false, err
		}
	}
	b.sort()
	paged := b.Items
	for i, rec := range p.records {
		before, _ := slices.BinarySearchFunc(paged, rec.pos, func(it message.Item, pos uint64) int { return cmp.Compare(it.Pos, pos) })
		if i+before < skip {
			b.Items, b.Times = append(b.Items, message.Item{Pos: rec.pos}), append(b.Times, 0)
			continue
		}
		if b.Count.Bytes >= most {
			b.cutAt(rec.pos)
			return b, true, nil
		}
		if err := r.readRecord(b, p, rec); err != nil {
			return nil, false, err
		}
	}
	b.sort()
	return b, false, nil
}

// cutAt puts the items in order, and drops those behind a position.
func (b *Block) cutAt(pos uint64) {
	b.sort()
	n, _ := slices.BinarySearchFunc(b.Items, pos, func(it message.Item, pos uint64) int { return cmp.Compare(it.Pos, pos) })
	b.Items, b.Times = b.Items[:n], b.Times[:n]
}
