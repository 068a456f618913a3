package queue

import (
	"iter"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// Disk has what a queue keeps on disk. Its methods are called with the queue's lock
// held. They do no I/O and do not block. [store.Queue] is one, and says more of each.
type Disk interface {
	// Put keeps a message that survives a restart. It returns the number of its record,
	// which a confirm waits for. If several queues take it, each Put is given where the
	// one before has stored it. The message is passed by value: behind a pointer it would
	// be allocated, and so it would in a queue without a disk.
	Put(pos uint64, e message.Entry, deadline int64, shared bool, at message.Stored) (synced uint64, stored message.Stored)
	// PutAt is Put for a message that came to a stream at a time.
	PutAt(pos uint64, e message.Entry, came int64, shared bool, at message.Stored) (synced uint64, stored message.Stored)
	// Spill keeps a message until the next start, so that memory need not.
	Spill(it *message.Item)
	// AddAgain keeps a persistent message that was removed and comes back nevertheless.
	AddAgain(it *message.Item)
	// Remove says that a message is settled. There need not be one in this place.
	Remove(pos uint64)
	// RemoveRange is Remove for all from first to last, which are of one level.
	RemoveRange(first, last uint64)
	// Returned notes what is to be known of a message after a restart.
	Returned(pos uint64, returns uint32, redelivered bool)

	// Next is the position after all that were ever given to a level.
	Next(level uint8) uint64
	// Levels are those that had messages at the start, and Out tells what they had.
	Levels() []uint8
	Out(level uint8) (first, last uint64, c store.Count)
	// Blocks tells of the messages of a level that are on disk, in order: blocks that end
	// at a position or behind it.
	Blocks(level uint8, from uint64) iter.Seq[store.BlockInfo]

	// Load begins to read a block; Loaded of the queue gets it. It returns false if
	// there is none.
	Load(first, last uint64) bool
	// Keep takes out of a block what was removed since Load.
	Keep(b *store.Block)
	// Peek plans to read a block without loading it; nil: there is none.
	Peek(first, last uint64) store.Peek
	// Paged is how many messages from first to last can be loaded.
	Paged(first, last uint64) int
	// Delete drops all, because the queue is deleted.
	Delete()
}

// onDisk is what a queue keeps on disk, and how.
type onDisk struct {
	Disk
	durable bool // persistent messages survive a restart; never changes

	// Guarded by the queue's lock.
	ended   bool          // the queue is deleted in memory only, because the broker ends
	spilled bool          // messages were spilled
	loaded  chan struct{} // closed by Loaded; nil: nobody waits

	awaited awaited // of messages outside
}

// On returns the queue's place in a store, for Open in the Options of its Init.
func (q *Queue) On(s *store.Store, id uint32) Disk { return s.Queue(id, &q.mu, q) }

// keep keeps a message on disk that is about to be stored or delivered, if it is to
// survive a restart.
func (q *Queue) keep(p *message.Publishing, priority uint8, deadline int64) {
	if !q.disk.durable || !p.Persistent() {
		return
	}
	synced, stored := q.disk.Put(q.store.position(priority), p.Entry, deadline, p.Shared, p.Stored)
	p.Synced, p.Stored = max(p.Synced, synced), stored
}

// forgetOnDisk says that a message is no more. When the broker ends, what is not settled
// stays on disk.
func (q *Queue) forgetOnDisk(it *message.Item) {
	switch {
	case !q.disk.ended:
		q.disk.remove(it.Pos, &it.Entry)
	case it.Redelivered || it.Returns > 0:
		q.disk.Returned(it.Pos, it.Returns, it.Redelivered)
	}
}

// keepAgain keeps a message on disk that was settled when it was sent, and comes back
// because nobody has seen it.
func (q *Queue) keepAgain(it *message.Item) {
	if q.disk != nil && q.disk.durable && it.Persistent() {
		again := *it // it must not escape to the heap in a queue without a disk
		q.disk.AddAgain(&again)
	}
}

// remove is Remove for a message that is at hand, and need not be on disk.
func (d *onDisk) remove(pos uint64, e *message.Entry) {
	if e.Content != nil || d.spilled { // else it is not persistent
		d.Remove(pos)
	}
}

// removeChunks removes the messages in a shelf's chunks from the disk at once.
func (q *Queue) removeChunks(s *shelf) bool {
	if s.ready > 0 {
		q.disk.RemoveRange(s.first, s.next-1)
	}
	return false
}

// countAllOnDisk notes how often messages were requeued.
func (q *Queue) countAllOnDisk(items []Settling) {
	for len(items) > 0 {
		part := items[:min(len(items), settledAtOnce)]
		items = items[len(part):]
		q.mu.Lock()
		for i := range part {
			it := &part[i].Delivery.Item
			q.disk.Returned(it.Pos, it.Returns, it.Redelivered)
		}
		q.mu.Unlock()
	}
}

// openDisk takes over what the disk has of the queue. What the disk has to tell waits
// for mu until then.
func (q *Queue) openDisk(o *Options) {
	q.mu.Lock()
	d := o.Disk
	if o.Open != nil {
		d = o.Open()
	}
	if d != nil {
		q.disk = &onDisk{Disk: d, durable: o.Durable}
		q.recover()
	}
	q.unlock() // it begins to load what is first
}

func (q *Queue) recover() {
	if q.stream != nil {
		q.recoverStream()
		return
	}
	if q.store.levels == nil {
		q.store.next = q.disk.Next(0)
	}
	for _, level := range q.disk.Levels() {
		q.paged = true
		l := q.store.levels
		if l != nil { // a level without messages had some, whose positions are not given again
			l.next = max(l.next, q.disk.Next(level)&(1<<levelShift-1))
		}
		first, last, c := q.disk.Out(level)
		if c.Len == 0 {
			continue
		}
		q.store.bytes += c.Bytes
		q.store.timed += c.Timed
		s := &q.store.shelf
		if l != nil {
			s = l.at(level)
			l.len += c.Len
		}
		s.out = &outside{Count: c, first: first, last: last}
	}
}
