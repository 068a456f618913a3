package warren

import (
	"context"
	"iter"

	"github.com/warrenmq/warren/internal/link"

	"github.com/warrenmq/warren/internal/wire"
)

// Consume starts a consumer (basic.consume): from now on the queue hands it
// messages, to be read with [Consumer.Next] or [Consumer.Deliveries]. The
// queue's turn goes round among the consumers of the highest priority that
// have room.
//
// It fails with 404 if there is no such queue, with 403 if the queue has an
// exclusive consumer or the new one would be exclusive beside others, with 405
// if the queue belongs to another session, and with 530 if the tag is in use
// on the channel. A stream wants a prefetch limit (406) and acknowledgement
// (540), and starts where Offset says, or fails with 406.
//
// The queue may be a name of the direct reply-to pseudo-queue, see
// [DirectReplyTo]; NoAck must be set then.
func (ch *Channel) Consume(queue string, o ConsumeOptions) (*Consumer, error) {
	return ch.consume(queue, o, nil)
}

// consume is Consume, for a connection if out is not nil.
func (ch *Channel) consume(queue string, o ConsumeOptions, out link.Sink) (*Consumer, error) {
	if err := ch.check(); err != nil {
		return nil, err
	}
	if err := ch.vhost.broker.accepting(); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if isReplyName(queue) {
		return ch.consumeReplies(queue, &o, out)
	}
	return ch.register(queue, &o, out)
}

// register makes the consumer known to the channel, then to the queue.
func (ch *Channel) register(name string, o *ConsumeOptions, out link.Sink) (*Consumer, error) {
	if err := ch.checkTag(o.Tag); err != nil {
		return nil, err
	}
	q, err := ch.readQueue(wire.BasicConsumeID, name)
	if err != nil {
		return nil, err
	}
	if err := o.rank(q); err != nil {
		return nil, err
	}
	c := &Consumer{ch: ch, queue: q.name, box: newMailbox(&q.mu), out: out}
	ch.mu.Lock()
	limit := o.Prefetch
	if limit == 0 {
		limit = ch.prefetch
	}
	c.c = newConsumer(q, "", o, limit, ch.vhost.broker.options.Mailbox)
	c.c.ch, c.c.sink, c.c.box = ch, c, c.box
	if out != nil {
		c.c.toConnection()
	}
	c.c.counting = ch.shared.limit.Load() > 0 && !o.NoAck
	if c.c.reader, err = q.newReader(o, limit); err == nil {
		err = ch.addTag(c, o.Tag)
	}
	c.c.tag = c.tag
	ch.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if err := q.addConsumer(c.c); err != nil {
		ch.removeTag(c)
		return nil, err
	}
	return c, nil
}

// checkTag refuses a consumer that the channel cannot have.
func (ch *Channel) checkTag(tag string) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if err := ch.check(); err != nil {
		return err
	}
	if _, used := ch.consumers[tag]; used {
		return failure(wire.BasicConsumeID, wire.CodeNotAllowed, "attempt to reuse consumer tag '%s'", tag)
	}
	count := len(ch.consumers)
	if ch.reply.Load() != nil {
		count-- // the reply consumer is free
	}
	if limit := ch.vhost.broker.options.MaxConsumers; limit > 0 && count >= limit {
		return failure(wire.BasicConsumeID, wire.CodeNotAllowed, "reached maximum (%d) of consumers per channel", limit)
	}
	return nil
}

// addTag enters c under its tag, or a new one; the channel's lock is held.
func (ch *Channel) addTag(c *Consumer, tag string) error {
	if err := ch.check(); err != nil {
		return err
	}
	if tag == "" {
		tag = generateName("amq.ctag-")
	}
	if _, used := ch.consumers[tag]; used {
		return failure(wire.BasicConsumeID, wire.CodeNotAllowed, "attempt to reuse consumer tag '%s'", tag)
	}
	if ch.consumers == nil {
		ch.consumers = make(map[string]*Consumer)
	}
	ch.started++
	c.tag, c.number = tag, ch.started
	ch.consumers[tag] = c
	return nil
}

// removeTag takes c out; false: somebody else did.
func (ch *Channel) removeTag(c *Consumer) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.consumers[c.tag] != c {
		return false
	}
	delete(ch.consumers, c.tag)
	return true
}

