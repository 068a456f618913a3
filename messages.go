package warren

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/confirm"
	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/journal"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/store"
	"github.com/warrenmq/warren/internal/topology"
)

// messages is the storage of an opened broker: the store of its directory.
//
// Messages and topology are in two logs. A message is of no use without its queue, so it
// counts as stored when its queue is, too. A queue whose declaration is not stored yet
// holds back the confirms of all messages that came after it. The same goes for an exchange
// that keeps messages back.
type messages struct {
	broker    *Broker
	store     *store.Store
	topology  *topology.Log
	opened    atomic.Bool
	transient atomic.Uint32 // number of queues that are not durable so far
	relief    relief
	paged     pagedOut

	young atomic.Bool // there are newborn queues or exchanges
	mu    sync.Mutex
	// Guarded by mu, under which the logs' own locks are taken only.
	newborn []newborn // in order of both numbers
}

// newborn is a durable queue or exchange whose declaration may not be stored yet.
type newborn struct {
	declared journal.Seq // record of the declaration
	before   store.Seq   // its messages have higher numbers
}

// firstTransientID is the lowest number of a queue that is not durable. Nothing of it is
// known after a restart, so that the numbers are given again then.
const firstTransientID = 1 << 31

// open opens the store, beside the log of the topology, and makes it the broker's. Messages
// of queues that the log does not know are dropped, and their numbers are not given again.
func (m *messages) open(dir files.Dir, d *topologyDisk, known func(id uint32) bool) (err error) {
	b := m.broker
	b.queues.Clock = clock.StartEarlier(longAgo)
	m.topology = d.log
	last := &d.lastStored
	m.store, err = store.Open(ownedDir{dir}, store.Options{
		Logger: b.log, Clock: &b.queues.Clock, Sync: b.journalOptions().Sync, FileSize: b.logFileSize(),
		Salvage: b.options.Salvage, DiskLimit: max(0, b.options.DiskLimit), Trouble: m.look,
	}, func(id uint32) bool {
		if id < firstTransientID {
			last.Store(max(last.Load(), id))
		}
		return known(id)
	})
	if err != nil {
		return err
	}
	b.disk = newDisk(m, (*diskAlarms)(b))
	m.opened.Store(true)
	m.look(nil)
	return nil
}

// longAgo is how old a message can be that is found when a broker is opened, and still
// have a time on the broker's clock.
const longAgo = 50 * 365 * 24 * time.Hour

// logFileSize returns how large a file of the log is, in bytes. Messages can leave
// memory when the file that they are in is full.
func (b *Broker) logFileSize() int64 {
	const least, most = 1 << 20, 32 << 20
	if limit := b.options.MemoryLimit; limit > 0 {
		return min(max(limit/8, least), most)
	}
	return most
}

// look is called when one of the logs cannot be written or the disk has little room, and
// when that has changed: it tells the gate of publishers. Two may look at once, so each
// looks again.
func (m *messages) look(error) {
	for m.opened.Load() {
		err := m.err()
		full := errors.Is(err, store.ErrDiskLow)
		g := &m.broker.disk.gate
		if full {
			g.setFull(fmt.Errorf("%w: there are fewer than %d bytes left, which is Options.DiskLimit", ErrDiskFull, m.broker.options.DiskLimit))
			g.setFailed(nil)
		} else {
			g.setFailed(err)
			g.setFull(nil)
		}
		if now := m.err(); (now == nil) == (err == nil) && errors.Is(now, store.ErrDiskLow) == full {
			return
		}
	}
}

// err is why nothing can be stored at present, or nil.
func (m *messages) err() error {
	if err := m.store.Err(); err != nil {
		return err
	}
	return m.topology.Err()
}

// ownedDir is a directory that the broker has locked, for those who would lock it.
type ownedDir struct{ files.Dir }

// Lock implements files.Dir.
func (ownedDir) Lock() (io.Closer, error) { return noLock{}, nil }

