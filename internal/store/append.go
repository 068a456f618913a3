package store

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/message"
)

// append appends the record of a message to the log.
func (s *Store) append(p *place, e *message.Entry) journal.Seq {
	seq, ok := s.appendShort(p, e)
	if !ok {
		seq = s.appendLong(p, e)
	}
	s.appended(seq)
	return seq
}

const (
	shortRecord = 256 // bytes on the stack for all of a record but the body
	shortTexts  = 192 // bytes of that for texts and properties
)

// appendShort is append for a message without properties or with encoded ones that are
// short, as most are: it has its record on the stack. ok is false for others.
func (s *Store) appendShort(p *place, e *message.Entry) (seq journal.Seq, ok bool) {
	var raw []byte
	mode, plain := e.Content.(message.Mode)
	if e.Content != nil && !plain {
		c, ok := e.Content.(*message.Encoded)
		if !ok {
			return 0, false
		}
		raw = c.Raw
	}
	exchange := ""
	if e.Exchange != nil {
		exchange = *e.Exchange
	}
	if len(exchange)+len(e.Key)+len(raw) > shortTexts {
		return 0, false
	}
	var room [shortRecord]byte
	b := p.append(room[:0])
	flags := byte(0)
	if e.Content != nil {
		flags = hasProperties
	}
	if exchange == "" {
		b = append(b, flags, 0)
	} else {
		b = append(binary.AppendUvarint(append(b, flags), uint64(len(exchange))), exchange...)
	}
	b = append(binary.AppendUvarint(b, uint64(len(e.Key))), e.Key...)
	switch {
	case plain:
		b = mode.AppendTo(append(b, message.ModeLen))
	case e.Content != nil:
		b = append(binary.AppendUvarint(b, uint64(len(raw))), raw...)
	}
	return s.log.Append(kindMessage, b, e.Body), true
}

// appendLong is append for any message.
func (s *Store) appendLong(p *place, e *message.Entry) journal.Seq {
	room, _ := s.scratch.Get().(*[]byte)
	if room == nil {
		room = new([]byte)
	}
	b := appendContent(p.append((*room)[:0]), e)
	seq := s.log.Append(kindMessage, b, e.Body)
	s.giveBack(room, b)
	return seq
}

// mostScratch is the most memory that is kept to encode the next message in.
const mostScratch = 16 << 10

func (s *Store) giveBack(room *[]byte, b []byte) {
	if cap(b) <= mostScratch {
		*room = b[:0]
		s.scratch.Put(room)
	}
}

// appendShared is append for a message of several queues: it writes the content only if
// it is not yet in this generation of the log.
func (s *Store) appendShared(p *place, e *message.Entry, at *message.Stored) journal.Seq {
	s.fan.RLock()
	defer s.fan.RUnlock()
	if at.Generation == s.generation {
		var room [96]byte
		b := appendName(p.append(room[:0]), at.Queue, at.Pos)
		seq := s.log.Append(kindCopy, b, nil)
		s.appended(seq)
		return seq
	}
	p.flags |= isShared
	seq := s.append(p, e)
	if seq != 0 {
		*at = message.Stored{Pos: p.pos, Queue: p.queue, Generation: s.generation}
	}
	return seq
}

// appended wakes the tender when so much was appended that it should look at the log.
func (s *Store) appended(seq journal.Seq) {
	if uint64(seq) >= s.lookAt.Load() {
		s.tender.look(uint64(seq))
	}
}

const never = ^uint64(0)

// void drops the record of a message from the log if it is not written yet, and reports
// whether it has.
func (s *Store) void(seq journal.Seq, flags byte) bool {
	if flags&isShared != 0 || uint64(seq) < s.taken.Load() {
		return false
	}
	if s.log.Void(seq) {
		return true
	}
	raise(&s.taken, uint64(seq)+1)
	return false
}

// raise sets v to n, if that is more.
func raise(v *atomic.Uint64, n uint64) {
	for {
		old := v.Load()
		if old >= n || v.CompareAndSwap(old, n) {
			return
		}
	}
}
