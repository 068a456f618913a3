package warren

import (
	"context"
	"iter"
	"math"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/table"

	"github.com/warrenmq/warren/internal/wire"
)

// ConsumeOptions say how to consume (basic.consume). The zero value gives a
// server-named consumer that acknowledges, without a prefetch limit.
type ConsumeOptions struct {
	Tag       string // consumer tag, unique in the channel; empty: the broker makes one
	NoAck     bool   // deliveries count as settled when they are received
	Exclusive bool   // no other consumer may have the queue
	Prefetch  int    // unsettled deliveries at a time; zero: what Qos set; negative: no limit
	Priority  int    // higher ones are served first while they have room (x-priority)

	// Offset is where in a stream to start (x-stream-offset). Zero: [StreamNext].
	// Consumers of streams must have a prefetch limit and acknowledge; what they
	// give back counts as acknowledged, and Exclusive means nothing.
	Offset StreamStart
	// Filter lets only the messages of a stream through whose header
	// x-stream-filter-value is one of these (x-stream-filter). Empty: all.
	Filter []string
	// MatchUnfiltered lets a Filter take messages without such a header as well
	// (x-stream-match-unfiltered).
	MatchUnfiltered bool

	Args Table // further arguments of basic.consume
}

// consumer is a queue's side of a consumer: how much it may still get.
type consumer struct {
	queue     *queue
	tag       string
	noAck     bool
	exclusive bool
	priority  int
	ch        *Channel // nil for a Handler's consumer
	sink      sink
	box       *mailbox // of a Channel's consumer: the short way past the sink

	timeout   time.Duration // for settling a delivery; zero: none. Set when the queue has c
	limit     int           // most messages out at a time
	untilRead bool          // a message counts until it is read, not until it is settled

	// Guarded by queue.mu.
	reader     *reader // nil: the queue is no stream
	out        int     // messages that count against limit
	unsettled  int     // messages given out that need an ack
	counting   bool    // unsettled counts against the channel's shared limit too
	gone       bool    // cancelled, or the queue is deleted
	listed     bool    // in the queue's list of consumers with room
	prev, next *consumer
}

// reserve takes room for one message from the channel, if the channel sets a
// limit of its own.
func (c *consumer) reserve() bool {
	if c.ch == nil {
		return true
	}
	if c.ch.held() {
		return false
	}
	return !c.counting || c.noAck || c.ch.shared.reserve()
}

// hasRoom reports whether reserve would succeed.
func (c *consumer) hasRoom() bool {
	if c.ch == nil {
		return true
	}
	if c.ch.held() {
		return false
	}
	return !c.counting || c.noAck || c.ch.shared.hasRoom()
}

// settled notes that n messages have left c.
func (c *consumer) settled(n int) {
	c.unsettled -= n
	if c.counting {
		c.ch.shared.release(n)
	}
}

// take gives c a message. A mailbox that it returns is to be signalled.
func (c *consumer) take(it *item) *mailbox {
	if c.box == nil {
		return c.sink.deliver(*it)
	}
	if c.box.put(it) {
		return c.box
	}
	return nil
}

// count makes c's messages count against the channel's shared limit from now
// on.
func (c *consumer) count() {
	q := c.queue
	q.mu.Lock()
	if !c.counting && !c.noAck {
		c.counting = true
		c.ch.shared.out.Add(int64(c.unsettled))
	}
	q.mu.Unlock()
}

// revive lets c have messages again after its channel has got room.
func (c *consumer) revive() {
	q := c.queue
	q.mu.Lock()
	q.credit(c, 0)
	q.unlock()
}

// sink is where a consumer's messages go.
type sink interface {
	// deliver takes a message. It is called with the queue's lock held and
	// must not block. It returns a mailbox to signal once the lock is free,
	// or nil.
	deliver(it item) (wake *mailbox)
	// cancelled says that the broker has ended the consumer. It is called
	// with the queue's lock held.
	cancelled(err error) (wake *mailbox)
}

