package store

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/files"
)

// ErrClosed is for what is asked of a store after its Close.
var ErrClosed = errors.New("store: closed")

// Seq is the number of a record. A later record has a higher one. Zero is no record's.
type Seq uint64

// Sync says what is waited for.
type Sync uint8

const (
	// SyncConfirms syncs at once if somebody waits, and within a second otherwise.
	SyncConfirms Sync = iota
	// SyncNever lets nobody wait for a sync: Wait and Notify tell that a record is
	// written.
	SyncNever
	// SyncAll syncs each record at once.
	SyncAll
)

// Options say how a store is.
type Options struct {
	Logger   *slog.Logger // is told of damage and trouble; nil: nobody is
	Clock    *clock.Clock // that deadlines are given on; nil: one of the store's own
	Sync     Sync
	FileSize int64 // bytes at which a file of the log is full; 0 means 32 MiB
	Salvage  bool  // go on without what is damaged
	// Trouble is told when the store can write nothing, each time it has failed, and
	// nil when all is well again. It is called with no lock held; nil: nobody is told.
	Trouble func(err error)
}

// Store is the messages of all queues in a directory. Its methods may be called from
// any number of goroutines. Those of its queues do no I/O, so a queue's lock may be held.
type Store struct {
	opt   Options
	lock  io.Closer
	log   *log
	names interner
	wall  int64 // Unix time in nanoseconds at the clock's zero
	clean bool

	mu sync.Mutex
	// Guarded by mu.
	queues map[uint32]*Queue
}

// Waiter is told once what became of a record.
type Waiter interface {
	// Stored is called with no lock held. With nil the record is synced, or written
	// with [SyncNever]. With an error it may be stored later or not.
	Stored(err error)
}

// Stats are figures of a store.
type Stats struct {
	Files    int    // of the log, and page files
	Bytes    int64  // in them
	Messages int64  // that live on disk
	Written  uint64 // bytes that were written since Open
	Syncs    uint64 // of files since Open
	Damaged  uint64 // messages that could not be read since Open
}

// Open reads what is in a directory, which it locks until Close. known says which
// queues there still are; the messages of others are dropped. It fails with a
// *[files.LockedError] if another process uses the directory.
func Open(dir files.Dir, o Options, known func(id uint32) bool) (*Store, error) {
	lock, err := dir.Lock()
	if err != nil {
		return nil, err
	}
	if o.Clock == nil {
		c := clock.Start()
		o.Clock = &c
	}
	s := &Store{opt: o, lock: lock, queues: make(map[uint32]*Queue)}
	s.wall = time.Now().UnixNano() - o.Clock.Now()
	s.log, err = openLog(dir, func(rec []byte) error { return s.replay(rec, known) })
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.clean = s.log.clean
	for _, k := range s.queues {
		k.recovered(!s.clean)
	}
	return s, nil
}

// Clean reports whether the last use of the directory ended by Close. If not, each
// message that was recovered counts as redelivered, because nobody knows.
func (s *Store) Clean() bool { return s.clean }

// Queue returns the messages of a queue: one that was recovered, or a new one. mu is the
// lock of its engine, under which the Queue's methods are called. A taker that is nil is
// never told anything, and nothing can be loaded then.
func (s *Store) Queue(id uint32, mu *sync.Mutex, taker Taker) *Queue {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.queues[id]
	if k == nil {
		k = newQueue(s, id)
		s.queues[id] = k
	}
	k.mu, k.taker = mu, taker
	return k
}

// Recovered calls f for each queue that has messages, in no order, after Open and before
// the first call of Queue.
func (s *Store) Recovered(f func(id uint32)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.queues {
		f(id)
	}
}

// Notify lets w be told when a record is stored. It returns true, and w is not told, if
// it is stored already; and an error, and w is not told, if it never will be.
func (s *Store) Notify(seq Seq, w Waiter) (stored bool, err error) { return s.log.notify(seq, w) }

// Wait returns nil when a record is stored: synced, or written with [SyncNever]. With
// ctx's error, or that of a write or sync, it may be stored later or not.
func (s *Store) Wait(ctx context.Context, seq Seq) error { return s.log.wait(ctx, seq) }

// Full says whether publishers should wait, by WaitRoom: too much is unwritten, or waits
// to become page files. Nothing else changes: Add goes on.
func (s *Store) Full() bool { return false }

// WaitRoom returns nil when the store is not full. It fails with ctx's error and with
// [ErrClosed].
func (s *Store) WaitRoom(ctx context.Context) error { return nil }

// Err is why nothing can be stored at present, or nil. The store tries again by itself.
func (s *Store) Err() error { return nil }

// Stats returns figures as they are now.
func (s *Store) Stats() Stats { return Stats{} }

// Close writes and syncs everything, marks the store as closed cleanly, and gives the
// directory free. When ctx ends first, what is not written is lost, and the store is not
// clean.
func (s *Store) Close(ctx context.Context) error {
	return errors.Join(s.log.close(ctx), s.lock.Close())
}

// wallOf converts a deadline on the clock to milliseconds of Unix time; zero stays zero.
// It rounds up, so that nothing expires early.
func (s *Store) wallOf(deadline int64) int64 {
	if deadline == 0 {
		return 0
	}
	return (s.wall + deadline + int64(time.Millisecond) - 1) / int64(time.Millisecond)
}

// clockOf is the opposite of wallOf. What was before the clock began becomes one.
func (s *Store) clockOf(wall int64) int64 {
	if wall == 0 {
		return 0
	}
	return max(1, wall*int64(time.Millisecond)-s.wall)
}
