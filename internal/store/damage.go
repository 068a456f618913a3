package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/warrenmq/warren/internal/journal"
)

// giveUp settles the messages of a block from first to last, which cannot be read as they
// were written; the block's bytes are kept in a file of their own. It returns what is
// known of those that lived.
func (s *Store) giveUp(r *run, b *block, first, last uint64, why error) (c Count) {
	first, last = max(first, b.first), min(last, b.last())
	r.k.mu.Lock()
	if c.Len = r.remove(first, last); c.Len > 0 {
		c.Bytes = int64(b.bytes) * int64(c.Len) / int64(b.len)
		c.Timed = int(b.timed) * c.Len / int(b.len)
		r.page.settled(c.Len)
		if l := r.k.lane(first); l != nil && r.left == 0 {
			l.removed(r)
		}
	}
	r.k.mu.Unlock()
	if c.Len == 0 {
		return c
	}
	s.damaged.Add(uint64(c.Len))
	s.report(s.setAside(r.page, b, why))
	return c
}

// setAside copies the bytes of a damaged block to a file of its own, which the store
// forgets.
func (s *Store) setAside(p *page, b *block, why error) error {
	var d *journal.DamagedError
	if !errors.As(why, &d) {
		return why
	}
	told := *d
	buf := make([]byte, b.size)
	n, _ := p.f.ReadAt(buf, b.off)
	name := fmt.Sprintf("damaged-%s-%d", p.name, b.off)
	f, err := s.dir.Create(name)
	if errors.Is(err, fs.ErrExist) {
		told.Aside = name
		return &told
	}
	if err != nil {
		return errors.Join(&told, err)
	}
	_, err = f.Write(buf[:n])
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(&told, err)
	}
	told.Aside = name
	return &told
}

// giveUpRecord settles a message of the log that cannot be read as it was written. The
// log keeps its bytes until its file is removed.
func (s *Store) giveUpRecord(k *Queue, rec planRecord, why error) {
	k.mu.Lock()
	l := k.lane(rec.pos)
	lives := l != nil && l.log.where(rec.pos) == rec.seq
	if lives {
		l.log.take(rec.pos)
	}
	k.mu.Unlock()
	if lives {
		s.damaged.Add(1)
		s.report(why)
	}
}

// collectEach is scan for a file of the log that is damaged: it reads each living message
// alone. Those that cannot be read stay in the memory of their queues, if they are there,
// and are lost at the next Open.
func (c *collector) collectEach(first, end Seq) error {
	have := make(map[Seq]bool, len(c.records))
	for i := range c.records {
		have[c.records[i].seq] = true
	}
	var rest []planRecord
	c.s.mu.Lock()
	queues := c.s.allQueues()
	c.s.mu.Unlock()
	for _, k := range queues {
		k.mu.Lock()
		for _, l := range k.lanes {
			l.log.each(0, ^uint64(0), func(pos uint64, p *piece, i int) bool {
				if seq := p.seqs[i]; seq >= first && seq < end && !have[seq] {
					rest = append(rest, planRecord{pos, seq})
				}
				return true
			})
		}
		k.mu.Unlock()
	}
	for _, r := range rest {
		kind, rec, err := c.s.log.Read(r.seq, nil)
		if err == nil {
			err = c.scan(r.seq, kind, rec)
		}
		if isDamage(err) {
			c.s.damaged.Add(1)
			c.s.report(err)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
