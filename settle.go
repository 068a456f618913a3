package warren

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/wire"
)

// fate is what happens to a settled delivery.
type fate = queue.Fate

const (
	acked    = queue.Acked
	requeued = queue.Requeued
	dropped  = queue.Dropped
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

// track gives a delivery its tag and adds it to the unsettled ones.
func (ch *Channel) track(d *queue.Delivered) (uint64, error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if err := ch.checkOpen(); err != nil {
		return 0, err
	}
	tag := ch.lastTag.Add(1)
	ch.addUnacked(tag, d)
	return tag, nil
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

// settledAtOnce is about how many deliveries are settled in one go: a list of all of a
// channel could be as large as the messages.
const settledAtOnce = 2048

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

// settlingPool keeps lists for reuse, because those who settle many deliveries at
// once do so often.
type settlingPool struct{ pool sync.Pool }

// maxKeptSettlings is the capacity of the largest list that is kept.
const maxKeptSettlings = 4096

func (p *settlingPool) get() *[]queue.Settling {
	if room, ok := p.pool.Get().(*[]queue.Settling); ok {
		return room
	}
	return new([]queue.Settling)
}

// put returns what get returned, with the list that has grown from it.
func (p *settlingPool) put(room *[]queue.Settling, list []queue.Settling) {
	if cap(list) > maxKeptSettlings {
		return
	}
	clear(list)
	*room = list[:0]
	p.pool.Put(room)
}

// apply settles deliveries with their queues. It makes one call for each run of
// deliveries that are of the same consumer.
func (ch *Channel) apply(list []queue.Settling, f fate) {
	start := 0
	for i := range list {
		if i+1 == len(list) || !sameRun(&list[i], &list[i+1]) {
			ch.applyRun(list[start:i+1], f)
			start = i + 1
		}
	}
}

// applyRun settles the deliveries of one run.
func (ch *Channel) applyRun(run []queue.Settling, f fate) {
	q, c := run[0].Delivery.Queue, run[0].Delivery.Consumer
	if f == requeued {
		q.Requeue(c, run, true)
	} else {
		q.Settle(c, run, f == acked)
	}
}

// sameRun reports whether two deliveries are of the same queue and consumer.
func sameRun(a, b *queue.Settling) bool {
	return a.Delivery.Queue == b.Delivery.Queue && a.Delivery.Consumer == b.Delivery.Consumer
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

// requeueTo requeues unsettled deliveries up to a tag. mu is not held.
func (ch *Channel) requeueTo(tag uint64) {
	room := ch.vhost.broker.settlingPool.get()
	list := *room
	for more := true; more; {
		ch.mu.Lock()
		list = ch.unacked.RemoveTo(tag, list[:0], settledAtOnce)
		ch.mu.Unlock()
		more = len(list) >= settledAtOnce
		ch.apply(list, requeued)
	}
	ch.vhost.broker.settlingPool.put(room, list)
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
	if c == nil || !q.Redeliver(c, run) {
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

// addUnacked adds a delivery that must be settled. One alarm serves all deliveries
// with a timeout. ch.mu is held.
func (ch *Channel) addUnacked(tag uint64, d *queue.Delivered) {
	if d.Timeout > 0 {
		now := ch.vhost.broker.queues.Clock.Now()
		if d.Due == 0 { // it is set if the delivery was in a transaction
			d.Due = now + int64(d.Timeout)
		}
		ch.alarm.Set(d.Due, now, (*settleAlarm)(ch))
	}
	if d.Queue.IsStream() {
		d.Entry = message.Entry{} // the stream may evict it: an offset is enough
	}
	ch.unacked.Add(tag, d)
}

// settleAlarm implements the channel's alarm for deliveries that are not settled in
// time.
type settleAlarm Channel

// Ring closes the channel if the timeout of a delivery is over. Otherwise it sets
// the alarm for the next delivery.
func (o *settleAlarm) Ring() {
	ch := (*Channel)(o)
	b := ch.vhost.broker
	ch.mu.Lock()
	ch.alarm.Rung()
	d := ch.nextDue()
	if d == nil || ch.closed.Load() {
		ch.mu.Unlock()
		return
	}
	if now := b.queues.Clock.Now(); d.Due > now {
		ch.alarm.Set(d.Due, now, o)
		ch.mu.Unlock()
		return
	}
	timeout, name, number, client := d.Timeout, d.Queue.Name(), ch.shownNumber, ch.client
	ch.mu.Unlock()

	err := errOverdue(number, timeout)
	b.log.Warn("channel closed: a delivery was not settled in time",
		"vhost", ch.vhost.name, "session", ch.session.id, "channel", number, "queue", name, "timeout", timeout)
	ch.end(err)
	if client != nil {
		client.Ended(err)
	}
}

// nextDue returns the delivery that must be settled first, or nil if none has a
// timeout. ch.mu is held.
func (ch *Channel) nextDue() (next *queue.Delivered) {
	for d := range ch.unacked.All() {
		if d.Due != 0 && (next == nil || d.Due < next.Due) {
			next = d
		}
	}
	return next
}

// errOverdue says why a channel is closed, in RabbitMQ's words. The error matches
// ErrClosed.
func errOverdue(channel uint64, timeout time.Duration) error {
	return fmt.Errorf("%w: %w", ErrClosed, failure(0, wire.CodePreconditionFailed,
		"delivery acknowledgement on channel %d timed out. Timeout value used: %d ms. This timeout value can be configured, see consumers doc guide to learn more",
		channel, timeout.Milliseconds()).
		withHint("the queue has an x-consumer-timeout; what the channel had not settled is in its queues again"))
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
