package queue

import (
	"context"
	"time"

	"github.com/warrenmq/warren/internal/flow"
	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
)

// Sink takes a consumer's messages and is told when the consumer is accepted or
// cancelled. Its methods are called with the queue's lock held: they must not block
// and must not call the queue. If they return a mailbox, the queue signals it when
// the lock is free.
type Sink interface {
	// Accepted says that the queue has the consumer. It is called before the first
	// message.
	Accepted()
	// Deliver takes a message. It is called for direct consumers only.
	Deliver(it message.Item) (wake *mailbox.Mailbox)
	// Cancelled says that the queue has ended the consumer.
	Cancelled(reason error) (wake *mailbox.Mailbox)
}

// ConsumerOptions configure a new consumer.
type ConsumerOptions struct {
	Tag       string        // for users; the queue does not use it
	NoAck     bool          // messages count as settled when they are delivered
	Exclusive bool          // no other consumer may have the queue
	Priority  int           // higher ones are served first while they have room
	Prefetch  int           // most messages out at a time; zero or less: no limit
	Mailbox   int           // most unread messages, without a prefetch or with NoAck
	Direct    bool          // messages go to the sink and not to the mailbox
	Flow      *flow.Channel // that it shares with other consumers; nil: none
	Shares    bool          // it shares the prefetch of the flow, unless it is NoAck
	Reader    *Reader       // where it reads in a stream; nil: from the next message on

	Held memory.Reservation // what the consumer itself holds; it gives it back in the end
}

// Consumer is a consumer as its queue sees it: it counts how many messages the
// consumer has and how many more it may get.
type Consumer struct {
	Tag   string
	NoAck bool

	queue     *Queue
	exclusive bool
	direct    bool
	priority  int
	flow      *flow.Channel // nil for the consumer of a Pool
	sink      Sink
	pool      *Pool            // whose consumer it is, and then the sink; nil: of none
	box       *mailbox.Mailbox // nil for the consumer of a Pool: all messages go to the sink

	timeout time.Duration // for settling a delivery; zero: none. Set by Add
	mailbox int           // limit of unread messages where there is no other
	passes  bool          // it settles and passes on what it gets: the queue need not count that any more

	// Guarded by the queue's lock.
	limit         int           // most messages out at a time
	untilRead     bool          // a message is out until it is read, else until it is settled
	added         bool          // one of the queue's consumers, since Add
	reader        *Reader       // nil: the queue is no stream
	out           int           // messages that count against limit
	unsettled     int           // messages that were delivered and need an ack
	shares        bool          // it shares the prefetch of the flow
	place         flow.Consumer // where it waits for room in the flow
	gone          bool          // removed, or the queue is deleted
	removed       bool          // by Remove
	listed        bool          // it has room, and it is its turn some time
	rank          *rank         // set by Add
	before, after *Consumer     // in its rank, if it is one of the queue's turns
	older, newer  *Consumer     // in the queue's roster

	counts    ConsumerCounts
	held      memory.Reservation // of the consumer itself: see releaseHeld
	abandoned int                // messages that were unread when the queue was deleted
}

// NewConsumer makes a consumer for q. It gets messages after Add.
func NewConsumer(q *Queue, sink Sink, o *ConsumerOptions) *Consumer {
	c := &Consumer{
		Tag: o.Tag, NoAck: o.NoAck, queue: q, exclusive: o.Exclusive, direct: o.Direct, priority: o.Priority,
		flow: o.Flow, sink: sink, box: mailbox.New(&q.mu),
		mailbox: o.Mailbox, shares: o.Shares && !o.NoAck, reader: o.Reader,
		held:   o.Held,
		passes: o.NoAck && o.Direct && q.stream == nil,
	}
	c.limitTo(o.Prefetch)
	c.place.Taker = c
	return c
}

// Queue returns the consumer's queue.
func (c *Consumer) Queue() *Queue { return c.queue }

