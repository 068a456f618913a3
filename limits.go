package warren

// overflows reports whether one more message exceeds the limits of a queue that
// refuses what it has no room for. As in RabbitMQ, it does so even if a
// consumer waits.
func (q *queue) overflows(e *entry) bool {
	r := q.rules
	if r.overflow == DropHead {
		return false
	}
	return r.maxLength >= 0 && int64(q.store.len())+1 > r.maxLength ||
		r.maxBytes >= 0 && q.store.bytes+int64(len(e.body)) > r.maxBytes
}

// refuse is the end of a message that the queue has no room for.
func (q *queue) refuse(e *entry) error {
	if q.rules.overflow == RejectPublishDLX && q.rules.deadLetter != nil {
		q.counts.DeadLettered++
		q.letters = append(q.letters, letter{entry: *e, reason: diedMaxLen})
	}
	return ErrNacked
}

// trim drops messages at the head until the rest is within the limits. A new
// message is in when the head is dropped, and may be the head.
func (q *queue) trim() {
	if q.stream != nil {
		q.retain(q.vhost.broker.clock())
		return
	}
	r := q.rules
	if r == nil || r.overflow != DropHead || r.maxLength < 0 && r.maxBytes < 0 {
		return
	}
	for n := q.store.len(); n > 0; n-- {
		if (r.maxLength < 0 || int64(n) <= r.maxLength) && (r.maxBytes < 0 || q.store.bytes <= r.maxBytes) {
			return
		}
		var it item
		q.store.shift(&it)
		q.lose(&it, diedMaxLen)
	}
}
