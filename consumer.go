package warren

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/mailbox"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
)

// Consumer receives the messages of one queue on a [Channel]. Its methods are safe
// for concurrent use: each message is returned once.
type Consumer struct {
	ch     *Channel
	tag    string
	number uint64 // counts the channel's consumers from 1
	queue  string

	sink        link.Sink             // the connection that gets the deliveries; nil: Next or Deliveries return them
	inner       *queue.Consumer       // the queue's part of the consumer; nil for a direct reply-to consumer
	sourceQueue *declaredQueue        // nil for a direct reply-to consumer
	reply       *replyConsumer        // nil for a queue's consumer
	ownPrefetch bool                  // its options say the prefetch, so that Qos does not
	ended       atomic.Pointer[error] // why readers get no more, set by Cancel and by the end of the channel; nil: they do
	counted     bool                  // its channel has its counts; guarded by the channel's mu

	// Of a consumer of ConsumeFunc.
	done   chan struct{} // closed when it has ended and the last call has returned; nil: it is another consumer
	reason error         // why it has ended; written before done is closed
}

// consumerSink implements queue.Sink for a consumer.
type consumerSink Consumer

func (s *consumerSink) Accepted() {
	c := (*Consumer)(s)
	if c.sink != nil {
		c.sink.Consuming(c.tag)
	}
	c.ch.vhost.recordChange(change{kind: consumerStarted, consumer: c})
}

// Deliver sends a message to the connection. If the channel is closed, the message
// stays in the mailbox until the consumer ends.
func (s *consumerSink) Deliver(it message.Item) *mailbox.Mailbox {
	c := (*Consumer)(s)
	d := queue.Delivered{Item: it, Queue: c.sourceQueue.engine(), Consumer: c.inner, Timeout: c.inner.Timeout()}
	if !c.ch.deliverToSink(c, &d, c.inner.NoAck, c.sink, 0) {
		c.inner.Keep(&it)
	}
	return nil
}

func (s *consumerSink) Cancelled(reason error) *mailbox.Mailbox {
	c := (*Consumer)(s)
	if reason == ErrConsumerCancelled {
		if c.ch.removeCounted(c, c.inner.CountsLocked()) { // the tag may be used again
			c.ch.vhost.recordChange(change{kind: consumerEnded, consumer: c, reason: errQueueDeleted})
		}
		if c.sink != nil {
			c.sink.Cancelled(c.tag)
		}
	}
	return c.inner.Abandon(reason)
}

// Tag returns the consumer's tag, unique in its channel.
func (c *Consumer) Tag() string { return c.tag }

// Queue returns the name of the queue that the consumer reads.
func (c *Consumer) Queue() string { return c.queue }

// Next returns the next delivery, and waits if there is none. It fails with ctx's
// error when ctx ends first, with [ErrClosed] after Cancel or the end of the
// channel, with [ErrConsumerCancelled] when the queue was deleted, and with
// [ErrSlowConsumer] when a reply consumer was too slow. If the broker ended the
// consumer, Next first returns the messages that had arrived.
func (c *Consumer) Next(ctx context.Context) (Delivery, error) {
	var one [1]message.Item
	if _, err := c.fetch(ctx, one[:]); err != nil {
		return Delivery{}, err
	}
	d := Delivery{ConsumerTag: c.tag}
	err := c.present(&one[0], &d)
	if err == nil && c.ch.vhost.broker.options.Tracer != nil {
		c.ch.traceReceive(ctx, c.queue, d)
	}
	return d, err
}

// Deliveries yields what Next returns, until the loop ends. An error is the last
// pair. The end of the loop does not cancel the consumer: messages that the loop has
// not seen stay for the next reader.
func (c *Consumer) Deliveries(ctx context.Context) iter.Seq2[Delivery, error] {
	return func(yield func(Delivery, error) bool) { c.yield(ctx, yield) }
}

// yield yields deliveries by value.
func (c *Consumer) yield(ctx context.Context, yield func(Delivery, error) bool) {
	var d Delivery
	c.each(ctx, maxBatch, &d, func(err error) bool {
		if err == nil && c.ch.vhost.broker.options.Tracer != nil {
			c.ch.traceReceive(ctx, c.queue, d)
		}
		return yield(d, err)
	})
}

// maxBatch is how many messages a loop reads at a time.
const maxBatch = 64

