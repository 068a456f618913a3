package warren

import (
	"math"

	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/wire"
)

// Ack settles the delivery with the tag (basic.ack). With multiple it also settles
// every earlier delivery of the channel; tag 0 then means all. It fails with 406,
// and settles nothing, if the delivery with the tag is unknown or already settled.
func (ch *Channel) Ack(tag uint64, multiple bool) error {
	return ch.settle(wire.BasicAckID, tag, multiple, acked)
}

// Nack rejects the delivery with the tag (basic.nack). With multiple it also rejects
// every earlier delivery of the channel; tag 0 then means all. With requeue the
// messages return to their old places in the queue, otherwise they are dropped or
// dead-lettered. It fails like Ack.
func (ch *Channel) Nack(tag uint64, multiple, requeue bool) error {
	return ch.settle(wire.BasicNackID, tag, multiple, fateOfNack(requeue))
}

// Reject rejects one delivery, as Nack does (basic.reject).
func (ch *Channel) Reject(tag uint64, requeue bool) error {
	return ch.settle(wire.BasicRejectID, tag, false, fateOfNack(requeue))
}

// Ack settles the delivery (basic.ack). With multiple it also settles every earlier
// delivery of the channel. See [Channel.Ack].
func (d *Delivery) Ack(multiple bool) error {
	if d.ch == nil {
		return errUnknownTag(wire.BasicAckID, d.DeliveryTag)
	}
	return d.ch.Ack(d.DeliveryTag, multiple)
}

// Nack rejects the delivery (basic.nack). With multiple it also rejects every
// earlier delivery of the channel. With requeue the messages return to their old
// places in the queue, otherwise they are dropped. See [Channel.Nack].
func (d *Delivery) Nack(multiple, requeue bool) error {
	if d.ch == nil {
		return errUnknownTag(wire.BasicNackID, d.DeliveryTag)
	}
	return d.ch.Nack(d.DeliveryTag, multiple, requeue)
}

// Reject rejects one delivery, as Nack does (basic.reject).
func (d *Delivery) Reject(requeue bool) error {
	if d.ch == nil {
		return errUnknownTag(wire.BasicRejectID, d.DeliveryTag)
	}
	return d.ch.Reject(d.DeliveryTag, requeue)
}

func fateOfNack(requeue bool) fate {
	if requeue {
		return requeued
	}
	return dropped
}

func errUnknownTag(m wire.MethodID, tag uint64) error {
	return failure(m, wire.CodePreconditionFailed, "unknown delivery tag %d", tag).
		withHint("each delivery is settled once, on the channel that received it, and only if its consumer acknowledges")
}

func (ch *Channel) settle(m wire.MethodID, tag uint64, multiple bool, f fate) error {
	ch.mu.Lock()
	if err := ch.checkOpen(); err != nil {
		ch.mu.Unlock()
		return err
	}
	if !multiple {
		if !ch.settleOne(tag, f) {
			return errUnknownTag(m, tag)
		}
		return nil
	}
	if tag == 0 {
		tag = ch.lastTag.Load() // but none that is delivered from now on
	} else if !ch.unacked.Has(tag) {
		ch.mu.Unlock()
		return errUnknownTag(m, tag)
	}
	tx := ch.mode.Load() == modeTx
	room := ch.vhost.broker.settlingPool.get()
	list := *room
	for more := true; more; {
		list = ch.unacked.RemoveTo(tag, list[:0], settledAtOnce)
		if tx {
			ch.holdSettlings(f, list...)
		}
		more = len(list) >= settledAtOnce
		ch.mu.Unlock()
		if !tx {
			ch.apply(list, f)
			ch.tellSettled()
		}
		if more {
			ch.mu.Lock()
		}
	}
	ch.vhost.broker.settlingPool.put(room, list)
	return nil
}

// settleOne settles one delivery. It reports whether the tag is one of an unsettled
// delivery. It is called with mu held and releases it.
func (ch *Channel) settleOne(tag uint64, f fate) bool {
	one := [1]queue.Settling{{Tag: tag}}
	ok := ch.unacked.Remove(tag, &one[0].Delivery)
	if ok && ch.mode.Load() == modeTx {
		ch.holdSettlings(f, one[0])
		ch.mu.Unlock()
		return true
	}
	ch.mu.Unlock()
	if ok {
		ch.applyRun(one[:], f)
		ch.tellSettled()
	}
	return ok
}

// settleOnce settles a delivery for a function that may have done so itself.
func (ch *Channel) settleOnce(tag uint64, f fate) {
	ch.mu.Lock()
	ch.settleOne(tag, f)
}

// Recover returns all unsettled deliveries of the channel (basic.recover). With
// requeue they return to their queues, for any consumer. Otherwise they are
// delivered again to the same consumers with new delivery tags, as in LavinMQ.
// Deliveries of Get and of cancelled consumers always return to their queues. With
// [LikeRabbitMQ], Recover without requeue fails with 540.
func (ch *Channel) Recover(requeue bool) error {
	if err := ch.checkRecover(wire.BasicRecoverID, requeue); err != nil {
		return err
	}
	ch.mu.Lock()
	if err := ch.checkOpen(); err != nil {
		ch.mu.Unlock()
		return err
	}
	ch.mu.Unlock()
	defer ch.tellSettled()
	last := ch.lastTag.Load() // what is delivered again gets higher tags
	if requeue {
		ch.requeueTo(last)
		return nil
	}
	ch.mu.Lock()
	list := ch.unacked.RemoveTo(last, nil, math.MaxInt)
	ch.mu.Unlock()
	for _, run := range runsOf(list) { // all at once: a mailbox gets them in front of its other messages, which are later
		ch.redeliver(run)
	}
	return nil
}

// recoverOneByOne is Recover without requeue for a connection. It calls wait after each
// delivery, and begin before the first.
func (ch *Channel) recoverOneByOne(begin, wait func()) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	defer ch.tellSettled()
	last := ch.lastTag.Load() // what is delivered again gets higher tags
	begin()
	list := []queue.Settling(nil)
	for more := true; more; {
		ch.mu.Lock()
		list = ch.unacked.RemoveTo(last, list[:0], 1)
		ch.mu.Unlock()
		more = len(list) > 0
		for i := range list {
			ch.redeliver(list[i : i+1])
			wait()
		}
	}
	return nil
}

// runsOf collects the deliveries of each queue and consumer, in the order of the first
// of them.
func runsOf(list []queue.Settling) (runs [][]queue.Settling) {
	type key struct {
		queue    *queue.Queue
		consumer *queue.Consumer
	}
	index := make(map[key]int)
	for _, s := range list {
		k := key{s.Delivery.Queue, s.Delivery.Consumer}
		i, ok := index[k]
		if !ok {
			i = len(runs)
			index[k] = i
			runs = append(runs, nil)
		}
		runs[i] = append(runs[i], s)
	}
	return runs
}

// redeliver delivers a run again to its consumer, or returns it to its queue if that is
// not possible.
func (ch *Channel) redeliver(run []queue.Settling) {
	q, c := run[0].Delivery.Queue, run[0].Delivery.Consumer
	for i := range run {
		run[i].Delivery.Redelivered = true
	}
	if c == nil || !q.Redeliver(c, run, (*channelWaiter)(ch)) {
		q.Requeue(c, run, true)
	}
}

// checkRecover fails with 540 if the broker that this one is like cannot recover
// without requeue.
func (ch *Channel) checkRecover(m wire.MethodID, requeue bool) error {
	if !requeue && ch.vhost.broker.like.NoRecoverToConsumer {
		return errNotLike(m, "requeue=false")
	}
	return nil
}
