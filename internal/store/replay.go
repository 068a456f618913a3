package store

import (
	"maps"

	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/message"
)

// replay takes in a record of the log.
func (r *recoverer) replay(seq journal.Seq, kind byte, record []byte) error {
	rd := reader{b: record}
	if kind != kindHead && len(r.s.generations) == 0 {
		r.headless(seq)
	}
	switch kind {
	case kindHead:
		r.head(seq, &rd)
	case kindTime:
		r.time = max(r.time, rd.varint())
	case kindMessage, kindCopy:
		if r.counts() {
			return r.message(seq, kind, &rd)
		}
	case kindRemove, kindRange, kindReturned:
		if r.counts() {
			r.change(kind, &rd)
		}
	default:
		return errShort
	}
	if rd.bad {
		return errShort
	}
	return nil
}

// counts reports whether records count that are being replayed: those of older
// generations are in page files.
func (r *recoverer) counts() bool { return r.generation >= r.index.generation }

// head begins a generation.
func (r *recoverer) head(seq journal.Seq, rd *reader) {
	r.generation = rd.uvarint()
	r.time = max(r.time, rd.varint())
	if rd.octet() == 1 && r.generation > r.index.head {
		r.s.seeAll()
	}
	r.origins = nil
	r.s.generations = append(r.s.generations, generation{r.generation, seq})
}

// headless is called if the log begins in the middle of a generation: its first file was
// removed and others were not, or its head is damaged. Nobody knows whether it is in page
// files. So all of the log counts, but for messages that are in page files: this is right,
// because what settles a message is never removed before the message.
func (r *recoverer) headless(seq journal.Seq) {
	r.generation = r.index.generation
	r.index.guessed, r.index.generation = true, 0
	// It is older than what follows: when it is in page files, the next one is not yet.
	r.s.generations = append(r.s.generations, generation{max(r.generation, 1) - 1, seq})
}

// seeAll lets all messages count as redelivered.
func (s *Store) seeAll() {
	for _, k := range s.queues {
		for _, l := range k.lanes {
			l.seen = l.next
		}
	}
}

// message takes in a message.
func (r *recoverer) message(seq journal.Seq, kind byte, rd *reader) error {
	var p place
	p.read(rd)
	c := content{seq: seq}
	var of name
	if kind == kindCopy {
		of.queue, of.pos = rd.name()
		c = r.origins[of]
	}
	if rd.bad {
		return errShort
	}
	r.time = max(r.time, p.at)
	if kind == kindMessage {
		if err := c.read(rd.b, r.s, &p); err != nil {
			return err
		}
	}
	if p.flags&isShared != 0 {
		if r.origins == nil {
			r.origins = make(map[name]content)
		}
		r.origins[name{p.queue, p.pos}] = c
	}
	k := r.queue(p.queue)
	if k == nil {
		r.drop(p.queue, p.persistent(), 1)
		return nil
	}
	l := k.laneAt(p.pos)
	l.next = max(l.next, p.pos+1)
	if !p.persistent() || r.index.guessed && l.find(p.pos) != nil {
		return nil
	}
	if kind == kindCopy {
		if c.seq == 0 {
			if r.lost == nil {
				r.lost = make(map[name]name)
			}
			r.lost[name{p.queue, p.pos}] = of
			return nil
		}
		if r.s.origins == nil {
			r.s.origins = make(map[Seq]Seq)
		}
		r.s.origins[seq] = c.seq
	}
	r.found(l, &p, seq, c)
	return nil
}

// content is what is known of a message's content.
type content struct {
	seq  Seq    // record that has it
	body int    // length of the body
	mark uint64 // of its filter value, if somebody may ask
}

func (c *content) read(b []byte, s *Store, p *place) (err error) {
	if c.body, err = bodyLen(b); err != nil || p.at == 0 {
		return err
	}
	var e message.Entry
	ps := parser{names: &s.names}
	if err = ps.parse(b, &e); err == nil {
		c.mark = Mark(message.FilterValue(e.Content))
	}
	return err
}

// found notes a message that is in the log.
func (r *recoverer) found(l *lane, p *place, seq Seq, c content) {
	l.log.put(p.pos, seq, p.flags)
	_, pc := l.log.find(p.pos)
	f := pc.found
	if f == nil {
		f = new(found)
		pc.found = f
	}
	i := int(p.pos - pc.first)
	for len(f.sizes) <= i {
		f.sizes = append(f.sizes, 0)
	}
	f.which |= 1 << i
	f.sizes[i] = newSize(c.body, p.timed())
	if p.at != 0 {
		f.times.add(p.at, c.mark)
	}
}

// change takes in what happened to messages.
func (r *recoverer) change(kind byte, rd *reader) {
	queue, pos := rd.name()
	k := r.queue(queue)
	if k == nil && kind == kindRemove {
		r.drop(queue, true, -1)
	}
	if k == nil || rd.bad {
		return
	}
	l := k.laneAt(pos)
	l.next = max(l.next, pos+1)
	switch kind {
	case kindRemove:
		delete(r.lost, name{queue, pos})
		k.settle(l, pos, pos)
	case kindRange:
		last := rd.uvarint()
		maps.DeleteFunc(r.lost, func(n, _ name) bool { return n.queue == queue && pos <= n.pos && n.pos <= last })
		k.settle(l, pos, last)
	case kindReturned:
		m := mark{rd.number(), rd.octet() == 1}
		if k.has(pos) {
			k.setMark(pos, m)
		}
	}
}

// settle removes messages without a record of it.
func (k *Queue) settle(l *lane, first, last uint64) {
	k.unmark(first, last)
	l.removeRange(first, last)
}
