package queue

import "github.com/warrenmq/warren/internal/message"

// overflows reports whether one more message exceeds the limits of a queue that
// refuses messages at its limits. As in RabbitMQ, it does not matter whether a
// consumer waits.
func (q *Queue) overflows(e *message.Entry) bool {
	r := q.rules
	if r.Overflow == DropHead {
		return false
	}
	return r.exceeded(int64(q.store.len())+1, q.store.bytes+int64(len(e.Body)))
}

// exceeded reports whether so many ready messages, or bytes of their bodies, are too many.
func (r *Rules) exceeded(n, bytes int64) bool {
	return r.MaxLength >= 0 && n > r.MaxLength || r.MaxBytes >= 0 && bytes > r.MaxBytes
}

// refuse dead-letters a message that the queue has no room for, if the rules ask
// for it.
func (q *Queue) refuse(e *message.Entry) error {
	if q.rules.Overflow == RejectToDeadLetter && q.rules.DeadLetter != nil {
		q.memory.Add(e.Cost())
		q.seldom().DeadLettered++
		q.addLost(Lost{*e, nowhere, message.DiedMaxLen, q.rules.DeadLetter})
		return ErrPassedOn
	}
	return ErrRefused
}

// trimAtOnce is how many messages trim takes out at most: others wait for the lock.
const trimAtOnce = 1024

// trim takes out messages at the head until the rest is within the limits, or it has taken
// out many. A new message is stored before, so it may be taken out itself.
func (q *Queue) trim() {
	if q.stream != nil {
		q.retain(q.shared.Clock.Now())
		return
	}
	r := q.rules
	if r == nil || r.Overflow != DropHead || r.MaxLength < 0 && r.MaxBytes < 0 {
		return
	}
	for n, least := q.store.len(), q.store.len()-trimAtOnce; n > max(0, least); n-- {
		if !r.exceeded(int64(n), q.store.bytes) {
			return
		}
		if q.store.isOut() {
			if r.DeadLetter == nil {
				q.trimOutside(q.store.top())
			}
			return // the rest is trimmed when it is loaded
		}
		var it message.Item
		q.store.shift(&it)
		q.lose(&it, message.DiedMaxLen)
	}
}

// trimRest takes out what trim has left, if that was very much.
func (q *Queue) trimRest() {
	q.inPortions(func() (more bool) {
		n := q.store.len()
		q.tidy()
		return n-q.store.len() >= trimAtOnce
	})
}