type noLock struct{}

func (noLock) Close() error { return nil }

// OpenQueue implements storage. A queue that is not durable is there, too, so that
// messages that memory has no room for can be there as long as the broker runs.
func (m *messages) OpenQueue(q *queue.Queue, id uint32, durable bool) queue.Disk {
	for id == 0 || !durable && m.store.Has(id) {
		id = firstTransientID | m.transient.Add(1)
	}
	return q.On(m.store, id)
}

// declared notes that the declaration of a queue was recorded, or of an exchange that
// keeps messages back. No message has come to it yet.
func (m *messages) declared(seq journal.Seq) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.newborn = append(m.newborn, newborn{seq, m.store.Last()})
	m.young.Store(true)
}

// grow removes queues whose declaration is stored. mu is held.
func (m *messages) grow() {
	stored := m.topology.Stored()
	n := 0
	for n < len(m.newborn) && m.newborn[n].declared < stored {
		n++
	}
	if m.newborn = m.newborn[n:]; len(m.newborn) == 0 {
		m.newborn = nil
		m.young.Store(false)
	}
}

// WhenDeclared implements storage.
func (m *messages) WhenDeclared(f func()) {
	var last journal.Seq
	if m.young.Load() {
		m.mu.Lock()
		if m.grow(); len(m.newborn) > 0 {
			last = m.newborn[len(m.newborn)-1].declared
		}
		m.mu.Unlock()
	}
	if last != 0 {
		if stored, _ := m.topology.Notify(last, whenStored(f)); !stored {
			return
		}
	}
	f()
}

// whenStored is a Waiter that calls a function if all is well.
type whenStored func()

// Stored implements confirm.Waiter.
func (f whenStored) Stored(err error) {
	if err == nil {
		f()
	}
}

// Stored implements confirm.Disk.
func (m *messages) Stored() uint64 {
	stored := m.store.Stored()
	if m.young.Load() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.grow(); len(m.newborn) > 0 {
			stored = min(stored, m.newborn[0].before+1)
		}
	}
	return uint64(stored)
}

// Notify implements confirm.Disk.
func (m *messages) Notify(seq uint64, w confirm.Waiter) (stored bool, err error) {
	var declared journal.Seq // what w must wait for first; zero: nothing
	if m.young.Load() {
		m.mu.Lock()
		m.grow()
		for _, n := range m.newborn {
			if uint64(n.before) < seq {
				declared = max(declared, n.declared)
			}
		}
		m.mu.Unlock()
	}
	if declared == 0 {
		return m.store.Notify(store.Seq(seq), w)
	}
	stored, err = m.store.Notify(store.Seq(seq), &both{m, declared, w})
	if stored {
		return m.topology.Notify(declared, w)
	}
	return false, err
}

// both is a Waiter for a message and the declaration of its queue.
type both struct {
	messages *messages
	declared journal.Seq
	w        confirm.Waiter
}

// Stored implements confirm.Waiter: the message is stored.
func (b *both) Stored(err error) {
	stored := false
	if err == nil {
		stored, err = b.messages.topology.Notify(b.declared, b.w)
	}
	if stored || err != nil {
		b.w.Stored(err)
	}
}

// Full implements storage.
func (m *messages) Full() bool {
	m.paged.out(m)
	return m.store.Full()
}

// WaitRoom implements storage.
func (m *messages) WaitRoom(ctx context.Context) error { return m.store.WaitRoom(ctx) }

// At implements storage.
func (m *messages) At(t time.Time) int64 { return m.store.At(t) }

// Last implements storage.
func (m *messages) Last() uint64 { return uint64(m.store.Last()) }

// Unreadable implements storage.
func (m *messages) Unreadable() uint64 { return m.store.Stats().Unreadable }

// Close implements storage.
func (m *messages) Close(ctx context.Context) error { return m.store.Close(ctx) }