// Timeout returns how long a delivery may stay unsettled. Zero means that there is
// no limit.
func (c *Consumer) Timeout() time.Duration { return c.timeout }

// directShare is how many messages a queue delivers in a row before consumers whose
// connection has a buffer must wait for their turns. So the consumer that comes first
// does not fill a buffer that others share.
const directShare = 64

// reserve takes room for one message from the flow, if the consumer has one. If it
// reports false, c waits for its turn in the flow. Had is how many messages the queue
// has just delivered.
func (c *Consumer) reserve(had int) bool { return c.isFree(had) || c.reserveOrWait(had) }

// isFree reports at little cost that there is room, and nothing to take.
func (c *Consumer) isFree(had int) bool {
	return c.flow == nil || had < directShare && !c.shares && c.flow.IsFree()
}

// reserveOrWait is reserve for a consumer that must look closely.
func (c *Consumer) reserveOrWait(had int) bool {
	if had >= directShare && c.flow.Bounded() {
		c.flow.Wait(&c.place, c.shares)
		return false
	}
	return c.flow.Reserve(&c.place, c.shares)
}

// hasRoom reports whether reserve would succeed.
func (c *Consumer) hasRoom() bool { return c.flow == nil || c.flow.HasRoom(c.shares) }

// countSettled notes that n messages of c are no longer unsettled. The caller calls
// serveFlow when the queue's lock is free.
func (c *Consumer) countSettled(n int) {
	c.unsettled -= n
	if c.shares {
		c.flow.Release(&c.place, n)
	}
	c.releaseHeld()
}

// Discard ends a consumer that Add has not accepted.
func (c *Consumer) Discard() {
	c.queue.mu.Lock()
	c.gone = true
	c.releaseHeld()
	c.queue.mu.Unlock()
}

// releaseHeld gives back what the consumer itself holds, once it is gone and no
// unsettled delivery refers to it but those that perhaps nobody reads.
func (c *Consumer) releaseHeld() {
	if c.gone && c.unsettled <= c.abandoned {
		c.held.Release()
	}
}

// serveFlow lets others have the room that has come free in the flow. No lock is held.
// A nil c stands for Get.
func (c *Consumer) serveFlow() {
	if c != nil && c.flow != nil {
		c.flow.Serve()
	}
}

// Take implements flow.Taker: it delivers messages to c, whose turn it is.
func (c *Consumer) Take(t flow.Turn) (used bool) {
	q := c.queue
	q.mu.Lock()
	defer q.unlock()
	if c.gone {
		return false
	}
	if first := q.firstOf(c); first != c {
		c.flow.Wait(&c.place, c.shares)
		c.flow.Leave(&first.place)
		c = first
	}
	c.place.Turn(t, c.shares)
	q.credit(c, 0)
	return c.place.Over()
}

// firstOf returns c, or a consumer of the same flow that waits, too, and has a higher
// priority.
func (q *Queue) firstOf(c *Consumer) *Consumer {
	first := c
	if q.single || !q.turns.isRanked() {
		return c
	}
	for o := q.consumers.first; o != nil; o = o.newer {
		if o.priority > first.priority && o.flow == c.flow && o.shares == c.shares && !o.listed && o.out < o.limit {
			first = o
		}
	}
	return first
}

// Keep puts a message that the sink of a direct consumer cannot pass on into the
// mailbox. The queue takes it back when the consumer ends. The sink calls it.
func (c *Consumer) Keep(it *message.Item) { c.box.Put(it) }

// Abandon closes the mailbox for a reason. Unread messages can still be read, but
// nobody is going to settle them. The sink calls it.
func (c *Consumer) Abandon(reason error) (wake *mailbox.Mailbox) {
	c.box.Abandon()
	if c.box.Close(reason) {
		return c.box
	}
	return nil
}