// Consumer receives the messages of one queue on a [Channel]. Its methods are
// safe for many goroutines: each message reaches one of them.
type Consumer struct {
	ch     *Channel
	tag    string
	number uint64 // among the channel's, from 1
	queue  string

	out   link.Sink // of a connection; else nil, and the mailbox takes the messages
	box   *mailbox
	c     *consumer                          // nil for a direct reply-to consumer
	stop  func(reason error, cancelled bool) // ends a direct reply-to consumer
	ended atomic.Bool                        // by Cancel or the end of the channel
	done  chan struct{}                      // closed when ConsumeFunc's goroutine has ended
}

func (c *Consumer) deliver(it item) *mailbox {
	if c.out != nil {
		c.send(&it)
		return nil
	}
	if c.box.put(&it) {
		return c.box
	}
	return nil
}

func (c *Consumer) cancelled(err error) *mailbox {
	if err == ErrConsumerCancelled {
		c.ch.removeTag(c) // its tag is free again
		if c.out != nil {
			c.out.Cancelled(c.tag)
		}
	}
	c.box.abandon()
	if c.box.close(err) {
		return c.box
	}
	return nil
}

// Tag is the consumer's tag, unique in its channel.
func (c *Consumer) Tag() string { return c.tag }

// Queue is the name of the queue, as given to Consume.
func (c *Consumer) Queue() string { return c.queue }

// Next returns the next delivery, and waits for it if there is none. It fails
// with ctx's error when ctx ends first, with [ErrClosed] after Cancel or the
// end of the channel, with [ErrConsumerCancelled] when the queue was deleted
// and with [ErrSlowConsumer] when a reply consumer fell behind; what had
// arrived before a cancel by the broker can still be read.
func (c *Consumer) Next(ctx context.Context) (Delivery, error) {
	var one [1]item
	if _, err := c.fetch(ctx, one[:]); err != nil {
		return Delivery{}, err
	}
	var d Delivery
	err := c.present(&one[0], &d)
	return d, err
}

// Deliveries yields what Next returns, until the loop is left or an error
// comes; the error is the last pair. Leaving the loop does not cancel the
// consumer: messages that the loop has not seen wait for the next reader.
func (c *Consumer) Deliveries(ctx context.Context) iter.Seq2[Delivery, error] {
	return func(yield func(Delivery, error) bool) { c.each(ctx, yield) }
}

// each reads messages in batches and yields them one by one.
func (c *Consumer) each(ctx context.Context, yield func(Delivery, error) bool) {
	batch := make([]item, 64)
	if c.c != nil && c.c.timeout > 0 {
		batch = batch[:1] // what is not seen must not hang with a reader that does
	}
	var unseen []item
	defer func() { c.giveBack(unseen) }() // a panic leaves the loop, too
	var d Delivery
	for {
		n, err := c.fetch(ctx, batch)
		if err == nil {
			unseen = batch[:n]
		}
		for len(unseen) > 0 {
			it := &unseen[0]
			unseen = unseen[1:]
			if err = c.present(it, &d); err != nil {
				break
			}
			*it = item{}
			if !yield(d, nil) {
				return
			}
			if err = c.over(ctx); err != nil {
				break
			}
		}
		if err != nil {
			c.giveBack(unseen)
			unseen = nil
			yield(Delivery{}, err)
			return
		}
	}
}

// over tells why a loop must not go on, even if there is more to read.
func (c *Consumer) over(ctx context.Context) error {
	if err := c.ch.check(); err != nil {
		return err
	}
	if c.ended.Load() {
		return ErrClosed
	}
	return ctx.Err()
}

// Cancel ends the consumer (basic.cancel). Messages that nobody has read
// return to the queue; deliveries that are not settled stay with the channel,
// which can still settle them. Cancelling twice does nothing.
func (c *Consumer) Cancel() error {
	c.end(ErrClosed, true)
	return nil
}

