package queue

import (
	"sync/atomic"
	"time"
)

// Relief makes room in memory when publishers wait for it. The queues of a broker share
// it.
type Relief struct {
	Begin func()       // begins it, if memory is full; nil: nothing is on disk. It never changes
	On    atomic.Bool  // all messages go to disk that nobody has got yet; else those in the middle of long queues
	Freed atomic.Int64 // bytes that left memory since the start
}

// isShort reports whether memory is to be saved, so that publishers need not wait soon.
func (q *Queue) isShort() bool { return !q.shared.Memory.FitsAny() }

// lookAgain is how long a queue waits that cannot load because memory is full.
const lookAgain = 200 * time.Millisecond

// mayLoad reports whether messages of a shelf, some of which are outside, may be loaded
// now. While memory is short, they are for who wants them now; and while it is full, not
// for consumers that hold others, nor to become dead letters.
func (q *Queue) mayLoad(s *shelf) bool {
	if !q.isShort() || q.disk.loaded != nil {
		return true
	}
	consumes, drops := q.next() != nil, q.drops(s.out)
	if s.returned.len() > 0 || !consumes && !drops {
		return false
	}
	full := q.shared.Memory.IsFull()
	if consumes && (!full || q.unacked == 0) || drops && (!full || q.rules == nil || q.rules.DeadLetter == nil) {
		return true
	}
	now := q.shared.Clock.Now()
	q.seldom().alarm.Set(now+int64(lookAgain), now, q) // others may have given memory back then
	return false
}

// drops reports whether the first message, which is outside, has expired, or may have, or
// exceeds a limit.
func (q *Queue) drops(o *outside) bool {
	if q.store.timed > 0 && (!o.dated || o.deadline != 0 && o.deadline <= q.shared.Clock.Now()) {
		return true
	}
	return q.rules != nil && q.rules.Overflow == DropHead && q.rules.exceeded(int64(q.store.len()), q.store.bytes)
}

// free notes that messages do not hold memory any more, because they are on disk.
func (q *Queue) free(bytes int64) {
	if bytes > 0 {
		q.memory.Add(-bytes)
		q.shared.Relief.Freed.Add(bytes)
	}
}
