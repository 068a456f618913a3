package store

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"

	"github.com/warrenmq/warren/internal/journal"
)

// manySmall is how many small page files there may be.
const manySmall = 16

// unwanted returns page files whose living messages are to be written to a new one: because
// there are more bytes of settled messages on the disk than of living ones, or because
// there are many small files.
func (s *Store) unwanted() []*page {
	s.mu.Lock()
	defer s.mu.Unlock()
	var living, settled int64
	var sparse, small []*page
	for _, p := range s.pages {
		n := p.livingBytes()
		if n == 0 {
			continue
		}
		living += n
		settled += p.size - n
		if n <= p.size/2 {
			sparse = append(sparse, p)
		}
		if p.size <= s.opt.FileSize/4 {
			small = append(small, p)
		}
	}
	if len(small) >= manySmall {
		return firstBytes(small, s.opt.FileSize)
	}
	if settled < living+2*s.opt.FileSize {
		return nil
	}
	slices.SortFunc(sparse, func(a, b *page) int {
		return cmp.Compare(float64(a.living.Load())/float64(a.total), float64(b.living.Load())/float64(b.total))
	})
	return firstBytes(sparse, s.opt.FileSize)
}

// firstBytes returns the first of some pages, as many as have living messages of a number
// of bytes.
func firstBytes(pages []*page, room int64) []*page {
	for i, p := range pages {
		if room -= p.livingBytes(); room < 0 && i > 0 {
			return pages[:i]
		}
	}
	return pages
}

// livingBytes is about how many bytes the living messages take.
func (p *page) livingBytes() int64 {
	if p.total == 0 {
		return 0
	}
	return int64(float64(p.size) * float64(p.living.Load()) / float64(p.total))
}

// compact writes living messages of unwanted page files to new ones.
func (s *Store) compact() error {
	for {
		pages := s.unwanted()
		if len(pages) == 0 {
			return nil
		}
		if err := s.merge(pages); err != nil {
			return err
		}
	}
}

// merge writes the living messages of pages to a new one.
func (s *Store) merge(pages []*page) error {
	var from []*run
	for _, p := range pages {
		from = append(from, p.runs...)
	}
	from = slices.DeleteFunc(from, func(r *run) bool { return r.k == nil })
	slices.SortFunc(from, func(a, b *run) int { return cmp.Or(cmp.Compare(a.k.id, b.k.id), cmp.Compare(a.first(), b.first())) })
	var moved []*run // for each run of the new page the old one
	p, err := s.writePage(func(w *pageWriter) error {
		moved = moved[:0]
		for _, r := range from {
			if err := s.tick(); err != nil {
				return err
			}
			w.begin(r.k.id, r.transient)
			if err := s.copyRun(w, r); err != nil {
				return err
			}
			n := len(w.page.runs)
			if err := w.end(); err != nil {
				return err
			}
			if len(w.page.runs) > n {
				moved = append(moved, r)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.addPage(p)
	for i, r := range p.runs {
		r.takeOver(moved[i])
	}
	return s.commit(s.tender.indexed)
}

// copyRun writes the living messages of a run.
func (s *Store) copyRun(w *pageWriter, r *run) error {
	var buf []byte
	for i := range r.blocks {
		b := &r.blocks[i]
		r.k.mu.Lock()
		living, left := b.living, b.left
		if r.left == 0 {
			left = 0
		}
		r.k.mu.Unlock()
		if left == 0 {
			continue
		}
		data, err := r.page.read(s.id, b, buf)
		var damage *journal.DamagedError
		if errors.As(err, &damage) {
			if data, err = r.page.read(s.id, b, buf); err != nil {
				s.giveUp(r, b, b.first, b.last(), err)
				continue
			}
		}
		if err != nil {
			return err
		}
		buf = data
		err = eachRecord(data[blockHeader:], int(b.len), func(i int, p *place, content []byte) error {
			if !living.has(i) {
				return nil
			}
			return w.add(p, content)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachRecord calls f for the records of a block.
func eachRecord(data []byte, n int, f func(i int, p *place, content []byte) error) error {
	rd := reader{b: data}
	for i := range n {
		rec := reader{b: rd.bytes()}
		var p place
		p.read(&rec)
		if rec.bad {
			return errShort
		}
		if err := f(i, &p, rec.b); err != nil {
			return err
		}
	}
	return rd.end()
}

// takeOver moves the messages that still live from another run of the queue, a few at a
// time.
func (r *run) takeOver(from *run) {
	k := from.k
	for i := range r.blocks {
		b := &r.blocks[i]
		k.mu.Lock()
		if k.deleted {
			k.mu.Unlock()
			return
		}
		l := k.laneAt(b.first)
		if i == 0 {
			r.k, r.filling, from.filling = k, true, true
			l.insert(r)
		}
		n := 0
		for j := range int(b.len) {
			if from.remove(b.pos(j), b.pos(j)) > 0 {
				b.living.set(j)
				n++
			}
		}
		r.moved(b, n)
		from.page.living.Add(-int64(n))
		if i == len(r.blocks)-1 {
			l.filled(from)
			l.filled(r)
		}
		k.mu.Unlock()
	}
}

// removeFiles removes files that do not count any more.
func (s *Store) removeFiles() error {
	t := &s.tender
	for len(t.discard) > 0 {
		name := t.discard[0]
		if err := s.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &WriteError{"removal", name, err}
		}
		t.discard = t.discard[1:]
	}
	return nil
}