// addConsumer makes c one of the queue's consumers.
func (q *queue) addConsumer(c *consumer) error {
	q.mu.Lock()
	defer q.unlock()
	if q.deleted {
		return q.vhost.noQueue(wire.BasicConsumeID, q.name)
	}
	if c.gone { // its channel was closed meanwhile
		return ErrClosed
	}
	if len(q.consumers) > 0 && (c.exclusive || q.consumers[0].exclusive) && q.stream == nil {
		return failure(wire.BasicConsumeID, wire.CodeAccessRefused, "queue '%s' in vhost '%s' in exclusive use", q.name, q.vhost.name)
	}
	if c.exclusive && q.single {
		return failure(wire.BasicConsumeID, wire.CodeAccessRefused, "queue '%s' in vhost '%s' in exclusive use", q.name, q.vhost.name)
	}
	c.timeout = q.timeout()
	q.consumers = append(q.consumers, c)
	q.activate()
	if c, ok := c.sink.(*Consumer); ok && c.out != nil {
		c.out.Consuming(c.tag)
	}
	if q.stream != nil {
		q.attach(c)
		return nil
	}
	q.list(c)
	q.dispatch()
	return nil
}

// removeConsumer takes c out, and what is in its mailbox back. It reports
// whether the queue is to be deleted now.
func (q *queue) removeConsumer(c *consumer, box *mailbox, reason error) (autoDelete bool) {
	q.mu.Lock()
	defer q.unlock()
	autoDelete = q.remove(c)
	q.takeBack(c, box.drain())
	if box.close(reason) {
		q.wakeLater(box)
	}
	return autoDelete
}

// remove takes c out and reports whether the queue is to be deleted now; mu
// is held.
func (q *queue) remove(c *consumer) (autoDelete bool) {
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
		q.used()
	}
	return q.autoDelete && len(q.consumers) == 0
}

// Cancel ends the consumer with the tag (basic.cancel); see [Consumer.Cancel].
// A tag that is not in use is no error.
func (ch *Channel) Cancel(tag string) error {
	if err := ch.check(); err != nil {
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

// end takes the consumer off its channel and queue: by Cancel, or because the
// channel is closed.
func (c *Consumer) end(reason error, cancelled bool) {
	c.ch.removeTag(c)
	c.ended.Store(true)
	if c.c == nil {
		c.stop(reason, cancelled)
		return
	}
	q := c.c.queue
	if q.removeConsumer(c.c, c.box, reason) {
		q.vhost.removeIfUnused(q)
	}
	c.ch.revive()
}

// ConsumeFunc starts a consumer and a goroutine that calls f for each of its
// deliveries, one after another, until the consumer ends. See
// [Consumer.Done].
func (ch *Channel) ConsumeFunc(queue string, o ConsumeOptions, f func(Delivery)) (*Consumer, error) {
	if f == nil {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a consumer must have a function")
	}
	tasks := &ch.vhost.broker.tasks
	tasks.add()
	c, err := ch.Consume(queue, o)
	if err != nil {
		tasks.finish()
		return nil, err
	}
	c.done = make(chan struct{})
	go func() {
		defer tasks.finish()
		defer close(c.done)
		defer c.Cancel() // f may leave by runtime.Goexit
		c.each(context.Background(), func(d Delivery, err error) bool {
			if err == nil {
				f(d)
			}
			return err == nil
		})
	}()
	return c, nil
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
		c.each(ctx, yield)
	}
}

// Get takes one message from a queue (basic.get); ok is false if none is
// ready. With autoAck it counts as settled. It fails with 404 if there is no
// such queue, with 405 if it belongs to another session or has a single active
// consumer, and with 540 if it is a stream.
func (ch *Channel) Get(queue string, autoAck bool) (d Delivery, ok bool, err error) {
	if err := ch.check(); err != nil {
		return d, false, err
	}
	q, err := ch.readQueue(wire.BasicGetID, queue)
	if err != nil {
		return d, false, err
	}
	got, left, ok, err := q.get(autoAck)
	if !ok {
		return d, false, err
	}
	d.fill(ch, &got.item)
	d.MessageCount = left
	if autoAck {
		d.DeliveryTag = ch.lastTag.Add(1)
		return d, true, nil
	}
	d.DeliveryTag, err = ch.track(&got)
	if err != nil { // the channel was closed meanwhile
		q.requeue(nil, []settling{unsettled(got.item)}, false)
		return Delivery{}, false, err
	}
	return d, true, nil
}
