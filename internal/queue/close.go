package queue

import "github.com/warrenmq/warren/internal/message"

// Condition is a set of conditions that must hold for Close to close a queue.
type Condition uint8

// The conditions, with the errors of Close if they do not hold.
const (
	Always    Condition = 0         // no condition
	IfUnused  Condition = 1 << iota // it has no consumers; else ErrInUse
	IfEmpty                         // it has no ready messages; else ErrNotEmpty
	IfExpired                       // it has expired; else ErrNotExpired

	// Ends is no condition: the queue is closed because the broker ends, and stays on
	// disk with its messages.
	Ends
)

// Rest is what is left of a queue that was deleted or purged.
type Rest struct {
	queue     *Queue // nil: nothing is left
	reason    error
	consumers *Consumer // the oldest of those that have not been told yet
	store     backlog
	segments  []*segment
}

// Close deletes the queue if the condition holds: from now on it takes and delivers
// nothing. Close returns how many messages were ready. The caller may hold other
// locks. Without these it calls Drop of the rest, which may take long. For a queue
// that is deleted Close does nothing.
func (q *Queue) Close(reason error, c Condition) (rest Rest, ready int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deleted {
		return Rest{}, 0, nil
	}
	if err := q.checkClose(c); err != nil {
		return Rest{}, 0, err
	}
	q.deleted = true
	if q.disk != nil {
		q.disk.ended = c&Ends != 0
		q.wakeAwaiting()
	}
	if q.rare != nil {
		q.rare.alarm.Stop()
		q.rare.active = nil
	}
	for c := q.consumers.first; c != nil; c = c.newer {
		if c.box != nil && !c.NoAck {
			unread := c.box.Unread()
			c.abandoned = len(unread)
			q.seldom().abandoned += c.abandoned
			if q.disk != nil && q.disk.ended {
				for i := range unread { // nobody gives them back any more
					q.forgetOnDisk(&unread[i])
				}
			}
		}
		q.retire(c)
		if c.box != nil && !c.passes {
			q.memory.Add(-q.costOf(c.box.Unread())) // perhaps nobody reads them
		}
	}
	rest, ready = q.takeReady()
	if q.disk != nil && !q.disk.ended {
		q.disk.Delete()
	}
	rest.reason, rest.consumers = reason, q.consumers.first
	q.consumers, q.turns = roster{}, turns{}
	return rest, ready, nil
}

// checkClose returns why the condition does not hold, or nil if it does.
func (q *Queue) checkClose(c Condition) error {
	switch {
	case c&IfUnused != 0 && q.consumers.len > 0:
		return ErrInUse
	case c&IfEmpty != 0 && q.ready() > 0:
		return ErrNotEmpty
	case c&IfExpired != 0 && !q.checkExpiry():
		return ErrNotExpired
	}
	return nil
}

// droppedAtOnce is how many messages or consumers of a deleted queue go before others
// get its lock. So many messages fit a processor's cache.
const droppedAtOnce = 64

// Drop cancels the consumers and drops the messages. No lock is held.
func (r *Rest) Drop() {
	if r.queue == nil {
		return
	}
	for r.consumers != nil {
		r.cancelSome()
	}
	r.drop()
	r.queue.mu.Lock()
	r.queue.memory.Close()
	r.queue.releaseHeld()
	if r.queue.deduplicates {
		r.queue.rare.seen.Close()
	}
	r.queue.unlock() // the queue may have letters to send
}

// drop drops the messages.
func (r *Rest) drop() {
	for r.store.len() > 0 {
		r.dropSome()
	}
	for _, g := range r.segments {
		r.queue.mu.Lock()
		r.queue.dropSegment(g)
		r.queue.mu.Unlock()
	}
	r.segments = nil
}

// cancelSome cancels consumers, but those that were removed meanwhile.
func (r *Rest) cancelSome() {
	q := r.queue
	q.mu.Lock()
	for range droppedAtOnce {
		c := r.consumers
		if c == nil {
			break
		}
		r.consumers, c.older, c.newer = c.newer, nil, nil
		if !c.removed {
			q.wakeLater(c.sink.Cancelled(r.reason))
		}
	}
	q.unlock()
}

// dropSome drops messages.
func (r *Rest) dropSome() {
	q := r.queue
	var items [droppedAtOnce]message.Item
	n, sum := 0, int64(0)
	for ; n < len(items) && r.store.len() > 0; n++ {
		r.store.shift(&items[n])
		if sum += items[n].BareCost(); items[n].Content != nil {
			sum += items[n].Content.Size()
		}
	}
	q.mu.Lock()
	q.memory.Add(-sum)
	if q.disk != nil {
		for i := range items[:n] {
			q.forgetOnDisk(&items[i])
		}
	}
	q.mu.Unlock()
	for i := range items[:n] {
		items[i].Lost()
	}
}
