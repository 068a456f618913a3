package warren

import (
	"sync"
)

// queue keeps messages and hands them to its consumers. It has no goroutine:
// whoever publishes, settles or consumes does its work, under its lock.
type queue struct {
	vhost      *VirtualHost
	name       string
	durable    bool
	exclusive  bool
	autoDelete bool
	args       Table
	owner      *Session // of an exclusive queue

	// Guarded by vhost.mu.
	inbound map[*binding]struct{} // bindings that lead here

	mu sync.Mutex
	// Guarded by mu.
	store     store
	journal   journal     // nil: the messages end with the broker
	consumers []*consumer // in the order they came
	roomFirst *consumer   // list of those with room: by priority, then by turn
	roomLast  *consumer
	wake      *mailbox // to signal when the lock is given up
	unacked   int
	bytes     int64 // held by ready and unacked messages
	reported  int64 // part of bytes that the broker's memory count knows
	deleted   bool
	counts    QueueCounts
}

// QueueCounts count what happened in a queue since it was declared.
type QueueCounts struct {
	Published   uint64 // messages that came in
	Delivered   uint64 // messages handed to consumers and Get, redeliveries too
	Redelivered uint64 // of these, those that came back before
	Acked       uint64 // messages settled by an ack, or delivered without one
	Dropped     uint64 // messages purged, rejected, or lost with the queue
}

// unlock gives up the lock and then wakes the reader that has got something
// to read: one that woke earlier would only run into the lock.
func (q *queue) unlock() {
	b := q.wake
	q.wake = nil
	q.mu.Unlock()
	if b != nil {
		b.signal()
	}
}

// wakeLater notes that b must be signalled.
func (q *queue) wakeLater(b *mailbox) {
	if b == nil || b == q.wake {
		return
	}
	if q.wake != nil {
		q.wake.signal()
	}
	q.wake = b
}

// push adds a message. It reports false when the queue is gone, or with
// immediate when no consumer has room, and fails when the store cannot keep it.
func (q *queue) push(e *entry, immediate bool) (taken bool, err error) {
	q.mu.Lock()
	if q.deleted || immediate && !q.hasRoom() {
		q.mu.Unlock()
		return false, nil
	}
	if q.journal != nil {
		if err := q.journal.add(q.store.next, *e); err != nil {
			q.mu.Unlock()
			return false, err
		}
	}
	q.counts.Published++
	c := q.straight()
	if c == nil || !c.noAck {
		q.account(e.cost())
	}
	if c != nil {
		q.hand(c, &item{entry: *e, pos: q.store.pass()})
	} else {
		q.store.push(e)
	}
	q.unlock()
	return true, nil
}

// dispatch hands ready messages to consumers with room, in turn.
func (q *queue) dispatch() {
	for q.store.len() > 0 {
		c := q.turn()
		if c == nil {
			return
		}
		it := q.store.shift()
		if c.noAck {
			q.account(-it.cost())
		}
		q.hand(c, &it)
	}
}

// straight is the consumer that may have a new message past the store: with
// older ones ready, nobody may.
func (q *queue) straight() *consumer {
	if q.store.len() > 0 {
		return nil
	}
	return q.turn()
}

// turn is the consumer whose turn it is, with room reserved for a message, or
// nil. Those whose channel has no room leave the list until it has.
func (q *queue) turn() *consumer {
	for c := q.roomFirst; c != nil; c = q.roomFirst {
		if c.reserve() {
			return c
		}
		q.unlist(c)
	}
	return nil
}

// hand gives a message to c, whose turn it is. Unless c is without ack, the
// message is accounted for.
func (q *queue) hand(c *consumer, it *item) {
	q.counts.Delivered++
	if it.redelivered {
		q.counts.Redelivered++
	}
	c.out++
	if c.noAck {
		q.counts.Acked++
		q.forget(it)
	} else {
		q.unacked++
		c.unsettled++
	}
	if c.out >= c.limit {
		q.unlist(c)
	} else if c.next != nil && c.next.priority == c.priority {
		q.unlist(c)
		q.list(c)
	}
	if c.box == nil {
		q.wakeLater(c.sink.deliver(*it))
	} else if c.box.put(it) {
		q.wakeLater(c.box)
	}
}

// forget tells the journal that a message is done with.
func (q *queue) forget(it *item) {
	if q.journal != nil {
		q.journal.remove(it.pos)
	}
}

// hasRoom reports whether a consumer could be given a message now.
func (q *queue) hasRoom() bool {
	for c := q.roomFirst; c != nil; c = c.next {
		if c.hasRoom() {
			return true
		}
	}
	return false
}

// list puts c behind all of its priority in the list of consumers with room.
func (q *queue) list(c *consumer) {
	if c.listed || c.gone {
		return
	}
	after := q.roomLast
	for after != nil && after.priority < c.priority {
		after = after.prev
	}
	c.listed, c.prev = true, after
	if after == nil {
		c.next, q.roomFirst = q.roomFirst, c
	} else {
		c.next, after.next = after.next, c
	}
	if c.next == nil {
		q.roomLast = c
	} else {
		c.next.prev = c
	}
}

