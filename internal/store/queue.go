package store

import (
	"encoding/binary"
	"maps"
	"sync"

	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/message"
)

// Queue is one queue's messages on disk. Its methods are called with its engine's lock
// held, and do no I/O. A level is a position's highest 8 bits. Positions of a level
// ascend with each Add.
type Queue struct {
	store *Store
	id    uint32
	mu    *sync.Mutex
	taker Taker

	// Guarded by mu.
	lanes   []*lane // by level
	marks   map[uint64]mark
	settled settled
	deleted bool
}

// settled is the last record that says that messages are settled, of those from first to
// last. While it is not written, one that says more can replace it.
type settled struct {
	first, last uint64
	seq         journal.Seq // 0: there is none
}

// levelShift is the number of bits of a position below the level.
const levelShift = 56

// mark is what Returned has noted of a message.
type mark struct {
	returns     uint32
	redelivered bool
}

// Add keeps a message that was published. Deadline is on the clock; zero means none. A
// message that is not persistent is dropped at the next Open: it is kept only to have
// it out of memory. For one that is persistent, p.Synced becomes the number of the
// record, which a confirm waits for. If p.Shared is set, the body is written once for all
// queues that p goes to.
func (k *Queue) Add(pos uint64, p *message.Publishing, deadline int64, persistent bool) {
	pl := place{queue: k.id, pos: pos, deadline: k.store.wallOf(deadline)}
	k.publish(&pl, p, persistent)
}

// AddAt is Add for a stream: it also keeps when the message came, on the clock.
func (k *Queue) AddAt(pos uint64, p *message.Publishing, at int64, persistent bool) {
	pl := place{queue: k.id, pos: pos, at: k.store.wallOf(at)}
	k.publish(&pl, p, persistent)
}

func (k *Queue) publish(pl *place, p *message.Publishing, persistent bool) {
	if persistent {
		pl.flags = isPersistent
	}
	if seq := k.add(pl, &p.Entry, p.Shared, &p.Stored); persistent {
		p.Synced = max(p.Synced, uint64(seq))
	}
}

// Put is Add for a persistent message that is passed by value, so that it need not be
// allocated to be given to an interface. Shared and at are those of the Publishing, synced
// and stored what is to be set there.
func (k *Queue) Put(pos uint64, e message.Entry, deadline int64, shared bool, at message.Stored) (synced uint64, stored message.Stored) {
	pl := place{queue: k.id, pos: pos, deadline: k.store.wallOf(deadline), flags: isPersistent}
	seq := k.add(&pl, &e, shared, &at) // it changes at
	return uint64(seq), at
}

// PutAt is Put for a stream: came is when the message came, on the clock.
func (k *Queue) PutAt(pos uint64, e message.Entry, came int64, shared bool, at message.Stored) (synced uint64, stored message.Stored) {
	pl := place{queue: k.id, pos: pos, at: k.store.wallOf(came), flags: isPersistent}
	seq := k.add(&pl, &e, shared, &at) // it changes at
	return uint64(seq), at
}

// add appends a message to the log. It returns 0 if the log does not take it.
func (k *Queue) add(pl *place, e *message.Entry, shared bool, at *message.Stored) (seq journal.Seq) {
	if k.deleted {
		return 0
	}
	if shared {
		seq = k.store.appendShared(pl, e, at)
	} else {
		seq = k.store.append(pl, e)
	}
	k.put(pl, seq)
	return seq
}

// Spill keeps a message that the engine has had in memory only, until the next Open, so
// that it can be dropped from memory. Its position may be lower than others that were
// added.
func (k *Queue) Spill(it *message.Item) { k.addBack(it, 0) }

// AddAgain keeps a persistent message that was removed and comes back nevertheless.
func (k *Queue) AddAgain(it *message.Item) {
	k.settled = settled{} // the record that says that it is settled must not come behind the message
	k.addBack(it, isPersistent)
}

// addBack adds a message that the engine has, unless it is on disk.
func (k *Queue) addBack(it *message.Item, flags byte) {
	if k.deleted || k.has(it.Pos) {
		return
	}
	pl := place{flags: flags, queue: k.id, pos: it.Pos, deadline: k.store.wallOf(it.Deadline), returns: it.Returns}
	if it.Redelivered {
		pl.flags |= isRedelivered
	}
	k.put(&pl, k.store.append(&pl, &it.Entry))
}

