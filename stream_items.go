package warren

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
)

// itemsIn has the items that have come to one end of a stream. There is room for as many
// as the other end has credit for.
type itemsIn struct {
	wake   chan struct{} // has room for one: the reader is to look again
	window uint64        // how many items may be on their way unread

	mu sync.Mutex
	// Guarded by mu.
	items   []message.Entry // unread
	came    uint64          // items so far
	granted uint64          // items that may come in all
	budget  *memory.Budget  // what unread items count against; nil: they came in this process
	waits   bool            // the reader waits
	over    bool            // nothing more comes
	err     error           // why; nil: all items have come

	// Owned by the reader.
	batch  []message.Entry // taken from items; those from index read on are unread
	read   int
	counts *memory.Budget // as budget
	unpaid uint64         // items for which the other end has got no new credit yet
}

// put takes an item. It reports false if nobody wants items any more. It fails if the
// item breaks the rules.
func (in *itemsIn) put(number uint64, e *message.Entry) (taken bool, broken error) {
	in.mu.Lock()
	switch {
	case in.over:
		in.mu.Unlock()
		return false, nil
	case number != in.came+1:
		broken = fmt.Errorf("%w: item %d came after item %d", ErrBrokenStream, number, in.came)
	case number > in.granted:
		broken = fmt.Errorf("%w: item %d came, but there was credit for %d", ErrBrokenStream, number, in.granted)
	case in.budget != nil && !in.budget.Overdraw(e.Cost()):
		broken = fmt.Errorf("%w: an item of a stream was dropped", ErrMemoryLimit)
	}
	if broken != nil {
		in.mu.Unlock()
		return false, broken
	}
	in.came++
	in.add(e)
	return true, nil
}

// putPlain takes a plain reply as the only item, for which no credit is needed.
func (in *itemsIn) putPlain(e *message.Entry) (broken error) {
	in.mu.Lock()
	if in.came > 0 {
		defer in.mu.Unlock()
		return fmt.Errorf("%w: a plain reply came after item %d", ErrBrokenStream, in.came)
	}
	in.came++
	in.budget = nil // as the answer of a Call, it does not count
	in.add(e)
	return nil
}

// add appends an item and wakes the reader. It unlocks mu.
func (in *itemsIn) add(e *message.Entry) {
	in.items = append(in.items, *e)
	in.unlock()
}

// unlock unlocks mu and wakes the reader if it waits.
func (in *itemsIn) unlock() {
	waits := in.waits
	in.waits = false
	in.mu.Unlock()
	if waits {
		wakeUp(in.wake)
	}
}

// wakeUp wakes who waits at a channel with room for one. It never blocks.
func wakeUp(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// fromNetwork notes that the items count against b.
func (in *itemsIn) fromNetwork(b *memory.Budget) {
	in.mu.Lock()
	in.budget = b
	in.mu.Unlock()
}

// grant lets n more items come.
func (in *itemsIn) grant(n uint64) {
	in.mu.Lock()
	in.granted += n
	in.mu.Unlock()
}

// finish notes that nothing more comes: sent items were sent, or there is the error err.
func (in *itemsIn) finish(sent uint64, err error) {
	in.mu.Lock()
	if !in.over {
		if err == nil && sent != in.came {
			err = fmt.Errorf("%w: %d items came of %d", ErrBrokenStream, in.came, sent)
		}
		in.over, in.err = true, err
	}
	in.unlock()
}

// next returns the next item. ok is false when there is none any more, or when done is
// closed.
func (in *itemsIn) next(done <-chan struct{}) (e message.Entry, ok bool) {
	if in.read == len(in.batch) && !in.refill(done) {
		return e, false
	}
	e, in.batch[in.read] = in.batch[in.read], e
	in.read++
	if in.counts != nil {
		in.counts.Add(-e.Cost())
	}
	return e, true
}

// refill waits for items and takes all that there are.
func (in *itemsIn) refill(done <-chan struct{}) bool {
	in.mu.Lock()
	for len(in.items) == 0 {
		if in.over {
			in.mu.Unlock()
			return false
		}
		in.waits = true
		in.mu.Unlock()
		select {
		case <-in.wake:
		case <-done:
			return false
		}
		in.mu.Lock()
	}
	in.batch, in.items, in.read = in.items, in.batch[:0], 0
	in.counts = in.budget
	in.mu.Unlock()
	return true
}

// earned returns how much credit the other end is to get, now that one more item has
// been read. It is zero most times, so that credit is given for many items at once.
func (in *itemsIn) earned() (n uint64) {
	if in.unpaid++; in.unpaid < (in.window+1)/2 {
		return 0
	}
	n, in.unpaid = in.unpaid, 0
	in.grant(n)
	return n
}

// reason returns why there are no more items; nil: all have come.
func (in *itemsIn) reason() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.err
}

// close drops what is unread. Only the reader may call it.
func (in *itemsIn) close() {
	in.mu.Lock()
	in.over = true
	rest := append(in.batch[in.read:], in.items...)
	in.items, in.batch, in.read = nil, nil, 0
	budget := in.budget
	in.mu.Unlock()
	if budget != nil {
		sum := int64(0)
		for i := range rest {
			sum += rest[i].Cost()
		}
		budget.Add(-sum)
	}
}

// itemsOut lets one end of a stream send as many items as it has credit for.
type itemsOut struct {
	wake    chan struct{} // has room for one: the sender is to look again
	stopped atomic.Bool   // the other end wants no more items

	mu sync.Mutex
	// Guarded by mu.
	credit uint64
	open   bool // there is an other end
	waits  bool // the sender waits

	// Owned by the sender.
	left uint64 // credit that it has taken
	sent uint64
}

// begin notes that there is an other end.
func (o *itemsOut) begin() {
	o.mu.Lock()
	o.open = true
	o.unlock()
}

// add adds credit.
func (o *itemsOut) add(n uint64) {
	o.mu.Lock()
	o.credit += min(n, math.MaxUint64-o.credit)
	o.unlock()
}

// stop notes that nothing more is to be sent.
func (o *itemsOut) stop() {
	o.stopped.Store(true)
	o.mu.Lock()
	o.waits = true // at a connection
	o.unlock()
}

// unlock unlocks mu and wakes the sender if it waits.
func (o *itemsOut) unlock() {
	waits := o.waits
	o.waits = false
	o.mu.Unlock()
	if waits {
		wakeUp(o.wake)
	}
}

// acquire waits until one more item may be sent, and takes its number. It reports false
// if nothing more is to be sent.
func (o *itemsOut) acquire() (number uint64, ok bool) {
	if o.stopped.Load() || o.left == 0 && !o.wait(true) {
		return 0, false
	}
	o.left--
	o.sent++
	return o.sent, true
}

// wait waits until there is an other end, or if items is set until it has given credit,
// which wait takes. It reports false if nothing more is to be sent.
func (o *itemsOut) wait(items bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		switch {
		case o.stopped.Load():
			return false
		case !items && o.open:
			return true
		case o.credit > 0:
			o.left, o.credit = o.credit, 0
			return true
		}
		o.waits = true
		o.mu.Unlock()
		<-o.wake
		o.mu.Lock()
	}
}
