package queue

import (
	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/message"
)

// deadline returns when a message with a deadline that comes now expires in a queue with
// rules. Zero means never.
func (q *Queue) deadline(own int64) int64 {
	if q.rules.TTL < 0 {
		return own
	}
	return clock.Earlier(own, q.shared.Clock.Now()+int64(q.rules.TTL))
}

// expiredAtOnce is how many expired messages are taken out at once.
const expiredAtOnce = 4096

// cleanHead takes out expired messages at the head. It reports whether a message is
// ready then. Like RabbitMQ, it checks messages at the head only.
func (q *Queue) cleanHead() (ready bool) {
	return (q.store.timed == 0 || q.loseExpired()) && !q.store.isEmpty() && !(q.paged && q.store.isOut())
}

// loseExpired takes out expired messages at the head, and sets the alarm for the
// deadline of the message that is at the head then. If there are very many, clean is
// false, and the rest is left to the alarm, so that others have their turn and the
// letters do not pile up.
func (q *Queue) loseExpired() (clean bool) {
	now := int64(0)
	for n := 0; q.store.len() > 0; n++ {
		out := q.store.isOut()
		if out && !q.store.top().out.dated {
			return true
		}
		deadline := q.store.deadline()
		if deadline == 0 {
			return true
		}
		if now == 0 {
			now = q.shared.Clock.Now()
		}
		if deadline > now {
			q.seldom().alarm.Set(deadline, now, q)
			return true
		}
		if out {
			return true // it expires when it is loaded
		}
		if len(q.seldom().lost) >= expiredAtOnce {
			return false // who sends the letters sets the alarm when they are sent
		}
		if n == expiredAtOnce {
			q.seldom().alarm.Set(now, now, q)
			return false
		}
		var it message.Item
		q.store.shift(&it)
		q.lose(&it, message.DiedExpired)
	}
	return true
}

// Ring takes out expired messages and tells the host if the queue has expired. It
// sets the alarm for the next deadline. The queue's alarm calls it.
func (q *Queue) Ring() {
	q.mu.Lock()
	q.seldom().alarm.Rung()
	if q.deleted {
		q.unlock() // it may have letters to send
		return
	}
	q.dispatch() // it cleans the head; what stood behind many may be ready now
	if q.stream != nil {
		q.retain(q.shared.Clock.Now())
	}
	expired, full := q.checkExpiry(), q.paged && q.shared.Memory.IsFull()
	q.unlock()
	if full && q.shared.Relief.Begin != nil {
		q.shared.Relief.Begin()
	}
	if expired {
		q.host.Expired(q)
	}
}

// touch notes that the queue is used now, which defers its expiry.
func (q *Queue) touch() {
	if q.rules != nil && q.rules.Expires > 0 {
		r := q.seldom()
		r.lastUsed = q.shared.Clock.Now()
		r.alarm.Set(r.lastUsed+int64(q.rules.Expires), r.lastUsed, q)
	}
}

// checkExpiry reports whether nobody has used the queue for the time after which it
// expires. If not, it sets the alarm for the time when that may be so.
func (q *Queue) checkExpiry() (expired bool) {
	if q.rules == nil || q.rules.Expires <= 0 {
		return false
	}
	if q.consumers.len > 0 {
		return false // the removal of the last one counts as use
	}
	r := q.seldom()
	now, end := q.shared.Clock.Now(), r.lastUsed+int64(q.rules.Expires)
	if end > now {
		r.alarm.Set(end, now, q)
		return false
	}
	return true
}
