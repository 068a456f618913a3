package warren

import (
	"fmt"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/wire"
)

// fate is what becomes of a delivery that is settled.
type fate int

const (
	acked fate = iota
	requeued
	dropped
)

// Ack settles the delivery with the tag, and with multiple every earlier one
// of the channel (basic.ack); tag 0 with multiple settles all. It fails with
// 406 if no delivery with the tag waits to be settled; then nothing is.
func (ch *Channel) Ack(tag uint64, multiple bool) error {
	return ch.settle(wire.BasicAckID, tag, multiple, acked)
}

// Nack gives the delivery with the tag back, and with multiple every earlier
// one of the channel (basic.nack); tag 0 with multiple gives all back. With
// requeue a message returns to its old place in the queue, else it is dropped.
func (ch *Channel) Nack(tag uint64, multiple, requeue bool) error {
	return ch.settle(wire.BasicNackID, tag, multiple, fateOfNack(requeue))
}

// Reject gives one delivery back, as Nack does (basic.reject).
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

// track notes a delivery that must be settled and gives it its tag.
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
		one := [1]queue.Settling{{Tag: tag}}
		ok := ch.unacked.Remove(tag, &one[0].Delivery)
		if ok && ch.mode.Load() == modeTx {
			ch.tx.holdSettlings(f, one[0])
			ch.mu.Unlock()
			return nil
		}
		ch.mu.Unlock()
		if !ok {
			return errUnknownTag(m, tag)
		}
		ch.applyRun(one[:], f)
		ch.revive()
		return nil
	}
	if tag == 0 {
		tag = ^uint64(0)
	} else if !ch.unacked.Has(tag) {
		ch.mu.Unlock()
		return errUnknownTag(m, tag)
	}
	room := ch.vhost.broker.settlingPool.get()
	list := ch.unacked.RemoveTo(tag, *room)
	tx := ch.mode.Load() == modeTx
	if tx {
		ch.tx.holdSettlings(f, list...)
	}
	ch.mu.Unlock()
	if !tx {
		ch.apply(list, f)
	}
	ch.vhost.broker.settlingPool.put(room, list)
	return nil
}

// settlings are lists that are used again: who settles many at once does so
// again and again.
type settlingPool struct{ pool sync.Pool }

// keptSettlings is how long a list may be to be used again.
const maxKeptSettlings = 4096

func (p *settlingPool) get() *[]queue.Settling {
	if room, ok := p.pool.Get().(*[]queue.Settling); ok {
		return room
	}
	return new([]queue.Settling)
}

// put takes back what get gave, with the list that has grown from it.
func (p *settlingPool) put(room *[]queue.Settling, list []queue.Settling) {
	if cap(list) > maxKeptSettlings {
		return
	}
	clear(list)
	*room = list[:0]
	p.pool.Put(room)
}

// apply tells the queues what became of their messages, a run of one consumer
// at a time.
func (ch *Channel) apply(list []queue.Settling, f fate) {
	start := 0
	for i := range list {
		if i+1 == len(list) || !sameRun(&list[i], &list[i+1]) {
			ch.applyRun(list[start:i+1], f)
			start = i + 1
		}
	}
	if len(list) > 0 {
		ch.revive()
	}
}

// applyRun is apply for a run.
func (ch *Channel) applyRun(run []queue.Settling, f fate) {
	q, c := run[0].Delivery.Queue, run[0].Delivery.Consumer
	if f == requeued {
		q.Requeue(c, run, true)
	} else {
		q.Settle(c, run, f == acked)
	}
}

// sameRun reports whether two deliveries were of one consumer of one queue.
func sameRun(a, b *queue.Settling) bool {
	return a.Delivery.Queue == b.Delivery.Queue && a.Delivery.Consumer == b.Delivery.Consumer
}

// Recover gives back all unsettled deliveries of the channel (basic.recover):
// with requeue to their queues, for anybody; else to the consumers that had
// them, as LavinMQ does, with new delivery tags. Deliveries of Get and of
// cancelled consumers return to their queues in any case.
func (ch *Channel) Recover(requeue bool) error {
	ch.mu.Lock()
	if err := ch.checkOpen(); err != nil {
		ch.mu.Unlock()
		return err
	}
	list := ch.unacked.RemoveTo(^uint64(0), nil)
	ch.mu.Unlock()
	if requeue {
		ch.apply(list, requeued)
		return nil
	}
	for len(list) > 0 {
		// All of one consumer at once, so that they keep their order.
		first := list[0]
		q, c := first.Delivery.Queue, first.Delivery.Consumer
		var run []queue.Settling
		rest := list[:0]
		for i := range list {
			if s := list[i]; sameRun(&s, &first) {
				s.Delivery.Redelivered = true
				run = append(run, s)
			} else {
				rest = append(rest, s)
			}
		}
		list = rest
		if c == nil || !q.Redeliver(c, run) {
			q.Requeue(c, run, true)
		}
	}
	ch.revive()
	return nil
}

// await notes a delivery that must be settled; the channel's lock is held. There
// is one alarm for all that must be settled in time.
func (ch *Channel) addUnacked(tag uint64, d *queue.Delivered) {
	if d.Timeout > 0 {
		now := ch.vhost.broker.queues.Clock.Now()
		if d.Due == 0 { // else a transaction had it meanwhile
			d.Due = now + int64(d.Timeout)
		}
		ch.alarm.Set(d.Due, now, (*settleAlarm)(ch))
	}
	ch.unacked.Add(tag, d)
}

// overdue is a channel that may not have settled a delivery in time.
type settleAlarm Channel

// Ring closes the channel if it has not, and sets the alarm again if it may
// still do so. The channel's alarm calls it.
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
	timeout, name, number, onBrokerClose := d.Timeout, d.Queue.Name, ch.shownNumber, ch.onBrokerClose
	ch.mu.Unlock()

	err := errOverdue(number, timeout)
	b.log.Warn("channel closed: a delivery was not settled in time",
		"vhost", ch.vhost.name, "session", ch.session.id, "channel", number, "queue", name, "timeout", timeout)
	ch.end(err)
	if onBrokerClose != nil {
		onBrokerClose(err)
	}
}

// nextDue is the delivery that must be settled first; nil: none must. The
// channel's lock is held.
func (ch *Channel) nextDue() (next *queue.Delivered) {
	for d := range ch.unacked.All() {
		if d.Due != 0 && (next == nil || d.Due < next.Due) {
			next = d
		}
	}
	return next
}

// errOverdue says why a channel is closed, in RabbitMQ's words. It is an
// ErrClosed, too.
func errOverdue(channel uint64, timeout time.Duration) error {
	return fmt.Errorf("%w: %w", ErrClosed, failure(0, wire.CodePreconditionFailed,
		"delivery acknowledgement on channel %d timed out. Timeout value used: %d ms. This timeout value can be configured, see consumers doc guide to learn more",
		channel, timeout.Milliseconds()).
		withHint("the queue has an x-consumer-timeout; what the channel had not settled is in its queues again"))
}
