package warren

import (
	"fmt"
	"time"

	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/wire"
)

// await notes a delivery that must be settled; the channel's lock is held. There
// is one alarm for all that must be settled in time.
func (ch *Channel) await(tag uint64, d *queue.Delivered) {
	if d.Timeout > 0 {
		now := ch.vhost.broker.queues.Clock.Now()
		if d.Due == 0 { // else a transaction had it meanwhile
			d.Due = now + int64(d.Timeout)
		}
		ch.alarm.Set(d.Due, now, (*overdue)(ch))
	}
	ch.unacked.Add(tag, d)
}

// overdue is a channel that may not have settled a delivery in time.
type overdue Channel

// Ring closes the channel if it has not, and sets the alarm again if it may
// still do so. The channel's alarm calls it.
func (o *overdue) Ring() {
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
	timeout, name, number, closedBy := d.Timeout, d.Queue.Name, ch.shown, ch.closedBy
	ch.mu.Unlock()

	err := errOverdue(number, timeout)
	b.log.Warn("channel closed: a delivery was not settled in time",
		"vhost", ch.vhost.name, "session", ch.session.id, "channel", number, "queue", name, "timeout", timeout)
	ch.end(err)
	if closedBy != nil {
		closedBy(err)
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
		hint("the queue has an x-consumer-timeout; what the channel had not settled is in its queues again"))
}
