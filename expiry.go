package warren

import (
	"strconv"
	"time"
)

// Milliseconds is d as AMQP writes an expiration: whole milliseconds, at least
// zero. It is the Expiration of a [Message] that may wait d in a queue; zero
// means that it expires unless a consumer takes it at once.
func Milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(0, d.Milliseconds()), 10)
}

// clock is the time of deadlines: nanoseconds since the broker was made, and
// one. Zero means never.
func (b *Broker) clock() int64 { return int64(time.Since(b.made)) + 1 }

// deadlineAt is a time on the broker's clock.
func (b *Broker) deadlineAt(t time.Time) int64 { return max(1, int64(t.Sub(b.made))+1) }

// earlier is the earlier of two deadlines, of which zero is never.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// deadline is when a message that comes now expires.
func (q *queue) deadline(p *publishing) int64 {
	if q.rules != nil && q.rules.ttl >= 0 {
		return earlier(p.deadline, q.vhost.broker.clock()+int64(q.rules.ttl))
	}
	return p.deadline
}

// hasReady reports whether a message is ready, after those at the head that
// have expired are gone. Like RabbitMQ, a queue looks at its head only.
func (q *queue) hasReady() bool {
	if q.store.timed > 0 {
		q.dropExpired()
	}
	return q.store.len() > 0
}

func (q *queue) dropExpired() {
	now := int64(0)
	for q.store.len() > 0 {
		deadline := q.store.deadline()
		if deadline == 0 {
			return
		}
		if now == 0 {
			now = q.vhost.broker.clock()
		}
		if deadline > now {
			q.wakeAt(deadline, now)
			return
		}
		var it item
		q.store.shift(&it)
		q.lose(&it, diedExpired)
	}
}

// wakeAt has ring called at a time. There is one timer for all that the queue
// waits for: it is not moved when what it was set for has gone.
func (q *queue) wakeAt(at, now int64) {
	if q.alarm != 0 && q.alarm <= at {
		return
	}
	q.alarm = at
	d := time.Duration(at - now)
	if q.timer == nil {
		q.timer = time.AfterFunc(d, q.ring)
	} else {
		q.timer.Reset(d)
	}
}

// ring does what is due, and looks when to do it again.
func (q *queue) ring() {
	q.mu.Lock()
	q.alarm = 0
	if q.deleted {
		q.mu.Unlock()
		return
	}
	q.hasReady()
	if q.stream != nil {
		q.retain(q.vhost.broker.clock())
	}
	unused := q.rules != nil && q.rules.expires > 0 && q.outlived()
	q.unlock()
	if unused {
		q.vhost.removeQueue(q, func() error {
			if q.rules == nil || q.rules.expires <= 0 || !q.outlived() {
				return ErrResourceLocked
			}
			return nil
		})
	}
}

// used notes that the queue is in use: it expires when this was long ago.
func (q *queue) used() {
	if q.rules != nil && q.rules.expires > 0 {
		q.lastUsed = q.vhost.broker.clock()
		q.wakeAt(q.lastUsed+int64(q.rules.expires), q.lastUsed)
	}
}

// outlived reports whether nobody has used the queue for as long as it may
// stay, and sets the timer if not.
func (q *queue) outlived() bool {
	if len(q.consumers) > 0 {
		return false // when the last one goes, the queue has been in use
	}
	now, end := q.vhost.broker.clock(), q.lastUsed+int64(q.rules.expires)
	if end > now {
		q.wakeAt(end, now)
		return false
	}
	return true
}