// put notes that a message is in the log, unless seq is 0: then the log has not taken it,
// because the store is closed or the message is far too long.
func (k *Queue) put(pl *place, seq journal.Seq) {
	if seq == 0 {
		return
	}
	l := k.laneAt(pl.pos)
	l.log.put(pl.pos, seq, pl.flags)
	l.next = max(l.next, pl.pos+1)
}

// Remove says that a message is settled. It does nothing if the message is not on disk.
// A message that is not written yet never is.
func (k *Queue) Remove(pos uint64) {
	l := k.lane(pos)
	if l == nil {
		return
	}
	k.unmark(pos, pos)
	if seq, flags := l.log.take(pos); seq != 0 {
		if !k.store.void(seq, flags) && flags&isPersistent != 0 {
			k.noteSettled(pos)
		}
		return
	}
	r := l.find(pos)
	if r == nil {
		return
	}
	r.remove(pos, pos)
	if !r.transient {
		k.noteSettled(pos)
	}
	r.page.settled(1)
	if r.left == 0 {
		l.removed(r)
	}
}

// RemoveRange is Remove for all messages from first to last, which are of the same
// level. Its cost hardly depends on how many they are.
func (k *Queue) RemoveRange(first, last uint64) {
	l := k.lane(first)
	if l == nil {
		return
	}
	k.unmark(first, last)
	if l.removeRange(first, last) > 0 {
		k.note(kindRange, first, last)
	}
}

// Returned notes how often a message was requeued, and whether it counts as redelivered.
// It does nothing if the message is not on disk.
func (k *Queue) Returned(pos uint64, returns uint32, redelivered bool) {
	if !k.has(pos) {
		return
	}
	k.setMark(pos, mark{returns, redelivered})
	flag := uint64(0)
	if redelivered {
		flag = 1
	}
	k.note(kindReturned, pos, uint64(returns), flag)
}

// has reports whether a message lives on disk.
func (k *Queue) has(pos uint64) bool {
	l := k.lane(pos)
	return l != nil && (l.log.where(pos) != 0 || l.find(pos) != nil)
}

func (k *Queue) setMark(pos uint64, m mark) {
	if k.marks == nil {
		k.marks = make(map[uint64]mark)
	}
	k.marks[pos] = m
}

// unmark forgets the marks of the messages from first to last.
func (k *Queue) unmark(first, last uint64) {
	if len(k.marks) == 0 {
		return
	}
	if first == last {
		delete(k.marks, first)
		return
	}
	maps.DeleteFunc(k.marks, func(pos uint64, _ mark) bool { return first <= pos && pos <= last })
}

// noteSettled appends a record that says that a message is settled. Messages are settled
// in order as a rule, so that one record can say it of many.
func (k *Queue) noteSettled(pos uint64) {
	if s := &k.settled; s.seq != 0 && pos == s.last+1 {
		var room [noteRoom]byte
		seq := k.store.log.AppendInstead(s.seq, kindRange, k.appendNote(room[:0], s.first, pos))
		k.store.appended(seq)
		if s.seq = seq; seq != 0 {
			s.last = pos
			return
		}
	}
	k.settled = settled{pos, pos, k.note(kindRemove, pos)}
}

const noteRoom = 4 * binary.MaxVarintLen64

// note appends a record about the queue.
func (k *Queue) note(kind byte, numbers ...uint64) journal.Seq {
	var room [noteRoom]byte
	seq := k.store.log.Append(kind, k.appendNote(room[:0], numbers...), nil)
	k.store.appended(seq)
	return seq
}

func (k *Queue) appendNote(b []byte, numbers ...uint64) []byte {
	b = binary.AppendUvarint(b, uint64(k.id))
	for _, n := range numbers {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// Delete drops all messages, because the queue is deleted. Its cost hardly depends on
// how many they are. The queue's number must not be known at the next Open, and the Queue
// does nothing any more.
func (k *Queue) Delete() {
	k.drop()
	k.store.mu.Lock()
	delete(k.store.queues, k.id)
	k.store.mu.Unlock()
}

// drop forgets all messages.
func (k *Queue) drop() {
	k.deleted = true
	for _, l := range k.lanes {
		for _, r := range l.runs {
			r.page.settled(r.left)
			r.left = 0
		}
	}
	k.lanes, k.marks = nil, nil
}