func (q *queue) unlist(c *consumer) {
	if !c.listed {
		return
	}
	if c.prev == nil {
		q.roomFirst = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		q.roomLast = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.listed, c.prev, c.next = false, nil, nil
}

// credit gives c room for n more messages and hands over what waits.
func (q *queue) credit(c *consumer, n int) {
	c.out -= n
	if c.out < c.limit {
		q.list(c)
	}
	q.dispatch()
}

// settle ends messages that c (nil: Get) had been given, acked or dropped.
func (q *queue) settle(c *consumer, items []item, acked bool) {
	q.mu.Lock()
	for i := range items {
		q.end(&items[i], acked)
	}
	q.release(c, len(items))
	q.unlock()
}

// end is the end of an unacked message.
func (q *queue) end(it *item, acked bool) {
	q.account(-it.cost())
	q.forget(it)
	if acked {
		q.counts.Acked++
	} else {
		q.counts.Dropped++
		it.drop(ErrRequestDropped)
	}
}

// release gives c (nil: Get) its room back after n unacked messages have left.
func (q *queue) release(c *consumer, n int) {
	q.unacked -= n
	if c == nil {
		return
	}
	c.settled(n)
	if c.untilRead {
		n = 0
	}
	q.credit(c, n)
}

// requeue brings back unacked messages of c (nil: Get) to their old places.
func (q *queue) requeue(c *consumer, items []item, seen bool) {
	q.mu.Lock()
	for i := range items {
		it := &items[i]
		if q.deleted {
			q.end(it, false)
			continue
		}
		it.redelivered = it.redelivered || seen
		q.store.requeue(it)
	}
	q.release(c, len(items))
	q.dispatch()
	q.unlock()
}

// takeBack returns messages that c was given but whose reader has not seen
// them. It is called with mu held.
func (q *queue) takeBack(c *consumer, items []item) {
	if q.deleted {
		for i := range items {
			items[i].drop(ErrRequestDropped)
		}
		if !c.noAck {
			c.settled(len(items))
		}
		return
	}
	for i := range items {
		it := &items[i]
		q.counts.Delivered--
		if it.redelivered {
			q.counts.Redelivered--
		}
		if c.noAck {
			q.counts.Acked--
			q.account(it.cost())
		} else {
			q.unacked--
			c.settled(1)
		}
		q.store.requeue(it)
	}
	q.dispatch()
}

// get takes the message at the head, for basic.get; left is what stays ready.
func (q *queue) get(noAck bool) (it item, left int, ok bool) {
	q.mu.Lock()
	defer q.unlock()
	if q.deleted || q.store.len() == 0 {
		return item{}, 0, false
	}
	it = q.store.shift()
	q.counts.Delivered++
	if it.redelivered {
		q.counts.Redelivered++
	}
	if noAck {
		q.counts.Acked++
		q.account(-it.cost())
		q.forget(&it)
	} else {
		q.unacked++
	}
	return it, q.store.len(), true
}

// purge drops all ready messages and reports how many there were.
func (q *queue) purge() int {
	q.mu.Lock()
	defer q.unlock()
	return q.dropReady()
}

func (q *queue) dropReady() int {
	n := q.store.len()
	for range n {
		it := q.store.shift()
		q.account(-it.cost())
		q.forget(&it)
		it.drop(ErrRequestDropped)
	}
	q.counts.Dropped += uint64(n)
	return n
}

// account adds n to the bytes the queue holds, and tells the broker now and
// then: its count is shared by all queues and costs more than the queue's own.
func (q *queue) account(n int64) {
	if q.deleted {
		return // it has given back all it held
	}
	q.bytes += n
	if d := q.bytes - q.reported; q.vhost.broker.memory.due(d, q.bytes) {
		q.reported = q.bytes
		q.vhost.broker.memory.add(d)
	}
}

// checkOwner refuses an exclusive queue to everybody but its owner.
func (q *queue) checkOwner(m method, s *Session) error {
	if q.exclusive && q.owner != s {
		return q.vhost.locked(m, q.name)
	}
	return nil
}

// close ends the queue unless unless objects: its consumers get err and its
// messages are dropped. It reports how many of them were ready.
func (q *queue) close(err error, unless func() error) (ready int, objection error) {
	q.mu.Lock()
	defer q.unlock()
	if q.deleted {
		return 0, nil
	}
	if unless != nil {
		if err := unless(); err != nil {
			return 0, err
		}
	}
	q.account(-q.bytes)
	q.deleted = true
	for _, c := range q.consumers {
		c.gone = true
		q.unlist(c)
		q.wakeLater(c.sink.cancelled(err))
	}
	q.consumers = nil
	return q.dropReady(), nil
}

// state is what declare-ok tells.
func (q *queue) state() Queue {
	q.mu.Lock()
	defer q.mu.Unlock()
	return Queue{Name: q.name, Messages: q.store.len(), Consumers: len(q.consumers)}
}
