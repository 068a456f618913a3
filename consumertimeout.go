package warren

import (
	"fmt"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// timeout is how long a delivery of the queue may stay unsettled; zero: as long
// as it likes. The queue's lock is held.
func (q *queue) timeout() time.Duration {
	if q.rules == nil {
		return 0
	}
	return q.rules.consumerTimeout
}

// keep notes a delivery that must be settled; the channel's lock is held.
func (ch *Channel) keep(tag uint64, d *delivered) {
	if d.timeout > 0 {
		if d.due == 0 { // else a transaction had it meanwhile
			d.due = ch.vhost.broker.clock() + int64(d.timeout)
		}
		ch.expect(d.due)
	}
	ch.unacked.add(tag, d)
}

// expect has overdue called at a time. There is one timer for all deliveries of
// the channel: it is not moved when the one it was set for is settled. The
// channel's lock is held.
func (ch *Channel) expect(due int64) {
	if ch.alarm != 0 && ch.alarm <= due {
		return
	}
	ch.alarm = due
	d := time.Duration(due - ch.vhost.broker.clock())
	if ch.late == nil {
		ch.late = time.AfterFunc(d, ch.overdue)
	} else {
		ch.late.Reset(d)
	}
}

// overdue closes the channel if it has not settled a delivery in time, and
// looks when to do so if not.
func (ch *Channel) overdue() {
	b := ch.vhost.broker
	ch.mu.Lock()
	ch.alarm = 0
	d := ch.unacked.nextDue()
	if d == nil || ch.closed.Load() {
		ch.mu.Unlock()
		return
	}
	if d.due > b.clock() {
		ch.expect(d.due)
		ch.mu.Unlock()
		return
	}
	timeout, queue, number, ended := d.timeout, d.queue.name, ch.shown, ch.ended
	ch.mu.Unlock()

	err := errOverdue(number, timeout)
	b.log.Warn("channel closed: a delivery was not settled in time",
		"vhost", ch.vhost.name, "session", ch.session.id, "channel", number, "queue", queue, "timeout", timeout)
	ch.shut(err)
	if ended != nil {
		ended(err)
	}
}

// errOverdue says why a channel is closed, in RabbitMQ's words. It is an
// ErrClosed, too.
func errOverdue(channel uint64, timeout time.Duration) error {
	return fmt.Errorf("%w: %w", ErrClosed, failure(0, wire.CodePreconditionFailed,
		"delivery acknowledgement on channel %d timed out. Timeout value used: %d ms. This timeout value can be configured, see consumers doc guide to learn more",
		channel, timeout.Milliseconds()).
		hint("the queue has an x-consumer-timeout; what the channel had not settled is in its queues again"))
}