// each reads messages in batches of up to size and yields them one by one. They come
// in d, so that they are copied once less.
func (c *Consumer) each(ctx context.Context, size int, d *Delivery, yield func(err error) bool) {
	if c.reply == nil { // replies come to the end, so Shutdown does not wait for their readers
		c.ch.beginLoop()
		defer c.ch.endLoop()
	}
	batch := make([]message.Item, size)
	if c.reply == nil && c.inner.Timeout() > 0 {
		batch = batch[:1] // the timeout counts for every message in the batch, also for those not yet yielded
	}
	seen, n := 0, 0                                  // of the batch
	defer func() { c.returnUnseen(batch[seen:n]) }() // a panic in yield also leaves the loop
	d.ConsumerTag = c.tag
	for {
		var err error
		seen, n = 0, 0
		n, err = c.fetch(ctx, batch)
		for seen < n {
			it := &batch[seen]
			seen++
			if err = c.present(it, d); err != nil {
				break
			}
			*it = message.Item{}
			if !yield(nil) {
				return
			}
			if c.ch.closed.Load() || c.ended.Load() != nil || ctx.Err() != nil {
				if err = c.loopError(ctx); err != nil {
					break
				}
			}
		}
		if err != nil {
			c.returnUnseen(batch[seen:n])
			n = seen
			*d = Delivery{}
			yield(err)
			return
		}
	}
}

// loopError returns why a loop must end although messages may be left, or nil.
func (c *Consumer) loopError(ctx context.Context) error {
	if err := c.ch.checkOpen(); err != nil {
		return err
	}
	if err := c.ended.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

// Cancel ends the consumer (basic.cancel). Unread messages return to the queue.
// Unsettled deliveries stay with the channel and can still be settled. A second
// Cancel does nothing.
func (c *Consumer) Cancel() error {
	c.end(ErrClosed, true)
	return nil
}

// end removes the consumer from its channel and its queue. Cancel calls it, and so
// does the end of the channel. If cancelled is true, unread replies are dropped. It
// reports whether it is the first end.
func (c *Consumer) end(reason error, cancelled bool) (first bool) {
	if c.reply != nil {
		c.ch.removeTag(c)
		c.ended.Store(&reason)
		return c.reply.end(reason, cancelled)
	}
	counts := c.inner.Counts()
	first = c.ch.removeCounted(c, counts)
	c.ended.Store(&reason)
	v := c.ch.vhost
	v.removeAutoDeleteQueue(c.sourceQueue, c.inner.Remove(reason))
	if first {
		c.ch.countAfter(c, counts)
		v.broker.announce(change{kind: consumerEnded, vhost: v, consumer: c, reason: reason})
	}
	return first
}

// drain lets the consumer get no more messages. Those that it has not shown return
// to the queue, which stays even if it is auto-delete.
func (c *Consumer) drain() {
	closed := ErrClosed
	c.ended.Store(&closed)
	c.inner.Remove(closed)
}

// Done returns a channel that is closed when a consumer of ConsumeFunc has ended and
// the last call of its function has returned. It is nil for other consumers.
func (c *Consumer) Done() <-chan struct{} {
	return c.done
}

// Err returns nil until Done is closed, and then why the consumer has ended, as Next
// would tell. It is nil for consumers of Next and Deliveries.
func (c *Consumer) Err() error {
	select {
	case <-c.Done():
		return c.reason
	default:
		return nil
	}
}

// fetch waits for messages and moves at least one of them into batch.
func (c *Consumer) fetch(ctx context.Context, batch []message.Item) (int, error) {
	if c.reply != nil {
		return c.reply.read(ctx, batch)
	}
	if err := c.ch.checkOpen(); err != nil {
		return 0, err
	}
	if err := c.ended.Load(); err != nil {
		return 0, *err
	}
	return c.inner.Read(ctx, batch)
}

// present makes the delivery that the user sees, but for the consumer tag. The message
// gets a delivery tag and, unless the consumer has NoAck, must be settled from now on.
func (c *Consumer) present(it *message.Item, d *Delivery) error {
	d.fill(c.ch, it)
	if c.reply != nil || c.inner.NoAck {
		d.DeliveryTag = c.ch.lastTag.Add(1)
		return nil
	}
	q := c.inner.Queue()
	tag, err := c.ch.track(&queue.Delivered{Item: *it, Queue: q, Consumer: c.inner, Timeout: c.inner.Timeout()})
	if err != nil { // the channel was closed after the message was read
		q.Requeue(c.inner, []queue.Settling{queue.Unsettled(*it)}, false)
		return err
	}
	d.DeliveryTag = tag
	return nil
}

// returnUnseen returns messages that were read but not presented.
func (c *Consumer) returnUnseen(items []message.Item) {
	switch {
	case len(items) == 0:
	case c.reply != nil:
		c.reply.putBack(items)
	default:
		c.inner.Unread(items)
	}
}
