package warren

import (
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/wire"
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

	policies following // guarded by vhost.mu

	mu sync.Mutex
	// Guarded by mu.
	store     store
	stream    *stream     // in place of store, if the queue is a stream; set for good
	rules     *rules      // nil: nothing is asked of the queue
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

	// Of what queues do that are asked for more; guarded by mu.
	seen     *seen       // nil: duplicates are messages like others
	single   bool        // only the active consumer gets messages
	active   *consumer   // with single
	letters  []letter    // lost messages that bury is to send out
	burying  bool        // a goroutine is about it
	timer    *time.Timer // calls ring
	alarm    int64       // when; zero: it is not set
	lastUsed int64       // with rules.expires

	policyTurn uint64 // number of the change of policies that gave the rules; guarded by mu
}

// QueueCounts count what happened in a queue since it was declared.
type QueueCounts struct {
	Published    uint64 // messages that came in
	Delivered    uint64 // messages handed to consumers and Get, redeliveries too
	Redelivered  uint64 // of these, those that came back before
	Acked        uint64 // messages settled by an ack, or delivered without one
	Dropped      uint64 // messages purged, lost with the queue or without a dead letter exchange, or gone from a stream
	DeadLettered uint64 // messages that went to the dead letter exchange instead
}

// unlock gives up the lock and then wakes the reader that has got something
// to read: one that woke earlier would only run into the lock. Whatever was
// done, no expired message is left at the head. Dead letters are sent out
// afterwards, so no other lock may be held if there can be any.
func (q *queue) unlock() {
	bury := false
	if q.store.timed > 0 || q.letters != nil {
		bury = q.settleUp()
	}
	b := q.wake
	q.wake = nil
	q.mu.Unlock()
	if b != nil {
		b.signal()
	}
	if bury {
		q.bury()
	}
}

