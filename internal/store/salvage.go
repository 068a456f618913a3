package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/journal"
)

const damagedPart = "damaged-"

// guessIndex makes an index when that is lost: all page files count, and all that is in
// them lives. Messages that are in the log, too, are told by their positions.
func (r *recoverer) guessIndex(damage *journal.DamagedError) (*index, error) {
	s := r.s
	x := &index{next: 1, guessed: true}
	r.unsure = true
	known := false
	for _, n := range r.names {
		number, ok := pageNumber(n)
		if !ok {
			continue
		}
		head, p, err := s.guessPage(number)
		if err != nil {
			return nil, err
		}
		if head != nil && !known {
			copy(x.id[:], head[len(pageMagic):])
			known = true
		}
		x.pages = append(x.pages, p)
		x.next = max(x.next, number+1)
	}
	if !known {
		x.id = newID()
	}
	if err := s.dir.Rename(indexName, damagedPart+indexName); err == nil {
		damage.Aside = damagedPart + indexName
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, &WriteError{"renaming", indexName, err}
	}
	s.report(damage)
	return x, x.write(s.dir)
}

// guessPage reads what the index says of a page file from the file itself. head is nil if
// it does not begin as one.
func (s *Store) guessPage(number uint32) (head []byte, x indexPage, err error) {
	x.number = number
	name := pageName(number)
	f, err := s.dir.Open(name)
	if err != nil {
		return nil, x, fmt.Errorf("store: %w", err)
	}
	defer func() { _ = f.Close() }()
	if x.size, err = f.Size(); err != nil {
		return nil, x, fmt.Errorf("store: %w", err)
	}
	if x.size < pageHeader+pageTrailer {
		return nil, x, nil
	}
	head, end := make([]byte, pageHeader), make([]byte, pageTrailer)
	for _, part := range []struct {
		b   []byte
		off int64
	}{{head, 0}, {end, x.size - pageTrailer}} {
		if n, err := f.ReadAt(part.b, part.off); n < len(part.b) {
			return nil, x, fmt.Errorf("store: read of %s: %w", name, err)
		}
	}
	x.check = order.Uint32(end[4:])
	var id [16]byte
	copy(id[:], head[len(pageMagic):])
	if string(head) != string(newSalt(id, number).header(id, number)) {
		head = nil
	}
	return head, x, nil
}

// supersede settles messages of page files that are in a later one, too, which was made
// of them.
func (r *recoverer) supersede(k *Queue, by *run) {
	l := k.laneAt(by.first())
	for i := range by.blocks {
		b := &by.blocks[i]
		for j := range int(b.len) {
			if old := l.find(b.pos(j)); old != nil {
				old.remove(b.pos(j), b.pos(j))
				old.page.living.Add(-1)
				if old.left == 0 {
					l.removed(old)
				}
			}
		}
	}
}

// salvagePage makes a new page file of what can be read of a damaged one, which is kept
// under another name.
func (r *recoverer) salvagePage(i int, damage *journal.DamagedError) (*page, []part, error) {
	s, x := r.s, &r.index.pages[i]
	name := pageName(x.number)
	f, err := s.dir.Open(name)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	var fresh *page
	if !missing {
		fresh, err = r.rescue(x, f)
		_ = f.Close()
		if err != nil {
			return nil, nil, err
		}
	}
	*x = indexPage{}
	if fresh != nil {
		*x = indexPage{number: fresh.number, check: fresh.check, size: fresh.size}
	}
	if err := r.index.write(s.dir); err != nil {
		return nil, nil, err
	}
	if !missing {
		if err := s.dir.Rename(name, damagedPart+name); err != nil {
			return nil, nil, &WriteError{"renaming", name, err}
		}
		damage.Aside = damagedPart + name
	}
	s.report(damage)
	if fresh == nil {
		return nil, nil, nil
	}
	fresh.release()
	return r.openPage(x)
}

