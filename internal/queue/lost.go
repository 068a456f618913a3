package queue

import "github.com/warrenmq/warren/internal/message"

// Lost is a message that a queue has lost and that goes to the dead letter exchange.
type Lost struct {
	message.Entry
	Reason string      // in the header x-death
	To     *DeadLetter // by the queue's rules when it lost the message
}

// lose ends a message that nobody has acknowledged. If there is a dead letter
// exchange, unlock sends the message there; until then the queue still counts it.
func (q *Queue) lose(it *message.Item, reason string) {
	q.unjournal(it)
	if q.rules == nil || q.rules.DeadLetter == nil || q.deleted {
		q.memory.Add(-it.Cost())
		q.counts.Dropped++
		it.Lost()
		return
	}
	q.counts.DeadLettered++
	q.lost = append(q.lost, Lost{it.Entry, reason, q.rules.DeadLetter})
}

// lettersAtOnce is how many letters are sent before they cease to count for the queue
// that has lost them.
const lettersAtOnce = 64

// deadLetter sends the messages that the queue has lost to the host, in their
// order. Only one goroutine does so at a time. It also sends messages that are lost
// meanwhile, so queues that dead-letter to each other cause no recursion.
func (q *Queue) deadLetter() {
	var lost []Lost
	for {
		sent := lost[:min(len(lost), lettersAtOnce)]
		q.mu.Lock()
		for i := range sent {
			q.memory.Add(-sent[i].Cost())
		}
		clear(sent)
		if lost = lost[len(sent):]; len(lost) == 0 {
			lost, q.lost = q.lost, nil
		}
		q.sending = len(lost) > 0
		q.mu.Unlock()
		if len(lost) == 0 {
			return
		}
		for i := range lost[:min(len(lost), lettersAtOnce)] {
			q.host.DeadLetter(q, &lost[i])
		}
	}
}
