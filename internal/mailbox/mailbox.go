// Package mailbox is where messages wait for the goroutine that reads them.
package mailbox

import (
	"context"
	"sync"

	"github.com/warrenmq/warren/internal/message"
)

// Mailbox holds an in-process consumer's messages. Its bound is the sender's
// business: a queue stops at the consumer's limit, a reply consumer is cancelled
// at its own. But for Signal, the methods are called with the lock held.
type Mailbox struct {
	mu   *sync.Mutex   // its owner's: a queue's, or a reply consumer's
	wake chan struct{} // one slot: somebody who waits should look again

	// Guarded by mu.
	items   []message.Item // unread, from read on
	read    int
	waiting int   // goroutines in wait
	err     error // why nothing more will come; the unread can still be read
}

// New makes a mailbox that mu guards.
func New(mu *sync.Mutex) *Mailbox {
	return &Mailbox{mu: mu, wake: make(chan struct{}, 1)}
}

// Put appends a message and reports whether somebody must be woken by Signal.
func (b *Mailbox) Put(it *message.Item) (wake bool) {
	if b.read > 0 && len(b.items) == cap(b.items) {
		n := copy(b.items, b.items[b.read:])
		clear(b.items[n:])
		b.items, b.read = b.items[:n], 0
	}
	b.items = append(b.items, *it)
	return b.waiting > 0
}

// PutFront brings messages back that were taken, before all others.
func (b *Mailbox) PutFront(items []message.Item) (wake bool) {
	b.items = append(append(make([]message.Item, 0, len(items)+b.Len()), items...), b.items[b.read:]...)
	b.read = 0
	return b.waiting > 0
}

// Signal wakes one waiting goroutine. It never blocks.
func (b *Mailbox) Signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Len is how many messages are unread.
func (b *Mailbox) Len() int { return len(b.items) - b.read }

// Drain takes all messages out.
func (b *Mailbox) Drain() []message.Item {
	unread := b.items[b.read:]
	b.items, b.read = nil, 0
	return unread
}

// Abandon tells the calls whose requests lie unread that nobody may answer
// them. They can still be read.
func (b *Mailbox) Abandon() {
	for i := b.read; i < len(b.items); i++ {
		b.items[i].Abandon()
	}
}

// Close ends the mailbox; the first error stays. It reports whether waiters
// must be woken.
func (b *Mailbox) Close(err error) (wake bool) {
	if b.err == nil {
		b.err = err
	}
	return b.waiting > 0
}

// Read waits for messages and moves at least one of them into dst. It fails with
// ctx's error, or with that of Close when nothing is left to read.
func (b *Mailbox) Read(ctx context.Context, dst []message.Item) (int, error) {
	if b.Len() == 0 {
		if err := b.waitForOne(ctx); err != nil {
			return 0, err
		}
	}
	n := copy(dst, b.items[b.read:])
	clear(b.items[b.read : b.read+n])
	b.read += n
	if b.read == len(b.items) {
		b.items, b.read = b.items[:0], 0
	}
	return n, nil
}

func (b *Mailbox) waitForOne(ctx context.Context) error {
	for b.Len() == 0 {
		err := b.err
		if err == nil {
			err = b.wait(ctx)
		}
		if err != nil && b.Len() == 0 {
			return err
		}
	}
	return nil
}

// wait blocks until there are messages, the mailbox is closed or ctx ends. It
// is called with mu held and returns with mu held; nil means: look again.
func (b *Mailbox) wait(ctx context.Context) error {
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
	if b.waiting > 0 && (b.Len() > 0 || b.err != nil) {
		b.Signal()
	}
	return err
}