// rescue writes the living messages of all good blocks of a page file to a new one. It is
// nil if there are none.
func (r *recoverer) rescue(x *indexPage, f files.File) (*page, error) {
	found, err := findBlocks(newSalt(r.s.id, x.number), f)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	blocks := make([]block, len(found))
	for i := range blocks {
		blocks[i] = block{first: found[i].first, len: found[i].len, left: found[i].len}
		blocks[i].living.fill(int(found[i].len))
	}
	whole := true // nothing before is missing, so that the index tells which messages live
	_ = applyStatus(x.status, blocks)
	r.s.tender.nextPage, r.index.next = r.index.next, r.index.next+1
	return r.s.writePage(func(w *pageWriter) error {
		var last *foundBlock
		for i := range found {
			b := &found[i]
			whole = whole && b.adjoins
			if !whole {
				blocks[i].living.fill(int(b.len))
			}
			if last == nil || last.queue != b.queue || last.transient != b.transient || b.first <= last.last || b.first>>levelShift != last.first>>levelShift {
				if err := w.end(); err != nil {
					return err
				}
				w.begin(b.queue, b.transient)
			}
			last = b
			data := make([]byte, b.size)
			if n, err := f.ReadAt(data, b.off); n < len(data) {
				return fmt.Errorf("store: read of %s: %w", pageName(x.number), err)
			}
			err := eachRecord(data[blockHeader:], int(b.len), func(j int, p *place, content []byte) error {
				if !blocks[i].living.has(j) {
					return nil
				}
				return w.add(p, content)
			})
			if err != nil {
				return err
			}
		}
		return w.end()
	})
}

// foundBlock is a good block in a page file whose footer is lost.
type foundBlock struct {
	off         int64
	size        uint32
	len         uint16
	queue       uint32
	transient   bool
	first, last uint64 // positions
	adjoins     bool   // it follows the block before it, or the file's header
}

// findBlocks looks for good blocks.
func findBlocks(s salt, f files.File) (found []foundBlock, err error) {
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	data := make([]byte, size)
	if n, err := f.ReadAt(data, 0); n < len(data) {
		return nil, fmt.Errorf("store: %w", err)
	}
	end := int64(pageHeader)
	for off := int64(pageHeader); off+blockHeader <= size; {
		h := data[off:]
		n := int64(order.Uint32(h[4:])) + blockHeader
		count := order.Uint16(h[12:])
		if n > size-off || count == 0 || count > blockLen || order.Uint16(h[14:]) > blockTransient || order.Uint32(h) != s.sum(h[4:n], off) {
			off++
			continue
		}
		b := foundBlock{off: off, size: uint32(n), len: count, queue: order.Uint32(h[8:]), transient: order.Uint16(h[14:]) == blockTransient, adjoins: off == end}
		err := eachRecord(h[blockHeader:n], int(count), func(i int, p *place, _ []byte) error {
			if i == 0 {
				b.first = p.pos
			}
			b.last = p.pos
			return nil
		})
		if err == nil {
			found = append(found, b)
		}
		off += n
		end = off
	}
	return found, nil
}

// drop counts messages of a queue that is not known.
func (r *recoverer) drop(queue uint32, persistent bool, n int) {
	if !r.s.opt.Salvage || !persistent {
		return
	}
	if r.dropped == nil {
		r.dropped = make(map[uint32]int)
	}
	r.dropped[queue] += n
}

// tellDropped tells the logger of messages that were dropped with their queues: these may
// have been in what is damaged, and nobody else knows.
func (r *recoverer) tellDropped() {
	if r.s.opt.Logger == nil {
		return
	}
	for queue, n := range r.dropped {
		if n > 0 {
			r.s.opt.Logger.Warn("store: dropped the messages of a queue that was deleted, or whose declaration is lost", "queue", queue, "messages", n)
		}
	}
}

// loseContents gives up messages whose contents were in other records, which are not
// there.
func (r *recoverer) loseContents() error {
	var all []error
	for of, in := range r.lost {
		all = append(all, &journal.DamagedError{
			File:   logPrefix + "*.log",
			Reason: fmt.Sprintf("message %d of queue %d refers to message %d of queue %d, which is not there", of.pos, of.queue, in.pos, in.queue),
		})
		if r.s.opt.Salvage {
			r.s.queues[of.queue].note(kindRemove, of.pos)
		}
	}
	if !r.s.opt.Salvage {
		return errors.Join(all...)
	}
	for _, err := range all {
		r.s.damaged.Add(1)
		r.s.report(err)
	}
	return nil
}
