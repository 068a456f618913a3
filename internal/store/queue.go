package store

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"

	"github.com/warrenmq/warren/internal/message"
)

// Taker is the engine of a queue.
type Taker interface {
	// Loaded gives what Load has read. It is called with no lock held, once for each
	// Load that has returned true. Before it uses the block's items the engine takes its
	// lock and calls Queue.Keep.
	Loaded(b *Block)
	// Paged says that more of the queue's messages are in page files now: see
	// Queue.Paged. It is called with no lock held.
	Paged()
}

// Count tells of messages how many there are and what their bodies hold.
type Count struct {
	Len   int   // messages
	Bytes int64 // of their bodies
	Timed int   // messages with a deadline
}

// Block is what Load has read: all messages that live from First to Last, in order.
type Block struct {
	First, Last uint64 // positions, of the same level
	Items       []message.Item
	Times       []int64 // when the messages came, on the clock; nil: nobody asked: see Queue.AddAt
	Count       Count   // of the messages that were known to be there, read or not
	// Damage is why messages are missing: they cannot be read, and are given up. The
	// store has told its logger.
	Damage error
}

// BlockInfo tells of a block of messages that live, without reading it.
type BlockInfo struct {
	First, Last uint64 // positions
	Count       Count
	Oldest      int64  // when the first message came, on the clock; zero: nobody asked
	Newest      int64  // when the last one came
	Marks       uint64 // union of [Mark] of all filter values; those that are settled count, too
}

// Queue is one queue's messages on disk. Its methods are called with its engine's lock
// held, and do no I/O. Positions of a level, which is a position's highest 8 bits, ascend
// with each Add. A nil Queue must not be used.
type Queue struct {
	store *Store
	id    uint32
	mu    *sync.Mutex
	taker Taker

	// Guarded by mu.
	records map[uint64][]byte
	next    map[uint8]uint64
	deleted bool
}

// levelShift is the number of bits of a position below the level.
const levelShift = 56

func newQueue(s *Store, id uint32) *Queue {
	return &Queue{store: s, id: id, records: make(map[uint64][]byte), next: make(map[uint8]uint64)}
}

// Kinds of records.
const (
	kindMessage  = 1
	kindRemove   = 3
	kindRange    = 4
	kindReturned = 5
)

// Add keeps a message that was published. Deadline is on the clock; zero means none. A
// message that is not persistent is dropped at the next Open: it is kept only to have
// it out of memory. For one that is persistent, p.Synced becomes the number of the
// record, which a confirm waits for. If p.Shared is set, the body is written once for all
// queues that p goes to.
func (k *Queue) Add(pos uint64, p *message.Publishing, deadline int64, persistent bool) {
	pl := place{queue: k.id, pos: pos, deadline: k.store.wallOf(deadline)}
	if persistent {
		pl.flags = isPersistent
	}
	seq := k.put(&pl, &p.Entry)
	if persistent {
		p.Synced = max(p.Synced, uint64(seq))
	}
}

// AddAt is Add for a stream: it also keeps when the message came, on the clock.
func (k *Queue) AddAt(pos uint64, p *message.Publishing, at int64, persistent bool) {
	pl := place{queue: k.id, pos: pos, at: k.store.wallOf(at)}
	if persistent {
		pl.flags = isPersistent
	}
	seq := k.put(&pl, &p.Entry)
	if persistent {
		p.Synced = max(p.Synced, uint64(seq))
	}
}

// Spill keeps a message that the engine has had in memory only, until the next Open, so
// that it can be dropped from memory. Its position may be lower than others that were
// added.
func (k *Queue) Spill(it *message.Item) {
	pl := place{queue: k.id, pos: it.Pos, deadline: k.store.wallOf(it.Deadline), returns: it.Returns}
	if it.Redelivered {
		pl.flags = isRedelivered
	}
	k.put(&pl, &it.Entry)
}

func (k *Queue) put(p *place, e *message.Entry) Seq {
	if k.deleted {
		return 0
	}
	head := appendContent(p.append(nil), e)
	k.records[p.pos] = slices.Concat(head, e.Body)
	k.seen(p.pos)
	return k.store.log.append(kindMessage, head, e.Body)
}

func (k *Queue) seen(pos uint64) {
	level := uint8(pos >> levelShift)
	k.next[level] = max(k.next[level], pos+1)
}

// Remove says that a message is settled. It does nothing if the message is not on disk.
func (k *Queue) Remove(pos uint64) {
	if _, ok := k.records[pos]; !ok {
		return
	}
	delete(k.records, pos)
	k.store.log.append(kindRemove, k.mark(pos), nil)
}

// RemoveRange is Remove for all messages from first to last, which are of the same
// level. Its cost does not depend on how many they are.
func (k *Queue) RemoveRange(first, last uint64) {
	maps.DeleteFunc(k.records, func(pos uint64, _ []byte) bool { return first <= pos && pos <= last })
	k.store.log.append(kindRange, binary.AppendUvarint(k.mark(first), last), nil)
}

