package delay

import (
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/store"
)

// onDisk is what a durable exchange keeps back on disk: persistent messages. Their
// positions are their orders, and their deadlines the times when they are due.
type onDisk struct {
	disk // its lock is the Store's

	whenDeclared func(f func()) // see On; never changes
	out          store.Count    // messages of the run before that are not loaded yet
	last         uint64         // position of the last one of these
	loading      bool           // nothing is released yet, because what is due first may not be loaded
}

// disk is what a [store.Queue] does for a Store. It is an interface, so that a program
// without a disk is linked without stores.
type disk interface {
	Add(pos uint64, p *message.Publishing, deadline int64, persistent bool)
	Remove(pos uint64)
	Load(from, to uint64) bool
	Keep(b *store.Block)
	Delete()
}

// On lets the store keep persistent messages on disk, too, under a number. It is called
// before the first Add. Nothing is released until Recover has been called. WhenDeclared
// calls f when all queues that exist now are on disk, if they are to be there: what was
// released to them is not removed before.
func (d *Store) On(s *store.Store, id uint32, whenDeclared func(f func())) {
	k := s.Queue(id, &d.mu, (*taker)(d))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.disk = &onDisk{disk: k, loading: true, whenDeclared: whenDeclared}
	_, d.disk.last, d.disk.out = k.Out(0)
	d.added = max(1, k.Next(0)) - 1
}

// Recover loads the messages of the run before, if there are any, in the background.
// When all are there, those whose time has come are released.
func (d *Store) Recover() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.disk != nil && !d.closed {
		d.load(0)
	}
}

// load begins to load messages from a position on. mu is held.
func (d *Store) load(from uint64) {
	k := d.disk
	if k.out.Len > 0 && from <= k.last && k.Load(from, k.last) {
		return
	}
	k.loading, k.out = false, store.Count{}
	d.wakeAt(d.clock.Now())
}

// taker implements store.Taker for a Store.
type taker Store

// Loaded implements store.Taker.
func (t *taker) Loaded(b *store.Block) {
	d := (*Store)(t)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	k := d.disk
	k.Keep(b)
	for i := range b.Items {
		it := &b.Items[i]
		p := message.Publishing{Entry: it.Entry}
		if it.Content != nil {
			p.TakeKeysAgain(it.Content.Headers())
		}
		w := newWaiting(&p, it.Deadline)
		w.order = it.Pos
		d.push(w)
	}
	k.out.Len = max(0, k.out.Len-b.Count.Len)
	d.load(b.Last + 1)
}

// Paged implements store.Taker. All messages stay in memory.
func (t *taker) Paged() {}

// forget removes messages from the disk, because what they have become is there, or will
// be with its queues.
func (d *Store) forget(released []*waiting) {
	orders := make([]uint64, len(released))
	for i, w := range released {
		orders[i] = w.order
	}
	d.disk.whenDeclared(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, order := range orders {
			d.disk.Remove(order)
		}
	})
}
