package warren

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/confirm"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/store"
)

// FakeDisk is a disk that syncs and fails when a test says so.
type FakeDisk struct {
	Stuck bool // Close stores nothing, and waits as long as it may; set before

	mu sync.Mutex
	// Guarded by mu.
	next, stored uint64
	waiters      []fakeWaiter
	asked        int // times that somebody began to wait
	kept         []string
	closed       bool
	room         chan struct{} // closed when there is room again; nil: there is
}

// SetFull makes the broker see too much that is unwritten, or an end of that.
func (d *FakeDisk) SetFull(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.room != nil {
		close(d.room)
		d.room = nil
	}
	if full {
		d.room = make(chan struct{})
	}
}

func (d *FakeDisk) Full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room != nil
}

func (d *FakeDisk) WaitRoom(ctx context.Context) error {
	d.mu.Lock()
	room := d.room
	d.mu.Unlock()
	if room == nil {
		return nil
	}
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// DiskFails says that a write has failed, and the end of that by nil.
func DiskFails(b *Broker, err error) { b.disk.gate.setFailed(err) }

// DiskIsFull says that there is too little free space, and the end of that by nil.
func DiskIsFull(b *Broker, err error) { b.disk.gate.setFull(err) }

type fakeWaiter struct {
	seq uint64
	w   confirm.Waiter
}

// NewOnDisk makes a broker with a disk.
func NewOnDisk(o *Options) (*Broker, *FakeDisk) {
	b, d := New(o), &FakeDisk{next: 1, stored: 1}
	b.disk = newDisk(d, (*diskAlarms)(b))
	return b, d
}

func (d *FakeDisk) OpenQueue(q *queue.Queue, _ uint32, durable bool) queue.Disk {
	if !durable {
		return nil
	}
	return &fakeQueue{d: d, of: q}
}

func (d *FakeDisk) WhenDeclared(f func()) { f() }

func (d *FakeDisk) At(time.Time) int64 { return 1 }

func (d *FakeDisk) Unreadable() uint64 { return 0 }

func (d *FakeDisk) Free() (int64, error) { return 1 << 40, nil }

func (d *FakeDisk) Last() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.next - 1
}

func (d *FakeDisk) Stored() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stored
}

func (d *FakeDisk) Notify(seq uint64, w confirm.Waiter) (stored bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	switch {
	case seq < d.stored:
		return true, nil
	case d.closed:
		return false, confirm.ErrClosed
	}
	d.waiters = append(d.waiters, fakeWaiter{seq, w})
	return false, nil
}

// Sync stores all but the last n records.
func (d *FakeDisk) Sync(but uint64) {
	d.mu.Lock()
	d.stored = max(d.stored, d.next-but)
	told := d.take(d.stored)
	d.mu.Unlock()
	for _, w := range told {
		w.w.Stored(nil)
	}
}

// Fail fails those who wait.
func (d *FakeDisk) Fail(err error) {
	d.mu.Lock()
	told := d.take(d.next)
	d.mu.Unlock()
	for _, w := range told {
		w.w.Stored(err)
	}
}

func (d *FakeDisk) take(end uint64) (told []fakeWaiter) {
	var rest []fakeWaiter
	for _, w := range d.waiters {
		if w.seq < end {
			told = append(told, w)
		} else {
			rest = append(rest, w)
		}
	}
	d.waiters = rest
	return told
}

// Waiters is how many wait, and how often somebody has begun to.
func (d *FakeDisk) Waiters() (now, ever int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiters), d.asked
}

// Kept is what came: the queue's name and the body.
func (d *FakeDisk) Kept() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	kept := d.kept
	d.kept = nil
	return kept
}

func (d *FakeDisk) Close(ctx context.Context) error {
	var err error
	if d.Stuck {
		<-ctx.Done()
		err = ctx.Err()
	} else {
		d.Sync(0)
	}
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.Fail(confirm.ErrClosed)
	return err
}

// fakeQueue keeps nothing from a run before, and nothing that could be loaded.
type fakeQueue struct {
	queue.Disk
	d  *FakeDisk
	of *queue.Queue
}

func (q *fakeQueue) Next(level uint8) uint64 { return uint64(level) << 56 }
func (q *fakeQueue) Levels() []uint8         { return nil }
func (q *fakeQueue) Blocks(uint8, uint64) iter.Seq[store.BlockInfo] {
	return func(func(store.BlockInfo) bool) {}
}
func (q *fakeQueue) Returned(uint64, uint32, bool)  {}
func (q *fakeQueue) RemoveRange(first, last uint64) {}
func (q *fakeQueue) AddAgain(*message.Item)         {}
func (q *fakeQueue) Spill(*message.Item)            {}
func (q *fakeQueue) Delete()                        {}
func (q *fakeQueue) PutAt(pos uint64, e message.Entry, at int64, shared bool, stored message.Stored) (uint64, message.Stored) {
	return q.Put(pos, e, at, shared, stored)
}

func (q *fakeQueue) Put(_ uint64, e message.Entry, _ int64, _ bool, at message.Stored) (uint64, message.Stored) {
	q.d.mu.Lock()
	defer q.d.mu.Unlock()
	q.d.kept = append(q.d.kept, q.of.Name()+" "+string(e.Body))
	q.d.next++
	return q.d.next - 1, at
}

func (q *fakeQueue) Remove(pos uint64) {
	q.d.mu.Lock()
	defer q.d.mu.Unlock()
	q.d.next++
}

// PageOut lets a broker put on disk only what need not be in memory.
func PageOut(b *Broker) {
	time.Sleep(time.Second)
	b.disk.storage.(*messages).store.PageOut()
	time.Sleep(time.Second)
}

// LogWritten is how many bytes the log of messages has written since Open, and how often
// it was synced.
func LogWritten(b *Broker) (bytes, syncs uint64) {
	s := b.disk.storage.(*messages).store.Stats()
	return s.Written, s.Syncs
}
