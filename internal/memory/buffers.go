package memory

import "sync/atomic"

// Buffers is what the buffers of all connections hold together. While they hold
// little, each may have as much as it likes. The more they hold, the less each may
// have, so that clients that do not read take an eighth of the limit and 16 KiB each.
// What the buffers hold counts as bookkeeping.
type Buffers struct {
	budget *Budget
	share  int64 // most bytes
	held   atomic.Int64
}

// leastBuffer is what each buffer may have, whatever the others hold.
const leastBuffer = 16 << 10

// Init makes the buffers part of b.
func (s *Buffers) Init(b *Budget) { s.budget, s.share = b, b.limit/8 }

// Add adds n to the bytes that buffers hold; n may be negative. If it is positive, no
// lock is taken.
func (s *Buffers) Add(n int64) {
	s.held.Add(n)
	s.budget.Keep(n)
}

// Held returns how many bytes the buffers hold.
func (s *Buffers) Held() int64 { return s.held.Load() }

// Limit returns how many bytes a buffer may have that would like to have most: an
// eighth of what is free.
func (s *Buffers) Limit(most int) int {
	free := max(0, s.share-s.held.Load())
	return int(min(int64(most), max(leastBuffer, free/8)))
}
