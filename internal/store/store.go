package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/journal"
)

// Seq is the number of a record. A later record has a higher one. Zero is no record's.
type Seq = journal.Seq

// Waiter is told once what became of a record.
type Waiter = journal.Waiter

// Options say how a store is.
type Options struct {
	Logger   *slog.Logger // is told of damage and trouble; nil: nobody is
	Clock    *clock.Clock // that deadlines are given on; nil: one of the store's own
	Sync     journal.Sync
	FileSize int64 // bytes at which a file of the log is full; 0 means 16 MiB
	Salvage  bool  // go on without what is damaged
	// DiskLimit is how many bytes of the disk are to stay free: with less, Full says that
	// publishers should wait. 0 means that nobody looks.
	DiskLimit int64
	// Trouble is told when the store can write nothing, each time it has failed, and
	// nil when all is well again. It is called with no lock held; nil: nobody is told.
	Trouble func(err error)
}

const defaultFileSize = 16 << 20

// Store is the messages of all queues in a directory. Its methods may be called from
// any number of goroutines. Those of its queues do no I/O, so a queue's lock may be held.
type Store struct {
	opt     Options
	dir     files.Dir
	lock    io.Closer
	log     *journal.Journal
	id      [16]byte
	clean   bool
	names   interner
	scratch sync.Pool // of *[]byte, for encoded records
	tender  tender
	loads   loads
	trouble trouble

	wall    atomic.Int64  // Unix time in nanoseconds at the clock's zero
	lookAt  atomic.Uint64 // number of the record with which the tender is to look at the log
	taken   atomic.Uint64 // number below which no record can be voided, as far as is known
	damaged atomic.Uint64 // messages that could not be read

	// fan is held for reading by who appends a message of several queues, so that all its
	// records are in one generation.
	fan sync.RWMutex
	// Guarded by fan.
	generation uint32 // that is being written; from 1

	mu sync.Mutex
	// Guarded by mu.
	queues      map[uint32]*Queue
	unasked     int          // recovered queues that no engine has asked for
	generations []generation // with files, the oldest first; the last one is being written
	pages       []*page      // by number

	origins map[Seq]Seq // for messages that Open has found in the log: records that have their contents
}

// Stats are figures of a store.
type Stats struct {
	Pages      int    // page files
	Files      int    // of the log
	PageBytes  int64  // in page files
	LogBytes   int64  // in files of the log
	Messages   int64  // that live in page files
	Held       int64  // bytes of memory that what is unwritten or unsynced takes
	Written    uint64 // bytes that the log has written since Open
	Syncs      uint64 // of the log since Open
	Unreadable uint64 // messages that could not be read since Open
}

// Clean reports whether the last use of the directory ended by Close. If not, each
// message that was recovered counts as redelivered, because nobody knows.
func (s *Store) Clean() bool { return s.clean }

// Queue returns the messages of a queue: one that was recovered, or a new one. mu is the
// lock of its engine, under which the Queue's methods are called. A taker that is nil is never told
// anything, and nothing can be loaded then.
func (s *Store) Queue(id uint32, mu *sync.Mutex, taker Taker) *Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.queues[id]
	if k == nil {
		k = &Queue{store: s, id: id}
		s.queues[id] = k
	} else if k.mu == nil {
		if s.unasked--; s.unasked == 0 {
			defer s.tender.start(s)
		}
	}
	k.mu, k.taker = mu, taker
	return k
}

// Recovered calls f for each queue that has messages, in no order, between Open and the
// first call of Queue.
func (s *Store) Recovered(f func(id uint32)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.queues {
		f(id)
	}
}

// Start lets the store begin its work in the background although not all engines of
// recovered queues have asked for their Queue, which they must not do later. As a rule it
// begins when the last one has: files of the log become page files.
func (s *Store) Start() {
	s.mu.Lock()
	for _, k := range s.queues {
		if k.mu == nil {
			k.mu = new(sync.Mutex) // nobody has asked
		}
	}
	s.unasked = 0
	s.mu.Unlock()
	s.tender.start(s)
}

// allQueues is called with mu held.
func (s *Store) allQueues() []*Queue {
	all := make([]*Queue, 0, len(s.queues))
	for _, k := range s.queues {
		all = append(all, k)
	}
	return all
}

// queue returns a queue, or nil.
func (s *Store) queue(id uint32) *Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queues[id]
}

// Notify lets w be told when a record is stored. It returns true, and w is not told, if
// it is stored already; and an error, and w is not told, if it never will be.
func (s *Store) Notify(seq Seq, w Waiter) (stored bool, err error) { return s.log.Notify(seq, w) }

// Wait returns nil when a record is stored: synced, or written with journal.SyncNever.
// With ctx's error, or that of a write or sync, it may be stored later or not.
func (s *Store) Wait(ctx context.Context, seq Seq) error { return s.log.Wait(ctx, seq) }

// Full says whether publishers should wait, by WaitRoom: too much is unwritten, or waits
// to become page files, or the disk has little room. Nothing else changes: Add goes on.
func (s *Store) Full() bool { return s.log.Full() || s.tender.full.Load() }

// WaitRoom returns nil when the store is not full. It fails with ctx's error and with
// [ErrClosed].
func (s *Store) WaitRoom(ctx context.Context) error {
	for s.Full() {
		if err := s.log.Room(ctx); err != nil {
			return err
		}
		if err := s.tender.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Err is why nothing can be stored at present, or nil. The store tries again by itself.
func (s *Store) Err() error {
	if err := s.log.Err(); err != nil {
		return err
	}
	return s.trouble.get()
}

// Stats returns figures as they are now.
func (s *Store) Stats() Stats {
	j := s.log.Stats()
	st := Stats{Files: j.Files, LogBytes: j.Bytes, Held: j.Held, Written: j.Written, Syncs: j.Syncs, Unreadable: s.damaged.Load()}
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Pages = len(s.pages)
	for _, p := range s.pages {
		st.PageBytes += p.size
		st.Messages += p.living.Load()
	}
	return st
}

// Close writes and syncs everything, marks the store as closed cleanly, and gives the
// directory free. When ctx ends first, what is not written is lost, and the store is not
// clean. No method of a Queue may be called any more.
func (s *Store) Close(ctx context.Context) error {
	err := s.tender.stop(ctx)
	s.loads.stop(ctx)
	if err == nil {
		s.appendTime()
	}
	err = errors.Join(err, s.log.Close(ctx))
	s.mu.Lock()
	pages := s.pages
	s.pages = nil
	s.mu.Unlock()
	for _, p := range pages {
		p.release()
	}
	return errors.Join(err, s.lock.Close())
}
