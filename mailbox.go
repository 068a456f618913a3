package warren

import (
	"context"
	"sync"
)

// mailbox is where an in-process consumer's messages wait for the goroutine
// that reads them. Its bound is the sender's business: a queue stops at the
// consumer's limit, a reply consumer is cancelled at its own.
type mailbox struct {
	mu   *sync.Mutex   // the queue's lock, or a reply consumer's own
	wake chan struct{} // one slot: somebody who waits should look again

	// Guarded by mu.
	items   []item // unread, from read on
	read    int
	waiting int   // goroutines in wait
	err     error // why nothing more will come; the unread can still be read
}

func newMailbox(mu *sync.Mutex) *mailbox {
	return &mailbox{mu: mu, wake: make(chan struct{}, 1)}
}

// put appends a message and reports whether somebody must be woken by signal.
func (b *mailbox) put(it *item) (wake bool) {
	if b.read > 0 && len(b.items) == cap(b.items) {
		n := copy(b.items, b.items[b.read:])
		clear(b.items[n:])
		b.items, b.read = b.items[:n], 0
	}
	b.items = append(b.items, *it)
	return b.waiting > 0
}

// putFront brings messages back that were taken, before all others.
func (b *mailbox) putFront(items []item) (wake bool) {
	b.items = append(append(make([]item, 0, len(items)+b.len()), items...), b.items[b.read:]...)
	b.read = 0
	return b.waiting > 0
}

// signal wakes one waiting goroutine. It never blocks.
func (b *mailbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *mailbox) len() int { return len(b.items) - b.read }

// take moves up to len(dst) messages into dst.
func (b *mailbox) take(dst []item) int {
	n := copy(dst, b.items[b.read:])
	clear(b.items[b.read : b.read+n])
	b.read += n
	if b.read == len(b.items) {
		b.items, b.read = b.items[:0], 0
	}
	return n
}

// drain takes all messages out.
func (b *mailbox) drain() []item {
	unread := make([]item, b.len())
	b.take(unread)
	return unread
}

// abandon tells the calls whose requests lie unread that nobody may answer
// them. They can still be read.
func (b *mailbox) abandon() {
	for i := b.read; i < len(b.items); i++ {
		it := &b.items[i]
		if r := it.request(); r != nil {
			it.drop(ErrRequestDropped)
			it.content = (*properties)(&r.Message) // dropped once is enough
		}
	}
}

// close ends the mailbox; the first error stays. It reports whether waiters
// must be woken.
func (b *mailbox) close(err error) (wake bool) {
	if b.err == nil {
		b.err = err
	}
	return b.waiting > 0
}

// wait blocks until there are messages, the mailbox is closed or ctx ends. It
// is called with mu held and returns with mu held; nil means: look again.
func (b *mailbox) wait(ctx context.Context) error {
	b.waiting++
	b.mu.Unlock()
	var err error
	if done := ctx.Done(); done == nil {
		<-b.wake
	} else {
		select {
		case <-b.wake:
		case <-done:
			err = ctx.Err()
		}
	}
	b.mu.Lock()
	b.waiting--
	// One wake-up may stand for several messages, and closing concerns all.
	if b.waiting > 0 && (b.len() > 0 || b.err != nil) {
		b.signal()
	}
	return err
}
