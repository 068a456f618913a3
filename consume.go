package warren

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/table"

	"github.com/warrenmq/warren/internal/wire"
)

// Consume starts a consumer (basic.consume): from now on the queue sends it
// messages, to be read with [Consumer.Next] or [Consumer.Deliveries]. Of the
// consumers that have room, the queue serves those with the highest priority, one
// after another.
//
// It fails with 404 if there is no such queue, with 403 if the queue has an
// exclusive consumer or if the new one is exclusive and the queue has others, with
// 405 if the queue belongs to another session, and with 530 if the tag is in use on
// the channel. A stream needs a prefetch limit (406), acknowledgement (540) and a
// valid Offset (406).
//
// The queue may be a name of the direct reply-to pseudo-queue, see [DirectReplyTo].
// NoAck must be set then.
func (ch *Channel) Consume(queue string, o ConsumeOptions) (*Consumer, error) {
	return ch.consume(queue, o, nil)
}

// consume is Consume. If sink is not nil, it is the connection that gets the
// deliveries.
func (ch *Channel) consume(queue string, o ConsumeOptions, sink link.Sink) (*Consumer, error) {
	if err := ch.checkOpen(); err != nil {
		return nil, err
	}
	if err := ch.vhost.broker.checkOpen(); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if ch.vhost.isReplyName(queue) {
		return ch.consumeReplies(queue, &o, sink)
	}
	c, err := ch.register(queue, &o, sink)
	if err != nil && ch.vhost.broker.state.Load() == stateClosed {
		return nil, ErrClosed // the queue may have gone first
	}
	return c, err
}

// register adds the consumer to the channel, then to the queue.
func (ch *Channel) register(name string, o *ConsumeOptions, sink link.Sink) (*Consumer, error) {
	if err := ch.checkTag(o.Tag); err != nil {
		return nil, err
	}
	q, err := ch.findReadableQueue(wire.BasicConsumeID, name)
	if err != nil {
		return nil, err
	}
	c := &Consumer{ch: ch, queue: cmp.Or(o.shows, q.Name()), sink: sink, sourceQueue: q}
	ch.mu.Lock()
	if err = c.setInner(o); err == nil {
		if err = ch.addTag(c, o.Tag); err != nil {
			c.inner.Discard()
		}
	}
	ch.mu.Unlock()
	if err != nil {
		return nil, err
	}
	c.inner.Tag = c.tag
	if err := ch.vhost.addConsumer(q, c.inner); err != nil {
		ch.removeTag(c)
		c.inner.Discard()
		return nil, err
	}
	ch.vhost.broker.notifyReaders()
	if err := ch.vhost.broker.checkOpen(); err != nil && sink == nil { // Shutdown may have missed it
		c.drain()
		c.end(ErrClosed, false)
		return nil, err
	}
	return c, nil
}

// setInner makes the queue's part of the consumer. c.ch.mu is held.
func (c *Consumer) setInner(o *ConsumeOptions) (err error) {
	ch := c.ch
	options := queue.ConsumerOptions{
		NoAck: o.NoAck, Exclusive: o.Exclusive, Priority: o.Priority, Prefetch: o.Prefetch,
		Mailbox: ch.vhost.broker.options.Mailbox, Direct: c.sink != nil,
		Flow: &ch.flow, Shares: ch.flow.Limited() && !o.NoAck,
	}
	c.ownPrefetch = o.Prefetch != 0
	if !c.ownPrefetch {
		options.Prefetch = ch.prefetch
	}
	if c.sourceQueue.IsStream() {
		options.Reader, err = ch.vhost.newReader(c.sourceQueue, o, options.Prefetch)
	} else {
		options.Priority, err = ch.vhost.consumerPriority(c.sourceQueue, o)
	}
	if err == nil {
		err = ch.vhost.checkGlobalPrefetch(c.sourceQueue, ch.flow.Limited())
	}
	if err != nil {
		return err
	}
	size := consumerHeld + int64(len(o.Tag)) + table.Size(o.table())
	if err := ch.vhost.broker.reserve(&options.Held, wire.BasicConsumeID, size); err != nil {
		return err
	}
	c.inner = queue.NewConsumer(c.sourceQueue.engine(), (*consumerSink)(c), &options)
	return nil
}

// addConsumer adds c to the consumers of q.
func (v *VirtualHost) addConsumer(q *declaredQueue, c *queue.Consumer) error {
	return v.consumeError(q, q.Add(c))
}

// consumeError translates the error of a queue that refuses a consumer into
// RabbitMQ's words.
func (v *VirtualHost) consumeError(q *declaredQueue, err error) error {
	switch err {
	case queue.ErrDeleted:
		return v.errNoQueue(wire.BasicConsumeID, q.Name())
	case queue.ErrRemoved:
		return ErrClosed
	case queue.ErrExclusive:
		return v.errExclusive(wire.BasicConsumeID, q.Name())
	}
	return err
}

// consumerPriority returns the consumer's priority, from x-priority if that is set.
// It fails with 406 for arguments that only streams allow.
func (v *VirtualHost) consumerPriority(q *declaredQueue, o *ConsumeOptions) (int, error) {
	const m = wire.BasicConsumeID
	args := o.table()
	if arg := argument.OfReader(args); arg != "" {
		_, queueType := argument.Foreign(v.broker.like, q.args)
		return 0, v.errForeignArg(m, arg, q.Name(), queueType)
	}
	priority, ok := o.Args["x-priority"]
	if !ok {
		return o.Priority, nil
	}
	n, ok := table.Integer(priority)
	if !ok {
		return 0, v.errBadQueueArg(m, &argument.Problem{Arg: "x-priority", Text: argument.NoInteger(priority)}, q.Name())
	}
	return int(n), nil
}

