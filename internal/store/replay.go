package store

import (
	"slices"
)

// replay takes in a record of the log.
func (s *Store) replay(rec []byte, known func(id uint32) bool) error {
	kind := rec[0]
	r := reader{b: rec[1:]}
	if kind == kindMessage {
		var p place
		p.read(&r)
		if k := s.recover(p.queue, known); k != nil && p.flags&isPersistent != 0 {
			k.records[p.pos] = slices.Clone(rec[1:])
			k.seen(p.pos)
		}
		return nil
	}
	k, pos := s.recover(uint32(r.uvarint()), known), r.uvarint()
	if k == nil {
		return nil
	}
	k.seen(pos)
	switch kind {
	case kindRemove:
		delete(k.records, pos)
	case kindRange:
		last := r.uvarint()
		k.seen(last)
		for p := range k.records {
			if pos <= p && p <= last {
				delete(k.records, p)
			}
		}
	case kindReturned:
		returns, redelivered := r.uvarint(), r.octet()
		if rec, ok := k.records[pos]; ok {
			k.returned(pos, rec, uint32(returns), redelivered == 1)
		}
	}
	return nil
}

func (s *Store) recover(id uint32, known func(id uint32) bool) *Queue {
	if !known(id) {
		return nil
	}
	k := s.queues[id]
	if k == nil {
		k = newQueue(s, id)
		s.queues[id] = k
	}
	return k
}

// recovered marks all messages as redelivered, if they may have been.
func (k *Queue) recovered(redelivered bool) {
	if redelivered {
		for _, rec := range k.records {
			rec[0] |= isRedelivered
		}
	}
}
