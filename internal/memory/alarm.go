package memory

import "sync/atomic"

// Alarm reports whether publishers are held back because of memory: some wait, or the last
// one that came was refused.
func (b *Budget) Alarm() bool { return b.short.Load() }

// Resource is what an alarm is about.
type Resource int

// The resources that an alarm can be set for by hand.
const (
	Memory Resource = iota
	Disk
)

// byHand counts the alarms of each resource that were set by hand.
type byHand [Disk + 1]atomic.Int32

func (h *byHand) has(r Resource) bool { return h[r].Load() > 0 }

func (h *byHand) any() bool { return h.has(Memory) || h.has(Disk) }

// isShort reports whether the alarm is one of memory. On says that publishers wait or were
// refused: they are because of the disk if there is an alarm for that alone.
func (h *byHand) isShort(on bool) bool { return h.has(Memory) || on && !h.has(Disk) }

// Raise sets an alarm by hand: until Clear publishers are held back as at the limit,
// however much is free. Each Raise takes a Clear. It reports whether it is the first.
func (b *Budget) Raise(r Resource) (first bool) { return b.raise(r, 1) == 1 }

// Clear ends what Raise has begun. It reports whether it is the last.
func (b *Budget) Clear(r Resource) (last bool) { return b.raise(r, -1) == 0 }

func (b *Budget) raise(r Resource, n int32) (now int32) {
	b.mu.Lock()
	now = b.byHand[r].Add(n)
	b.letIn()
	b.mu.Unlock()
	b.tell(false)
	return now
}

// Raised reports whether there is an alarm by hand for a resource.
func (b *Budget) Raised(r Resource) bool { return b.byHand.has(r) }
