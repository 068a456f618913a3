// Package mailbox keeps messages for a goroutine that reads them.
package mailbox

import (
	"context"
	"sync"

	"github.com/warrenmq/warren/internal/message"
)

// Mailbox holds the unread messages of an in-process consumer. It has no bound of
// its own. The sender bounds it: a queue stops at the consumer's limit, and a
// reply consumer is cancelled at its limit. All methods but Signal are called
// with the lock held.
type Mailbox struct {
	mu   *sync.Mutex   // the lock of the owner: a queue or a reply consumer
	wake chan struct{} // has one slot: a goroutine that waits is to check again

	// Guarded by mu.
	items   []message.Item // those from index read on are unread
	read    int
	waiting int   // goroutines in wait
	err     error // why the mailbox is closed; unread messages can still be read
}

// New makes a mailbox that is guarded by mu.
func New(mu *sync.Mutex) *Mailbox {
	return &Mailbox{mu: mu, wake: make(chan struct{}, 1)}
}

// Put appends a message. It reports whether a goroutine waits, so that Signal must
// be called.
func (b *Mailbox) Put(it *message.Item) (wake bool) {
	*b.Append() = *it
	return b.waiting > 0
}

// Append appends an item, which is zero, and returns it to be filled in while the lock
// is held. So a message is copied once less than by Put.
func (b *Mailbox) Append() *message.Item {
	if len(b.items) == cap(b.items) {
		b.grow()
	}
	n := len(b.items)
	b.items = b.items[:n+1] // what is behind the last item is zero
	return &b.items[n]
}

// grow makes room for one item more.
func (b *Mailbox) grow() {
	n := len(b.items)
	if b.read == 0 {
		b.items = append(b.items, message.Item{})[:n]
		return
	}
	n = copy(b.items, b.items[b.read:])
	clear(b.items[n:])
	b.items, b.read = b.items[:n], 0
}

// IsAwaited reports whether a goroutine waits, so that Signal must be called after a
// message was appended.
func (b *Mailbox) IsAwaited() bool { return b.waiting > 0 }

// PutFront puts messages that were taken out back, before all others. It reports
// whether Signal must be called.
func (b *Mailbox) PutFront(items []message.Item) (wake bool) {
	b.items = append(append(make([]message.Item, 0, len(items)+b.Len()), items...), b.items[b.read:]...)
	b.read = 0
	return b.waiting > 0
}

// Signal wakes one waiting goroutine. It never blocks. The lock need not be held.
func (b *Mailbox) Signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Len returns the number of unread messages.
func (b *Mailbox) Len() int { return len(b.items) - b.read }

// Unread returns the unread messages.
func (b *Mailbox) Unread() []message.Item { return b.items[b.read:] }

// Drain takes all unread messages out.
func (b *Mailbox) Drain() []message.Item {
	unread := b.items[b.read:]
	b.items, b.read = nil, 0
	return unread
}

// Abandon calls Abandon of all unread messages: calls whose requests they are
// learn that nobody may answer. The messages can still be read.
func (b *Mailbox) Abandon() {
	for i := b.read; i < len(b.items); i++ {
		b.items[i].Abandon()
	}
}

// Close closes the mailbox for the reason err. If it is closed already, the first
// reason stays. It reports whether Signal must be called.
func (b *Mailbox) Close(err error) (wake bool) {
	if b.err == nil {
		b.err = err
	}
	return b.waiting > 0
}

// Read waits for messages and moves at least one of them into dst. It returns the
// number of messages. It fails with ctx's error, or with the reason of Close when
// nothing is left to read.
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

// waitForOne waits until there is a message.
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

// wait blocks until Signal is called or ctx ends. It releases mu while it waits.
// After nil the caller checks again whether there are messages.
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
	// One signal may stand for several messages, and the end concerns all who wait.
	if b.waiting > 0 && (b.Len() > 0 || b.err != nil) {
		b.Signal()
	}
	return err
}
