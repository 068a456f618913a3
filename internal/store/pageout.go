package store

import (
	"cmp"
	"errors"
	"slices"

	"github.com/warrenmq/warren/internal/journal"
)

// pageOut writes what lives in a generation of the log to a page file, and removes its
// files. The next one begins with the record end.
func (s *Store) pageOut(g generation, end Seq) error {
	if g.number < s.tender.indexed { // this was done before
		return s.removeGeneration(end)
	}
	if err := s.waitStored(end); err != nil {
		return err
	}
	c := &s.tender.collector
	c.begin(s, g.start, end)
	defer c.end()
	if err := c.collect(); err != nil {
		return err
	}
	var p *page
	if len(c.records) > 0 {
		var err error
		if p, err = c.write(); err != nil {
			return err
		}
		s.addPage(p)
		c.install(p)
	}
	if err := s.commit(g.number + 1); err != nil {
		return err
	}
	if p != nil {
		p.tell()
	}
	return s.removeGeneration(end)
}

// addPage is called before a page's messages are.
func (s *Store) addPage(p *page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = append(s.pages, p)
}

// tell tells the engines that their messages are in page files now.
func (p *page) tell() {
	var last *Queue
	for _, r := range p.runs {
		if r.k != nil && r.k != last && r.k.taker != nil {
			r.k.taker.Paged()
		}
		last = r.k
	}
}

