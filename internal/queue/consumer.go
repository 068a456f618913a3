package queue

import (
	"context"
	"math"
	"time"

	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/message"
)

// Sink is where a consumer's messages go, and who hears what becomes of the
// consumer. Its methods are called with the queue's lock held: they must not
// block, and must not call the queue. A mailbox that they return is signalled
// when the lock is free; nil is none.
type Sink interface {
	// Accepted says that the queue has the consumer. No message comes before.
	Accepted()
	// Deliver takes a message, if the consumer is direct.
	Deliver(it message.Item) (wake *mailbox.Mailbox)
	// Cancelled says that the queue has ended the consumer.
	Cancelled(reason error) (wake *mailbox.Mailbox)
}

// ConsumerOptions say what a new consumer is.
type ConsumerOptions struct {
	Tag       string // to show
	NoAck     bool   // messages count as settled when they are given
	Exclusive bool   // no other consumer may have the queue
	Priority  int    // higher ones are served first while they have room
	Prefetch  int    // messages out at a time; zero or less: no limit
	Mailbox   int    // without a prefetch or with NoAck, most messages that wait unread
	Direct    bool   // messages go to the sink, past the mailbox
	Flow      *Flow  // nil: it is alone
	Shares    bool   // its messages count against the limit of the flow, unless it is NoAck
	Reader    *Reader
}

// Consumer is a queue's side of a consumer: how much it may still get.
type Consumer struct {
	Tag   string
	NoAck bool

	queue     *Queue
	exclusive bool
	direct    bool
	priority  int
	flow      *Flow
	sink      Sink
	box       *mailbox.Mailbox // nil: nobody reads, all goes to the sink

	timeout   time.Duration // for settling a delivery; zero: none. Set when the queue has the consumer
	limit     int           // most messages out at a time
	untilRead bool          // a message counts until it is read, not until it is settled

	// Guarded by the queue's lock.
	reader        *Reader // nil: the queue is no stream
	out           int     // messages that count against limit
	unsettled     int     // messages given out that need an ack
	shares        bool    // unsettled counts against the flow's limit too
	gone          bool    // removed, or the queue is deleted
	listed        bool    // in the queue's list of consumers with room
	before, after *Consumer
}

// NewConsumer makes a consumer for q, which does not have it yet: see Add.
func NewConsumer(q *Queue, sink Sink, o *ConsumerOptions) *Consumer {
	c := &Consumer{
		Tag: o.Tag, NoAck: o.NoAck, queue: q, exclusive: o.Exclusive, direct: o.Direct, priority: o.Priority,
		flow: o.Flow, sink: sink, box: mailbox.New(&q.mu),
		limit: o.Prefetch, untilRead: o.NoAck || o.Prefetch <= 0, shares: o.Shares && !o.NoAck, reader: o.Reader,
	}
	if c.untilRead {
		c.limit = o.Mailbox
		if o.Direct {
			c.limit = math.MaxInt // whoever takes them bounds them
		}
	}
	return c
}

// Queue is the consumer's.
func (c *Consumer) Queue() *Queue { return c.queue }

// Timeout is how long a delivery may stay unsettled; zero: as long as it likes.
func (c *Consumer) Timeout() time.Duration { return c.timeout }

// reserve takes room for one message from the flow, if there is one.
func (c *Consumer) reserve() bool {
	if c.flow == nil {
		return true
	}
	if c.flow.held.Load() != 0 {
		return false
	}
	return !c.shares || c.flow.reserve()
}

// hasRoom reports whether reserve would succeed.
func (c *Consumer) hasRoom() bool {
	if c.flow == nil {
		return true
	}
	if c.flow.held.Load() != 0 {
		return false
	}
	return !c.shares || c.flow.hasRoom()
}

// settled notes that n messages have left c.
func (c *Consumer) settled(n int) {
	c.unsettled -= n
	if c.shares {
		c.flow.release(n)
	}
}

// Keep puts a message into the mailbox that a direct consumer cannot pass on,
// to be taken back when the consumer ends. It is called by the sink.
func (c *Consumer) Keep(it *message.Item) { c.box.Put(it) }

// Abandon ends the mailbox for a reason; what is unread can still be read, but
// nobody is going to settle it. It is called by the sink.
func (c *Consumer) Abandon(reason error) (wake *mailbox.Mailbox) {
	c.box.Abandon()
	if c.box.Close(reason) {
		return c.box
	}
	return nil
}

// Share makes the consumer's messages count against the limit of the flow from
// now on.
func (c *Consumer) Share() {
	q := c.queue
	q.mu.Lock()
	if !c.shares && !c.NoAck {
		c.shares = true
		c.flow.out.Add(int64(c.unsettled))
	}
	q.mu.Unlock()
}

// Revive lets the consumer have messages again after its flow has got room.
func (c *Consumer) Revive() {
	q := c.queue
	q.mu.Lock()
	q.credit(c, 0)
	q.unlock()
}

// Add makes c one of the queue's consumers. It fails with ErrDeleted,
// ErrRemoved or ErrExclusive.
func (q *Queue) Add(c *Consumer) error {
	q.mu.Lock()
	defer q.unlock()
	if q.deleted {
		return ErrDeleted
	}
	if c.gone { // whoever wanted it has ended meanwhile
		return ErrRemoved
	}
	if len(q.consumers) > 0 && (c.exclusive || q.consumers[0].exclusive) && q.stream == nil {
		return ErrExclusive
	}
	if c.exclusive && q.single {
		return ErrExclusive
	}
	c.timeout = q.timeout()
	q.consumers = append(q.consumers, c)
	q.activate()
	c.sink.Accepted()
	if q.stream != nil {
		q.attach(c)
		return nil
	}
	q.list(c)
	q.dispatch()
	return nil
}

// Remove takes the consumer out of its queue, and what it has not read back.
// Who reads gets reason. It tells whether the queue has no consumers any more.
func (c *Consumer) Remove(reason error) (last bool) {
	q := c.queue
	q.mu.Lock()
	defer q.unlock()
	last = q.remove(c)
	q.takeBack(c, c.box.Drain())
	if c.box.Close(reason) {
		q.wakeLater(c.box)
	}
	return last
}

// remove takes c out. It tells whether it was the last one.
func (q *Queue) remove(c *Consumer) (last bool) {
	if c.gone {
		return false
	}
	c.gone = true
	q.unlist(c)
	for i, have := range q.consumers {
		if have == c {
			q.consumers = append(q.consumers[:i], q.consumers[i+1:]...)
			break
		}
	}
	if c == q.active {
		q.active = nil
		q.activate()
	}
	if len(q.consumers) == 0 {
		q.touch()
	}
	return len(q.consumers) == 0
}

// Read waits for messages and moves at least one of them into dst. It fails
// with ctx's error, or with the reason why the consumer has ended.
func (c *Consumer) Read(ctx context.Context, dst []message.Item) (int, error) {
	q := c.queue
	q.mu.Lock()
	n, err := c.box.Read(ctx, dst)
	if err != nil {
		q.mu.Unlock()
		return 0, err
	}
	if c.untilRead {
		q.credit(c, n)
	}
	q.unlock()
	return n, nil
}

// Unread brings messages back that were read but not looked at.
func (c *Consumer) Unread(items []message.Item) {
	q := c.queue
	q.mu.Lock()
	if c.gone {
		q.takeBack(c, items)
	} else {
		if c.untilRead {
			c.out += len(items)
		}
		if c.box.PutFront(items) {
			q.wakeLater(c.box)
		}
	}
	q.unlock()
}