// Share makes the consumer share the prefetch of the flow from now on, unless it is
// without ack.
func (c *Consumer) Share() {
	q := c.queue
	q.mu.Lock()
	if !c.shares && !c.NoAck {
		c.shares = true
		c.flow.Share(&c.place, c.unsettled)
	}
	q.mu.Unlock()
}

// Add makes c one of the queue's consumers. It fails with ErrDeleted,
// ErrRemoved or ErrExclusive.
func (q *Queue) Add(c *Consumer) error {
	q.mu.Lock()
	defer q.unlock()
	if q.deleted {
		return ErrDeleted
	}
	if c.gone { // Remove was called before
		return ErrRemoved
	}
	if q.consumers.len > 0 && (c.exclusive || q.consumers.first.exclusive) && q.stream == nil {
		return ErrExclusive
	}
	if c.exclusive && q.single {
		return ErrExclusive
	}
	c.timeout, c.added = q.timeout(), true
	q.consumers.add(c)
	q.turns.join(c)
	if q.single {
		q.turns.add(c)
		q.activate()
	}
	c.sink.Accepted()
	if q.stream != nil {
		q.attach(c)
		return nil
	}
	q.list(c)
	q.dispatch()
	return nil
}

// Remove removes the consumer from its queue, which takes unread messages back.
// Read then fails with reason. Remove reports whether it was the queue's last
// consumer.
func (c *Consumer) Remove(reason error) (last bool) {
	q := c.queue
	defer c.serveFlow()
	q.mu.Lock()
	defer q.unlock()
	c.removed = true
	last = q.remove(c)
	if unread := c.box.Drain(); q.deleted {
		q.forget(c, unread)
	} else {
		q.takeBack(c, unread)
	}
	if c.box.Close(reason) {
		q.wakeLater(c.box)
	}
	return last
}

// remove takes c out of the queue. It reports whether it was the last one.
func (q *Queue) remove(c *Consumer) (last bool) {
	if c.gone {
		return false
	}
	q.retire(c)
	if c.added {
		q.consumers.remove(c)
		if q.single && c != q.rare.active {
			q.turns.remove(c)
		}
		q.turns.leave(c)
	}
	if q.single && c == q.rare.active {
		q.rare.active = nil
		q.activate()
	}
	if q.consumers.len == 0 {
		q.touch()
	}
	return q.consumers.len == 0
}

// retire sees to it that c gets no more messages.
func (q *Queue) retire(c *Consumer) {
	c.gone = true
	c.releaseHeld()
	q.unlist(c)
	if c.flow != nil {
		c.flow.Leave(&c.place)
	}
}

// Read waits for messages and moves at least one of them into dst. It returns the
// number of messages. It fails with ctx's error, or with the reason why the
// consumer has ended.
func (c *Consumer) Read(ctx context.Context, dst []message.Item) (int, error) {
	q := c.queue
	q.mu.Lock()
	n, err := c.box.Read(ctx, dst)
	if err != nil {
		q.mu.Unlock()
		return 0, err
	}
	if c.NoAck != q.deleted { // what is read of a deleted queue counts again until it is settled
		sum := q.costOf(dst[:n])
		if c.NoAck {
			sum = -sum
		}
		q.memory.Add(sum)
	}
	if c.untilRead {
		q.credit(c, n)
	}
	q.unlock()
	return n, nil
}

// Unread takes messages back that were read but that nobody has seen.
func (c *Consumer) Unread(items []message.Item) {
	q := c.queue
	q.mu.Lock()
	if c.NoAck != q.deleted { // as in Read
		sum := q.costOf(items)
		if q.deleted {
			sum = -sum
		}
		q.memory.Add(sum)
	}
	switch {
	case q.deleted:
		q.forget(c, items)
	case c.gone:
		q.takeBack(c, items)
	default:
		if c.untilRead {
			c.out += len(items)
		}
		if c.box.PutFront(items) {
			q.wakeLater(c.box)
		}
	}
	q.unlock()
	c.serveFlow()
}
