package queue

import (
	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/message"
)

// deadline is when a message that comes now expires.
func (q *Queue) deadline(p *message.Publishing) int64 {
	if q.rules != nil && q.rules.TTL >= 0 {
		return clock.Earlier(p.Deadline, q.shared.Clock.Now()+int64(q.rules.TTL))
	}
	return p.Deadline
}

// cleanHead takes out the messages at the head that have expired, and tells
// whether one is ready then. Like RabbitMQ, a queue looks at its head only.
func (q *Queue) cleanHead() (ready bool) {
	if q.store.timed > 0 {
		q.dropExpired()
	}
	return q.store.len() > 0
}

func (q *Queue) dropExpired() {
	now := int64(0)
	for q.store.len() > 0 {
		deadline := q.store.deadline()
		if deadline == 0 {
			return
		}
		if now == 0 {
			now = q.shared.Clock.Now()
		}
		if deadline > now {
			q.alarm.Set(deadline, now, q)
			return
		}
		var it message.Item
		q.store.shift(&it)
		q.lose(&it, message.DiedExpired)
	}
}

// Ring does what is due, and looks when to do it again. The queue's alarm calls
// it.
func (q *Queue) Ring() {
	q.mu.Lock()
	q.alarm.Rung()
	if q.deleted {
		q.mu.Unlock()
		return
	}
	q.cleanHead()
	if q.stream != nil {
		q.retain(q.shared.Clock.Now())
	}
	expired := q.expired()
	q.unlock()
	if expired {
		q.host.Expired(q)
	}
}

// touch notes that the queue is in use: it expires when this was long ago.
func (q *Queue) touch() {
	if q.rules != nil && q.rules.Expires > 0 {
		q.lastUsed = q.shared.Clock.Now()
		q.alarm.Set(q.lastUsed+int64(q.rules.Expires), q.lastUsed, q)
	}
}

// expired reports whether nobody has used the queue for as long as it may stay.
// If not, the alarm is set for when that may be.
func (q *Queue) expired() bool {
	if q.rules == nil || q.rules.Expires <= 0 {
		return false
	}
	if len(q.consumers) > 0 {
		return false // when the last one goes, the queue has been in use
	}
	now, end := q.shared.Clock.Now(), q.lastUsed+int64(q.rules.Expires)
	if end > now {
		q.alarm.Set(end, now, q)
		return false
	}
	return true
}