// newReader makes the reader of a stream for a consumer with a prefetch limit. It
// refuses options that streams do not support.
func (v *VirtualHost) newReader(q *declaredQueue, o *ConsumeOptions, limit int) (*queue.Reader, error) {
	const m = wire.BasicConsumeID
	args := o.table()
	arg := argument.ForeignToReader(args)
	if o.Priority != 0 {
		arg = "x-priority"
	}
	if arg != "" {
		return nil, v.errForeignArg(m, arg, q.Name(), argument.StreamName)
	}
	r, p := argument.ParseReader(args)
	if p != nil {
		return nil, v.errBadQueueArg(m, p, q.Name())
	}
	if limit <= 0 {
		return nil, failure(m, wire.CodePreconditionFailed, "consumer prefetch count is not set for 'queue '%s' in vhost '%s''", q.Name(), v.name).
			withHint("set ConsumeOptions.Prefetch, or call Qos before")
	}
	if o.NoAck {
		return nil, v.errNotForStreams(m, "automatic acknowledgement", q.Name())
	}
	return queue.NewReader(v.streamStart(r.Start), r.Filter), nil
}

// checkGlobalPrefetch refuses a consumer that shares its channel's limit where
// RabbitMQ's queues of the type do not know that.
func (v *VirtualHost) checkGlobalPrefetch(q *declaredQueue, shares bool) error {
	if _, replicated := argument.IsReplicated(v.broker.like, q.args); !shares || !replicated || !v.broker.like.StrictQueueTypes {
		return nil
	}
	return failure(wire.BasicConsumeID, wire.CodeNotImplemented, "queue '%s' in vhost '%s' does not support global qos", q.Name(), v.name)
}

// streamStart returns where a reader begins. The default is the next message.
func (v *VirtualHost) streamStart(start any) queue.Start {
	switch start := start.(type) {
	case int64:
		return queue.Start{From: queue.FromOffset, N: start}
	case time.Time:
		return queue.Start{From: queue.FromTime, N: v.broker.clockOf(start)}
	case string:
		switch start {
		case "first":
			return queue.Start{From: queue.FromFirst}
		case "last":
			return queue.Start{From: queue.FromLast}
		}
	}
	return queue.Start{From: queue.FromNext}
}

// Cancel ends the consumer with the tag (basic.cancel), see [Consumer.Cancel]. A tag
// that is not in use is no error.
func (ch *Channel) Cancel(tag string) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	if err := checkName(wire.BasicCancelID, "consumer tag", tag); err != nil {
		return err
	}
	ch.mu.Lock()
	c := ch.consumers[tag]
	ch.mu.Unlock()
	if c != nil {
		return c.Cancel()
	}
	return nil
}

// Deliveries consumes from a queue in a range loop: it starts a consumer when
// the loop begins and cancels it when the loop ends. An error, of Consume or of
// [Consumer.Next], is the last pair. A message that the loop has not seen goes
// back to the queue.
//
//	for d, err := range ch.Deliveries(ctx, "jobs", warren.ConsumeOptions{}) {
//		if err != nil {
//			return err
//		}
//		work(d.Body)
//		d.Ack(false)
//	}
func (ch *Channel) Deliveries(ctx context.Context, queue string, o ConsumeOptions) iter.Seq2[Delivery, error] {
	return func(yield func(Delivery, error) bool) {
		c, err := ch.Consume(queue, o)
		if err != nil {
			yield(Delivery{}, err)
			return
		}
		defer c.Cancel()
		c.yield(ctx, yield)
	}
}

// Get takes one message from a queue (basic.get); ok is false if none is
// ready. With autoAck it counts as settled. It fails with 404 if there is no
// such queue, with 405 if it belongs to another session or has a single active
// consumer, and with 540 if it is a stream.
func (ch *Channel) Get(name string, autoAck bool) (d Delivery, ok bool, err error) {
	if err := ch.checkOpen(); err != nil {
		return d, false, err
	}
	q, err := ch.findReadableQueue(wire.BasicGetID, name)
	if err != nil {
		return d, false, err
	}
	got, left, ok, err := q.Get(autoAck, (*channelWaiter)(ch))
	if !ok {
		return d, false, ch.getError(q, err)
	}
	ch.countGot(&got, autoAck)
	d.fill(ch, &got.Item)
	d.MessageCount = left
	if autoAck {
		d.DeliveryTag = ch.lastTag.Add(1)
	} else if d.DeliveryTag, err = ch.track(&got); err != nil { // the channel was closed after the message was taken
		q.Unget(&got, false)
		return Delivery{}, false, err
	}
	if ch.vhost.broker.options.Tracer != nil {
		ch.traceReceive(context.Background(), q.Name(), d)
	}
	return d, true, nil
}

// getError translates the error of a queue that refuses Get into RabbitMQ's words.
// It is nil if the queue was empty.
func (ch *Channel) getError(q *declaredQueue, err error) error {
	if err == nil {
		return ch.checkOpen() // it may have been closed while the queue waited for the disk
	}
	if err != queue.ErrSingleActive {
		return err
	}
	v := ch.vhost
	kind := string(Classic)
	if k, ok := q.args["x-queue-type"].(string); ok {
		kind = k
	}
	return failure(wire.BasicGetID, wire.CodeResourceLocked, "cannot obtain access to locked queue '%s' in vhost '%s'. basic.get operations are not supported by %s queues with single active consumer", q.Name(), v.name, kind)
}
