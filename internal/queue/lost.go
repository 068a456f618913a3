package queue

import "github.com/warrenmq/warren/internal/message"

// Lost is a message that a queue has lost, and the dead letter exchange is to
// have.
type Lost struct {
	message.Entry
	Reason string // in the header x-death
}

// lose is the end of a message that nobody has acknowledged. If there is a
// dead letter exchange, unlock sends it there.
func (q *Queue) lose(it *message.Item, reason string) {
	q.account(-it.Cost())
	q.unjournal(it)
	if q.rules == nil || q.rules.DeadLetter == nil || q.deleted {
		q.counts.Dropped++
		it.Lost()
		return
	}
	q.counts.DeadLettered++
	q.lost = append(q.lost, Lost{it.Entry, reason})
}

// deadLetter sends out the messages that the queue has lost, in their order.
// Only one goroutine does so at a time; what is lost meanwhile is its work, too.
// That ends chains of queues that fill one another, as well.
func (q *Queue) deadLetter() {
	for {
		q.mu.Lock()
		lost := q.lost
		q.lost = nil
		q.sending = len(lost) > 0
		var to *DeadLetter
		if q.rules != nil {
			to = q.rules.DeadLetter
		}
		q.mu.Unlock()
		if len(lost) == 0 {
			return
		}
		for i := range lost {
			q.host.DeadLetter(q, &lost[i], to)
		}
	}
}
