package queue

import "github.com/warrenmq/warren/internal/message"

// Lost is a message that a queue has lost and that goes to the dead letter exchange.
type Lost struct {
	message.Entry
	pos    uint64
	Reason string      // in the header x-death
	To     *DeadLetter // by the queue's rules when it lost the message
}

// nowhere is the position of a message that the queue has not taken.
const nowhere = ^uint64(0)

// lose ends a message that nobody has acknowledged. If there is a dead letter
// exchange, unlock sends the message there; until then the queue still counts it.
func (q *Queue) lose(it *message.Item, reason string) {
	if q.rules == nil || q.rules.DeadLetter == nil || q.deleted {
		if q.disk != nil {
			q.forgetOnDisk(it)
		}
		q.memory.Add(-it.Cost())
		q.seldom().Dropped++
		it.Lost()
		return
	}
	q.seldom().DeadLettered++
	q.addLost(Lost{it.Entry, it.Pos, reason, q.rules.DeadLetter})
}

// addLost adds a message for deadLetter to send.
func (q *Queue) addLost(m Lost) {
	q.rare.lost = append(q.rare.lost, m)
	q.loses = true
}

const (
	// lettersAtOnce is how many letters are sent before they cease to count for the
	// queue that has lost them.
	lettersAtOnce = 64
	// extraLetters is how many letters a goroutine sends, beside those that it has
	// found when it began, before it leaves the rest to another.
	extraLetters = 4096
)

// Letters are the queues whose letters a goroutine sends. While it does, no other
// sends letters of these queues, so that they go out in their order.
type Letters struct {
	// Edit has room for what makes a letter of a message. The host uses it for one letter
	// after the other.
	Edit message.Edit

	queues []*Queue
}

// deadLetter sends the messages that the queue has lost to the host, in their order,
// then those that other queues lose by it, and so on. What is too much it leaves to
// the next who uses the queue, or to the queue's alarm. So who publishes is not busy
// with the letters of others without end.
func (q *Queue) deadLetter() {
	l, ok := q.shared.letters.Get().(*Letters)
	if !ok {
		l = &Letters{}
	}
	l.queues = append(l.queues, q)
	q.mu.Lock()
	left := len(q.seldom().lost) + extraLetters
	q.mu.Unlock()
	next := 0
	for ; next < len(l.queues) && left > 0; left -= lettersAtOnce {
		if l.queues[next].sendSome(l) {
			next++
		}
	}
	for _, q := range l.queues[next:] {
		q.sendLater()
	}
	l.reset()
	q.shared.letters.Put(l)
}

// mostKept is how many queues a Letters has room for that is kept for later.
const mostKept = 64

// reset makes l ready for use by another goroutine. It refers to nothing any more.
func (l *Letters) reset() {
	l.Edit.Reset()
	clear(l.queues)
	l.queues = l.queues[:0]
	if cap(l.queues) > mostKept {
		l.queues = nil
	}
}

// sendSome sends the next letters. Done is true if no more are left.
func (q *Queue) sendSome(l *Letters) (done bool) {
	q.mu.Lock()
	r := q.seldom()
	some := r.lost[:min(len(r.lost), lettersAtOnce)]
	r.lost = r.lost[len(some):]
	q.mu.Unlock()
	sent := 0
	for i := range some {
		if q.host.DeadLetter(q, &some[i], l) {
			sent++
		}
	}
	if q.disk != nil && sent > 0 {
		q.forgetSent(some[:sent])
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range some {
		q.memory.Add(-some[i].Cost())
	}
	clear(some)
	if len(r.lost) > 0 {
		return false
	}
	r.lost, q.loses, q.sending = nil, false, false
	if q.store.timed > 0 && !q.deleted && !q.store.isOut() {
		if d := q.store.deadline(); d != 0 {
			now := q.shared.Clock.Now()
			r.alarm.Set(max(d, now), now, q) // loseExpired may have left it
		}
	}
	return true
}

// forgetSent removes messages from the disk, because their letters are there. A letter is
// of no use before its queue is there, too.
func (q *Queue) forgetSent(some []Lost) {
	positions := make([]uint64, len(some))
	for i := range some {
		positions[i] = some[i].pos
	}
	q.host.WhenDeclared(func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		for _, pos := range positions {
			q.disk.Remove(pos)
		}
	})
}

// sendLater leaves the letters to another goroutine.
func (q *Queue) sendLater() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sending = false
	if r := q.seldom(); len(r.lost) > 0 {
		now := q.shared.Clock.Now()
		r.alarm.Set(now, now, q)
	}
}