// removeGeneration removes the files of the oldest generation, which is in page files. They
// go in order, so that a message never comes back because only its settling was removed.
func (s *Store) removeGeneration(end Seq) error {
	for _, f := range s.log.Files() {
		if f.First >= end {
			break
		}
		if err := s.log.Remove(f.Number); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for seq := range s.origins {
		if seq < end {
			delete(s.origins, seq)
		}
	}
	s.generations = s.generations[1:]
	return nil
}

// collector gathers what lives in a generation of the log. Its memory is used again while
// the tender has more to do.
type collector struct {
	s        *Store
	from, to Seq      // of the generation's records
	chunks   [][]byte // memory of records
	used     int      // chunks
	large    []Seq    // records that are too long to be kept in memory
	records  []record
	contents map[name]span // of messages that others refer to
	last     *Queue
	ticks    int
}

func (c *collector) begin(s *Store, from, to Seq) {
	c.s, c.from, c.to, c.contents = s, from, to, make(map[name]span)
}

// end gives up what is not used again.
func (c *collector) end() {
	c.used, c.large, c.records, c.contents, c.last = 0, nil, c.records[:0], nil, nil
}

// record is a message that lives.
type record struct {
	queue     uint32
	transient bool
	pos       uint64
	seq       Seq
	place     span // begins with the place
	content   span // a record that has the content, which may be that of another message
}

// span is where a record is: in a chunk, or in the list of those that are too long.
type span struct{ chunk, at, n uint32 }

const (
	collectChunk = 1 << 20
	largeRecord  = 256 << 10
	inLarge      = 1<<32 - 1
)

// collect gathers the records of all files of the generation.
func (c *collector) collect() error {
	for _, f := range c.s.log.Files() {
		if f.First >= c.to {
			break
		}
		err := c.s.log.Scan(f.Number, c.scan)
		var damage *journal.DamagedError
		if errors.As(err, &damage) {
			c.s.report(err)
			err = c.collectEach(f.First, f.End)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scan looks at a record.
func (c *collector) scan(seq Seq, kind byte, rec []byte) error {
	if c.ticks++; c.ticks%4096 == 0 {
		if err := c.s.tick(); err != nil {
			return err
		}
	}
	if kind != kindMessage && kind != kindCopy {
		return nil
	}
	rd := reader{b: rec}
	var p place
	p.read(&rd)
	r := record{queue: p.queue, pos: p.pos, seq: seq, transient: !p.persistent()}
	lives := c.lives(&r)
	if kind == kindCopy {
		if !lives {
			return nil
		}
		var of name
		of.queue, of.pos = rd.name()
		content, ok := c.contents[of]
		if !ok {
			c.s.report(errors.New("store: a message refers to another that is not there"))
			return nil
		}
		r.content = content
		r.place = c.keep(seq, rec)
	} else {
		if !lives && p.flags&isShared == 0 {
			return nil
		}
		r.place = c.keep(seq, rec)
		r.content = r.place
		if p.flags&isShared != 0 {
			c.contents[name{p.queue, p.pos}] = r.place
		}
	}
	if rd.bad {
		return errShort
	}
	if lives {
		if len(c.records) == cap(c.records) {
			c.grow(seq)
		}
		c.records = append(c.records, r)
	}
	return nil
}

// grow makes room for as many records as there will be, if it goes on as it was up to
// seq: there can be a million, and growing by steps would copy them again and again.
func (c *collector) grow(seq Seq) {
	more := uint64(0)
	if n := uint64(len(c.records)); c.from < seq && seq < c.to {
		more = min(n*uint64(c.to-seq)/uint64(seq-c.from), 8*n) // the first ones may be small
	}
	c.records = slices.Grow(c.records, int(more+more/16)+1024)
}

// lives reports whether the record is that of a message that lives.
func (c *collector) lives(r *record) bool {
	if c.last == nil || c.last.id != r.queue {
		if c.last = c.s.queue(r.queue); c.last == nil {
			return false
		}
	}
	k := c.last
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.lane(r.pos)
	return l != nil && l.log.where(r.pos) == r.seq
}

// keep keeps a record.
func (c *collector) keep(seq Seq, rec []byte) span {
	if len(rec) > largeRecord {
		c.large = append(c.large, seq)
		return span{chunk: inLarge, at: uint32(len(c.large) - 1), n: uint32(len(rec))}
	}
	i := c.used - 1
	if i < 0 || len(c.chunks[i])+len(rec) > collectChunk {
		i = c.used
		if c.used++; i == len(c.chunks) {
			c.chunks = append(c.chunks, make([]byte, 0, collectChunk))
		}
		c.chunks[i] = c.chunks[i][:0]
	}
	at := len(c.chunks[i])
	c.chunks[i] = append(c.chunks[i], rec...)
	return span{uint32(i), uint32(at), uint32(len(rec))}
}

// get returns a record that was kept.
func (c *collector) get(s span) ([]byte, error) {
	if s.chunk == inLarge {
		_, rec, err := c.s.log.Read(c.large[s.at], make([]byte, 0, s.n+64))
		return rec, err
	}
	return c.chunks[s.chunk][s.at : s.at+s.n], nil
}

// write writes a page file with the records, which it sorts.
func (c *collector) write() (*page, error) {
	slices.SortFunc(c.records, func(a, b record) int {
		if d := cmp.Compare(a.queue, b.queue); d != 0 {
			return d
		}
		if a.transient != b.transient {
			if a.transient {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.pos, b.pos)
	})
	return c.s.writePage(func(w *pageWriter) error {
		for i := range c.records {
			r := &c.records[i]
			if i == 0 || !r.follows(&c.records[i-1]) {
				if err := w.end(); err != nil {
					return err
				}
				w.begin(r.queue, r.transient)
			}
			if err := c.add(w, r); err != nil {
				return err
			}
			if i%4096 == 0 {
				if err := c.s.tick(); err != nil {
					return err
				}
			}
		}
		return w.end()
	})
}

// follows reports whether two records are of the same run.
func (r *record) follows(o *record) bool {
	return r.queue == o.queue && r.transient == o.transient && r.pos>>levelShift == o.pos>>levelShift
}

func (c *collector) add(w *pageWriter, r *record) error {
	head, err := c.get(r.place)
	if err != nil {
		return err
	}
	rec := head
	if r.content != r.place {
		if rec, err = c.get(r.content); err != nil {
			return err
		}
	}
	var p, of place
	p.read(&reader{b: head})
	rd := reader{b: rec}
	of.read(&rd)
	if rd.bad {
		return errShort
	}
	return w.add(&p, rd.b)
}

// writePage writes a page file, and sees to it that its name is on the disk.
func (s *Store) writePage(write func(w *pageWriter) error) (*page, error) {
	number := s.tender.nextPage
	s.tender.nextPage++
	w, err := s.newPage(number)
	if err != nil {
		return nil, err
	}
	err = write(w)
	var p *page
	if err == nil {
		p, err = w.finish()
	}
	if cap(w.buf) <= 2*flushAt {
		s.tender.buf = w.buf
	}
	if err == nil {
		if err = s.dir.Sync(); err != nil {
			err = &WriteError{"sync of the directory", w.page.name, err}
		}
	}
	if err != nil {
		w.discard(s.dir)
		return nil, err
	}
	return p, nil
}

// install gives the messages to their queues, a few at a time: those that still live, in
// the order of the records.
func (c *collector) install(p *page) {
	rest := c.records
	for _, r := range p.runs {
		k := c.s.queue(rest[0].queue)
		for i := range r.blocks {
			b := &r.blocks[i]
			part := rest[:b.len]
			rest = rest[b.len:]
			if k == nil {
				continue
			}
			k.mu.Lock()
			if !k.deleted {
				l := k.laneAt(b.first)
				if i == 0 {
					r.k, r.filling = k, true
					l.insert(r)
				}
				moved := 0
				for j := range part {
					if l.log.where(part[j].pos) == part[j].seq {
						l.log.take(part[j].pos)
						b.living.set(j)
						moved++
					}
				}
				r.moved(b, moved)
				if i == len(r.blocks)-1 {
					l.filled(r)
				}
			}
			k.mu.Unlock()
		}
	}
}

// moved notes that n messages have come to a block. The queue's lock is held.
func (r *run) moved(b *block, n int) {
	b.left += uint16(n)
	r.left += n
	r.page.living.Add(int64(n))
}