// Returned notes how often a message was requeued, and whether it counts as redelivered.
func (k *Queue) Returned(pos uint64, returns uint32, redelivered bool) {
	rec, ok := k.records[pos]
	if !ok {
		return
	}
	b := binary.AppendUvarint(k.mark(pos), uint64(returns))
	if redelivered {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	k.returned(pos, rec, returns, redelivered)
	k.store.log.append(kindReturned, b, nil)
}

func (k *Queue) returned(pos uint64, rec []byte, returns uint32, redelivered bool) {
	r := reader{b: rec}
	var p place
	p.read(&r)
	p.returns = returns
	p.flags &^= isRedelivered
	if redelivered {
		p.flags |= isRedelivered
	}
	k.records[pos] = append(p.append(nil), r.b...)
}

func (k *Queue) mark(pos uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(k.id)), pos)
}

// Next returns the first position of a level that was never given to a message. After a
// restart the engine goes on with it.
func (k *Queue) Next(level uint8) uint64 {
	if next, ok := k.next[level]; ok {
		return next
	}
	return uint64(level) << levelShift
}

// Levels returns the levels that have messages, the lowest first.
func (k *Queue) Levels() []uint8 {
	var levels []uint8
	for pos := range k.records {
		if level := uint8(pos >> levelShift); !slices.Contains(levels, level) {
			levels = append(levels, level)
		}
	}
	slices.Sort(levels)
	return levels
}

// Out tells how many messages of a level were on disk when the store was opened: all
// that the engine has to load. First and last are their lowest and highest positions.
func (k *Queue) Out(level uint8) (first, last uint64, c Count) {
	first = ^uint64(0)
	for pos, rec := range k.records {
		if uint8(pos>>levelShift) != level {
			continue
		}
		first, last = min(first, pos), max(last, pos)
		c.add(rec)
	}
	return first, last, c
}

func (c *Count) add(rec []byte) {
	r := reader{b: rec}
	var p place
	p.read(&r)
	n, _ := bodyLen(r.b)
	c.Len++
	c.Bytes += int64(n)
	if p.deadline != 0 {
		c.Timed++
	}
}

// Blocks tells of all messages of a level that are on disk, in order.
func (k *Queue) Blocks(level uint8) []BlockInfo { return nil }

// Load starts to read messages from first to last, which are of the same level: a block
// of them from the first one on that lives. It returns false, and the taker is told
// nothing, if there is none.
func (k *Queue) Load(first, last uint64) bool {
	b := &Block{First: first, Last: last}
	var found []uint64
	for pos := range k.records {
		if first <= pos && pos <= last {
			found = append(found, pos)
		}
	}
	if len(found) == 0 {
		return false
	}
	slices.Sort(found)
	if len(found) > blockLen {
		found = found[:blockLen]
		b.Last = found[blockLen-1]
	}
	var raw [][]byte
	for _, pos := range found {
		raw = append(raw, k.records[pos])
		b.Count.add(k.records[pos])
	}
	go func() {
		p := parser{names: &k.store.names}
		for _, rec := range raw {
			r := reader{b: rec}
			var pl place
			pl.read(&r)
			it := message.Item{Pos: pl.pos, Deadline: k.store.clockOf(pl.deadline), Returns: pl.returns, Redelivered: pl.flags&isRedelivered != 0}
			b.Damage = p.parse(r.b, &it.Entry)
			b.Items = append(b.Items, it)
			if pl.at != 0 {
				b.Times = append(b.Times, k.store.clockOf(pl.at))
			}
		}
		k.taker.Loaded(b)
	}()
	return true
}

// blockLen is the most messages in a block.
const blockLen = 256

// Keep drops those of a block's items that were removed since Load was called, and takes
// them off its Count. The engine calls it when it has taken its lock in Loaded.
func (k *Queue) Keep(b *Block) {
	b.Items = slices.DeleteFunc(b.Items, func(it message.Item) bool {
		_, ok := k.records[it.Pos]
		if !ok {
			b.Count.Len--
			b.Count.Bytes -= int64(len(it.Body))
			if it.Deadline != 0 {
				b.Count.Timed--
			}
		}
		return !ok
	})
}

// Paged returns how many messages from first to last are in page files, so that the
// engine may drop them from memory, and load them again.
func (k *Queue) Paged(first, last uint64) int {
	n := 0
	for pos := range k.records {
		if first <= pos && pos <= last {
			n++
		}
	}
	return n
}

// Delete drops all messages, because the queue is deleted. Its cost does not depend on
// how many they are. The queue's number must not be known at the next Open, and the Queue
// does nothing any more.
func (k *Queue) Delete() {
	k.records, k.deleted = make(map[uint64][]byte), true
	k.store.mu.Lock()
	delete(k.store.queues, k.id)
	k.store.mu.Unlock()
}
