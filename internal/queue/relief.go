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

// mayLoad reports whether messages may be loaded now. While memory is short, only somebody
// who wants the first one is a reason; and when it is full, only a getter, or a consumer
// that holds nothing. What waits for others to give memory back, looks again soon.
func (q *Queue) mayLoad(s *shelf) bool {
	if !q.isShort() {
		return true
	}
	if s.returned.len() > 0 || !q.wantsHead(s.out) {
		return false
	}
	if !q.shared.Memory.IsFull() || q.disk.loaded != nil || q.next() != nil && q.unacked == 0 {
		return true
	}
	now := q.shared.Clock.Now()
	q.alarm.Set(now+int64(lookAgain), now, q)
	return false
}

// lookAgain is how long a queue waits that cannot load because memory is full.
const lookAgain = 50 * time.Millisecond

// wantsHead reports whether the first message, which is outside, is needed now: by a
// consumer or a getter, or because it may have expired or exceeds a limit.
func (q *Queue) wantsHead(o *outside) bool {
	return q.disk.loaded != nil || q.next() != nil ||
		q.store.timed > 0 && (!o.dated || o.deadline != 0 && o.deadline <= q.shared.Clock.Now()) ||
		q.rules != nil && q.rules.Overflow == DropHead && q.rules.exceeded(int64(q.store.len()), q.store.bytes)
}

// free notes that messages do not hold memory any more, because they are on disk.
func (q *Queue) free(bytes int64) {
	if bytes > 0 {
		q.memory.Add(-bytes)
		q.shared.Relief.Freed.Add(bytes)
	}
}