// settleUp sees to the head of the queue, and reports whether there are dead
// letters that nobody sends out.
func (q *queue) settleUp() (bury bool) {
	if q.store.timed > 0 {
		q.dropExpired() // or the timer is set for the head that there is now
	}
	bury = q.letters != nil && !q.burying
	q.burying = q.burying || bury
	return bury
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

// push adds a message. It reports false when the queue is gone or has had the
// message before, or with immediate when no consumer has room, and fails when
// the queue refuses the message or the journal cannot keep it.
func (q *queue) push(p *publishing) (taken bool, err error) {
	e := &p.entry
	q.mu.Lock()
	if q.deleted || p.options.Immediate && !q.hasRoom() {
		q.mu.Unlock()
		return false, nil
	}
	if q.seen != nil && q.seen.before(e.content) {
		q.mu.Unlock()
		return false, nil
	}
	if q.stream != nil {
		err = q.append(e)
		q.unlock()
		return err == nil, err
	}
	if q.rules != nil && q.overflows(e) {
		q.seen.forget(e.content)
		err = q.refuse(e)
		q.unlock()
		return false, err
	}
	priority := uint8(0)
	if q.store.levels != nil && e.content != nil {
		priority = e.content.priority()
	}
	if q.journal != nil {
		if err := q.journal.add(q.store.level(priority).next, *e); err != nil {
			q.seen.forget(e.content)
			q.mu.Unlock()
			return false, err
		}
	}
	q.counts.Published++
	deadline := q.deadline(p)
	c := q.straight()
	if c == nil || !c.noAck {
		q.account(e.cost())
	}
	if c != nil {
		q.hand(c, &item{entry: *e, pos: q.store.pass(priority), deadline: deadline})
	} else {
		q.store.push(e, priority, deadline)
		if q.rules != nil || q.store.timed > 0 {
			q.tidy()
		}
	}
	q.unlock()
	return true, nil
}

// tidy takes out what may not stay, after messages have come to the ready
// ones: as in RabbitMQ, what is too much first, then what has expired.
func (q *queue) tidy() {
	if q.rules != nil {
		q.trim()
	}
	if q.store.timed > 0 {
		q.dropExpired()
	}
}

// dispatch hands ready messages to consumers with room, in turn.
func (q *queue) dispatch() {
	gone := int64(0) // bytes of what needs no ack
	for q.hasReady() {
		c := q.turn()
		if c == nil {
			break
		}
		var it item
		q.store.shift(&it)
		if c.noAck {
			gone += it.cost()
		}
		q.hand(c, &it)
	}
	if gone > 0 {
		q.account(-gone)
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
		q.wakeLater(c.take(it))
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
	if c.listed || c.gone || q.single && c != q.active {
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
	if q.stream != nil {
		q.serve(c)
		return
	}
	if c.out < c.limit {
		q.list(c)
	}
	q.dispatch()
}

// settle ends messages that c (nil: Get) had been given, acked or dropped.
func (q *queue) settle(c *consumer, items []settling, acked bool) {
	q.mu.Lock()
	for i := range items {
		q.end(&items[i].item, acked)
	}
	q.release(c, len(items))
	q.unlock()
}

// end is the end of an unacked message. What a stream has lent it has still.
func (q *queue) end(it *item, acked bool) {
	if acked {
		q.counts.Acked++
	}
	switch {
	case q.stream != nil:
	case acked:
		q.account(-it.cost())
		q.forget(it)
	default:
		q.lose(it, diedRejected)
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

// requeue brings back unacked messages of c (nil: Get) to their old places. To
// a stream nothing comes back: c goes on reading.
func (q *queue) requeue(c *consumer, items []settling, seen bool) {
	q.mu.Lock()
	for i := range items {
		it := &items[i].item
		if q.deleted || q.stream != nil {
			q.end(it, false)
			continue
		}
		it.redelivered = it.redelivered || seen
		if seen && q.wornOut(it) {
			q.lose(it, diedDeliveryLimit)
			continue
		}
		q.store.requeue(it)
	}
	q.tidy()
	q.release(c, len(items))
	q.dispatch()
	q.unlock()
}

// wornOut counts that a message comes back to a queue that limits this, and
// reports whether it was once too often.
func (q *queue) wornOut(it *item) bool {
	if q.rules == nil || q.rules.deliveryLimit < 0 {
		return false
	}
	it.returns++
	return int64(it.returns) > q.rules.deliveryLimit
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
		if q.stream == nil {
			q.store.requeue(it)
		}
	}
	q.tidy()
	q.dispatch()
}

// get takes the message at the head, for basic.get; left is what stays ready.
// It fails if only the active consumer may have messages.
func (q *queue) get(noAck bool) (d delivered, left int, ok bool, err error) {
	q.mu.Lock()
	defer q.unlock()
	q.used()
	if q.single {
		return d, 0, false, q.getsOnlyByConsumer()
	}
	if q.deleted || !q.hasReady() {
		return d, 0, false, nil
	}
	d = delivered{queue: q, timeout: q.timeout()}
	q.store.shift(&d.item)
	it := &d.item
	q.counts.Delivered++
	if it.redelivered {
		q.counts.Redelivered++
	}
	if noAck {
		q.counts.Acked++
		q.account(-it.cost())
		q.forget(it)
	} else {
		q.unacked++
	}
	q.hasReady() // what has expired behind it is not left
	return d, q.store.len(), true, nil
}

// purge drops all ready messages and reports how many there were.
func (q *queue) purge() int {
	q.mu.Lock()
	defer q.unlock()
	return q.dropReady()
}

func (q *queue) dropReady() int {
	if q.stream != nil {
		return q.evictAll()
	}
	n := q.store.len()
	for range n {
		var it item
		q.store.shift(&it)
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
func (q *queue) checkOwner(m wire.MethodID, s *Session) error {
	if q.exclusive && q.owner != s {
		return q.vhost.locked(m, q.name)
	}
	return nil
}

// close ends the queue unless unless objects: its consumers get err and its
// messages are dropped. It reports how many of them were ready.
func (q *queue) close(err error, unless func() error) (ready int, objection error) {
	q.mu.Lock()
	if q.deleted {
		q.mu.Unlock()
		return 0, nil
	}
	if unless != nil {
		if err := unless(); err != nil {
			q.mu.Unlock() // the caller may hold locks: no time for dead letters
			return 0, err
		}
	}
	defer q.unlock()
	q.account(-q.bytes)
	q.deleted = true
	if q.timer != nil {
		q.timer.Stop()
	}
	for _, c := range q.consumers {
		c.gone = true
		q.unlist(c)
		q.wakeLater(c.sink.cancelled(err))
	}
	q.consumers = nil
	return q.dropReady(), nil
}

// state is what declare-ok tells. To ask is to use the queue.
func (q *queue) state() Queue {
	q.mu.Lock()
	defer q.unlock()
	q.used()
	q.hasReady()
	return Queue{Name: q.name, Messages: q.ready(), Consumers: len(q.consumers)}
}
