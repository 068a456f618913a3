package warren

import (
	"fmt"
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
		if c == nil && f == acked && ch.vhost.broker.watchers.any() {
			ch.got.acked.Add(uint64(len(run)))
		}
		q.Settle(c, run, f == acked)
	}
}

// sameRun reports whether two deliveries are of the same queue and consumer.
func sameRun(a, b *queue.Settling) bool {
	return a.Delivery.Queue == b.Delivery.Queue && a.Delivery.Consumer == b.Delivery.Consumer
}

// settledAtOnce is about how many deliveries are settled in one go: a list of all of a
// channel could be as large as the messages.
const settledAtOnce = 2048

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
	ch.endOutside(err, client)
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
