package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/journal"
)

// openPages reads the footers of all page files.
func (r *recoverer) openPages() error {
	r.sizes = make(map[*run]*part)
	var damages []error
	for i := range r.index.pages {
		x := &r.index.pages[i]
		if x.number == 0 {
			continue
		}
		p, parts, err := r.openPage(x)
		var damage *journal.DamagedError
		if errors.As(err, &damage) {
			if !r.s.opt.Salvage {
				damages = append(damages, err)
				continue
			}
			p, parts, err = r.salvagePage(i, damage)
		}
		if err != nil {
			return err
		}
		if p != nil {
			r.take(p, parts)
		}
	}
	return errors.Join(damages...)
}

// openPage opens a page file of the index.
func (r *recoverer) openPage(x *indexPage) (*page, []part, error) {
	s := r.s
	p := &page{number: x.number, name: pageName(x.number), size: x.size, check: x.check, tender: &s.tender}
	f, err := s.dir.Open(p.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &journal.DamagedError{File: p.name, Bytes: x.size, Reason: "it is missing"}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("store: %w", err)
	}
	p.f = f
	p.users.Store(1)
	parts, err := p.readParts(s.id, f)
	if err == nil {
		if applyStatus(x.status, p.blocks) != nil {
			err = &journal.DamagedError{File: indexName, Reason: "it tells of other blocks than those of " + p.name}
		}
	}
	if err != nil {
		p.release()
		return nil, nil, err
	}
	return p, parts, nil
}

// readParts reads the header and the footer, and sets the blocks.
func (p *page) readParts(id [16]byte, f files.File) ([]part, error) {
	salt := newSalt(id, p.number)
	damage := func(off int64, reason string) error {
		return &journal.DamagedError{File: p.name, Offset: off, Bytes: p.size - off, Reason: reason}
	}
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if size != p.size || size < pageHeader+pageTrailer {
		return nil, damage(min(size, p.size), fmt.Sprintf("it has %d bytes and should have %d", size, p.size))
	}
	read := func(n, off int64) ([]byte, error) {
		b := make([]byte, n)
		if got, err := f.ReadAt(b, off); got < len(b) {
			return nil, fmt.Errorf("store: read of %s: %w", p.name, err)
		}
		return b, nil
	}
	head, err := read(pageHeader, 0)
	if err != nil {
		return nil, err
	}
	if string(head) != string(salt.header(id, p.number)) {
		return nil, damage(0, "its beginning is not what was written")
	}
	end, err := read(pageTrailer, size-pageTrailer)
	if err != nil {
		return nil, err
	}
	n := int64(order.Uint32(end))
	at := size - pageTrailer - n
	if string(end[8:]) != pageEnd || order.Uint32(end[4:]) != p.check || at < pageHeader {
		return nil, damage(size-pageTrailer, "its end is not what was written")
	}
	footer, err := read(n+4, at)
	if err != nil {
		return nil, err
	}
	if salt.sum(footer, at) != p.check {
		return nil, damage(at, "the checksum of its footer does not fit")
	}
	blocks, parts, err := readFooter(footer[:n], at)
	if err != nil {
		return nil, damage(at, err.Error())
	}
	p.blocks = blocks
	return parts, nil
}

// take gives a page's messages to their queues.
func (r *recoverer) take(p *page, parts []part) {
	for i := range parts {
		part := &parts[i]
		run := &run{page: p, transient: part.transient, blocks: p.blocks[part.from:part.to:part.to]}
		run.level = uint8(run.first() >> levelShift)
		p.runs = append(p.runs, run)
		for j := range run.blocks {
			p.total += int64(run.blocks[j].len)
			run.left += int(run.blocks[j].left)
		}
		k := r.queue(part.queue)
		if k == nil || part.transient {
			r.drop(part.queue, !part.transient, run.left)
			run.left = 0
			continue
		}
		run.k = k
		l := k.laneAt(run.first())
		l.next = max(l.next, run.last()+1)
		if run.left == 0 {
			continue
		}
		if r.index.guessed {
			r.supersede(k, run)
		}
		p.living.Add(int64(run.left))
		l.insert(run)
		r.sizes[run] = part
	}
	r.s.pages = append(r.s.pages, p)
}
