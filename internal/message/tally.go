package message

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// SizeClasses is how many lengths of bodies a Tally tells apart.
const SizeClasses = 9

// SizeLimits returns the lengths, in bytes, of the classes. Longer bodies are of the last
// class.
func SizeLimits() [SizeClasses - 1]int {
	return [...]int{1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 5e7, 1e8}
}

// sizeClass returns which of the limits n does not exceed. Most messages are small.
func sizeClass(n int) int {
	switch {
	case n <= 1e2:
		return 0
	case n <= 1e3:
		return 1
	case n <= 1e4:
		return 2
	case n <= 1e5:
		return 3
	case n <= 1e6:
		return 4
	case n <= 1e7:
		return 5
	case n <= 5e7:
		return 6
	case n <= 1e8:
		return 7
	}
	return SizeClasses - 1
}

// Sizes count messages by the length of their bodies.
type Sizes struct {
	Counts [SizeClasses]uint64
	Bytes  uint64
}

// add counts the messages of a class between two totals.
func (s *Sizes) add(class int, now, began Total) {
	s.Counts[class] += now.Messages - began.Messages
	s.Bytes += now.Bytes - began.Bytes
}

// Plus adds other counts.
func (s *Sizes) Plus(o *Sizes) {
	for i := range s.Counts {
		s.Counts[i] += o.Counts[i]
	}
	s.Bytes += o.Bytes
}

// Len returns how many messages were counted.
func (s *Sizes) Len() (n uint64) {
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// Tally counts the messages of a publisher. Queues count for it, each its Share, under
// their locks, which they hold anyway, because what many may add to costs a publisher
// more than all else that counts. Its methods are called with no lock held but the
// queue's in NewShare.
type Tally struct {
	counts [SizeClasses]atomic.Uint64
	bytes  atomic.Uint64

	mu sync.Mutex
	// Guarded by mu, which may be taken while a queue's lock is held.
	shares []*Share
	most   int // number of shares that there may be
}

// maxShares is how many queues count for a tally. What goes to others is counted by Add.
const maxShares = 64

// Open lets queues count for the tally, until End.
func (t *Tally) Open() {
	t.mu.Lock()
	t.most = maxShares
	t.mu.Unlock()
}

// Add counts a message with a body of n bytes.
func (t *Tally) Add(n int) {
	t.counts[sizeClass(n)].Add(1)
	t.bytes.Add(uint64(n))
}

// Put adds what was counted elsewhere.
func (t *Tally) Put(s *Sizes) {
	for i := range s.Counts {
		t.counts[i].Add(s.Counts[i])
	}
	t.bytes.Add(s.Bytes)
}

// Sum returns what was counted.
func (t *Tally) Sum() (sum Sizes) {
	for i := range t.counts {
		sum.Counts[i] = t.counts[i].Load()
	}
	sum.Bytes = t.bytes.Load()
	t.mu.Lock()
	shares := slices.Clone(t.shares)
	t.mu.Unlock()
	for _, s := range shares {
		s.lock.Lock()
		if s.tally == t {
			counted := s.sum()
			sum.Plus(&counted)
		}
		s.lock.Unlock()
	}
	return sum
}

// End returns what was counted. From now on no queue counts for the tally.
func (t *Tally) End() (sum Sizes) {
	t.mu.Lock()
	shares := t.shares
	t.shares, t.most = nil, 0
	t.mu.Unlock()
	for _, s := range shares {
		s.lock.Lock()
		s.stop(*s.total)
		sum.Plus(&s.sizes)
		s.tally = nil
		s.lock.Unlock()
	}
	for i := range t.counts {
		sum.Counts[i] += t.counts[i].Swap(0)
	}
	sum.Bytes += t.bytes.Swap(0)
	return sum
}

// Total counts all messages that a queue ever got, whoever published them. The queue's
// lock guards it.
type Total struct{ Messages, Bytes uint64 }

// Add counts a message with a body of n bytes.
func (t *Total) Add(n int) {
	t.Messages++
	t.Bytes += uint64(n)
}

// Share is what one queue has counted for a tally. The queue's lock guards it.
//
// The queue has a Total anyway. So the share does nothing as long as messages of one
// publisher and of one class follow each other, but knows the total of when they began to:
// that is a run. All methods but Follows may be called on any share, and those of a nil
// share do nothing.
type Share struct {
	run       *Tally // nil: there is no run
	low, high int    // lengths of bodies that belong to the run

	tally *Tally // whose share this is; nil: the tally has ended
	lock  *sync.Mutex
	total *Total
	began Total // when the run began
	sizes Sizes // of the runs before
}

// NewShare makes the share of the queue with this lock, which is held, and total. It is
// nil if there may be no more.
func (t *Tally) NewShare(lock *sync.Mutex, total *Total) *Share {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.shares) >= t.most {
		return nil
	}
	s := &Share{tally: t, lock: lock, total: total}
	s.stop(*total)
	t.shares = append(t.shares, s)
	return s
}

// Follows reports whether a message of a publisher with this tally, which may be nil, and
// with a body of n bytes belongs to the run, or to none if there is none. Then the share
// has nothing to do.
func (s *Share) Follows(t *Tally, n int) bool {
	if s == nil {
		return t == nil
	}
	return s.run == t && s.low <= n && n <= s.high
}

// Switch ends the run before a message that does not belong to it and that the total
// counts already, and begins another one with it. It reports false if the message is of
// another tally than the share.
func (s *Share) Switch(t *Tally, n int) bool {
	if s == nil {
		return false
	}
	before := Total{s.total.Messages - 1, s.total.Bytes - uint64(n)}
	s.stop(before)
	if t == nil || s.tally != t {
		return false
	}
	s.run, s.began = t, before
	class := sizeClass(n)
	limits := SizeLimits()
	s.low, s.high = 0, math.MaxInt
	if class > 0 {
		s.low = limits[class-1] + 1
	}
	if class < len(limits) {
		s.high = limits[class]
	}
	return true
}

// stop ends the run, if there is one.
func (s *Share) stop(now Total) {
	if s.run != nil {
		s.sizes.add(sizeClass(s.low), now, s.began)
	}
	s.run, s.low, s.high = nil, 0, math.MaxInt
}

// sum returns what was counted.
func (s *Share) sum() Sizes {
	sum := s.sizes
	if s.run != nil {
		sum.add(sizeClass(s.low), *s.total, s.began)
	}
	return sum
}

// Ended reports whether the share is of no tally any more. A nil one is of none.
func (s *Share) Ended() bool { return s == nil || s.tally == nil }
