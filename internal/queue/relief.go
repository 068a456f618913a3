package queue

import "sync/atomic"

// Relief makes room in memory when publishers wait for it. The queues of a broker share
// it.
type Relief struct {
	On    atomic.Bool  // all messages go to disk that nobody has got yet; else those in the middle of long queues
	Freed atomic.Int64 // bytes that left memory since the start
}

// isShort reports whether memory is to be saved, so that publishers need not wait soon.
func (q *Queue) isShort() bool { return !q.shared.Memory.FitsAny() }

// free notes that messages do not hold memory any more, because they are on disk.
func (q *Queue) free(bytes int64) {
	if bytes > 0 {
		q.memory.Add(-bytes)
		q.shared.Relief.Freed.Add(bytes)
	}
}