// Done is closed when a consumer of ConsumeFunc has ended and its last call of
// the function has returned. It is nil for other consumers.
func (c *Consumer) Done() <-chan struct{} { return c.done }

// fetch waits for messages and moves at least one of them into batch.
func (c *Consumer) fetch(ctx context.Context, batch []item) (int, error) {
	if c.c != nil {
		if err := c.ch.check(); err != nil {
			return 0, err
		}
		if c.ended.Load() {
			return 0, ErrClosed
		}
	}
	b := c.box
	b.mu.Lock()
	for b.len() == 0 {
		err := b.err
		if err == nil {
			err = b.wait(ctx)
		}
		if err != nil && b.len() == 0 {
			b.mu.Unlock()
			return 0, err
		}
	}
	n := b.take(batch)
	if c.c == nil {
		b.mu.Unlock()
		return n, nil
	}
	if c.c.untilRead {
		c.c.queue.credit(c.c, n)
	}
	c.c.queue.unlock()
	return n, nil
}

// present makes the delivery that the user sees: from here on the message has
// a delivery tag and, unless it needs no ack, waits to be settled.
func (c *Consumer) present(it *item, d *Delivery) error {
	d.fill(c.ch, it)
	d.ConsumerTag = c.tag
	if c.c == nil || c.c.noAck {
		d.DeliveryTag = c.ch.lastTag.Add(1)
		return nil
	}
	tag, err := c.ch.track(&delivered{item: *it, queue: c.c.queue, consumer: c.c, timeout: c.c.timeout})
	if err != nil { // the channel was closed meanwhile
		c.c.queue.requeue(c.c, []settling{unsettled(*it)}, false)
		return err
	}
	d.DeliveryTag = tag
	return nil
}

// giveBack returns messages that were taken but not shown.
func (c *Consumer) giveBack(items []item) {
	if len(items) == 0 {
		return
	}
	b := c.box
	b.mu.Lock()
	if c.c == nil {
		wake := b.putFront(items)
		b.mu.Unlock()
		if wake {
			b.signal()
		}
		return
	}
	q := c.c.queue
	if c.c.gone {
		q.takeBack(c.c, items)
	} else {
		if c.c.untilRead {
			c.c.out += len(items)
		}
		if b.putFront(items) {
			q.wakeLater(b)
		}
	}
	q.unlock()
}

// newConsumer makes the queue's side of a consumer. A limit of zero means
// none; mailbox is then the most that may wait unread.
func newConsumer(q *queue, tag string, o *ConsumeOptions, limit, mailbox int) *consumer {
	c := &consumer{
		queue: q, tag: tag, noAck: o.NoAck, exclusive: o.Exclusive, priority: o.Priority,
		limit: limit, untilRead: o.NoAck || limit <= 0,
	}
	if c.untilRead {
		c.limit = mailbox
	}
	return c
}

// check refuses options that cannot be meant.
func (o *ConsumeOptions) check() error {
	if err := checkName(wire.BasicConsumeID, "consumer tag", o.Tag); err != nil {
		return err
	}
	if err := checkTable(wire.BasicConsumeID, o.Args); err != nil {
		return err
	}
	if o.Prefetch > math.MaxUint16 {
		return failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "prefetch %d exceeds %d", o.Prefetch, math.MaxUint16)
	}
	return nil
}

// rank takes x-priority for a queue that is no stream.
func (o *ConsumeOptions) rank(q *queue) error {
	v, ok := o.Args["x-priority"]
	if !ok || q.stream != nil {
		return nil
	}
	n, ok := table.Integer(v)
	if !ok {
		return failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "invalid arg 'x-priority' for queue '%s' in vhost '%s': %s", q.name, q.vhost.name, noInteger(v))
	}
	o.Priority = int(n)
	return nil
}
