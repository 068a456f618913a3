package topology

import (
	"context"
	"sync"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/journal"
)

// Prefix is what the names of the log's files begin with.
const Prefix = "topology-"

// fileSize is how large a file of the log grows, in bytes.
const fileSize = 16 << 20

// keptBuffer is how much room for the encoding of records is kept, in bytes.
const keptBuffer = 64 << 10

// Log is the log of a topology's changes. Its methods are safe for concurrent use.
type Log struct {
	journal *journal.Journal

	mu sync.Mutex
	// Guarded by mu, under which only the journal's own lock is taken.
	buf     []byte
	last    journal.Seq // of the last record
	bytes   int64       // of all records in the files, about
	needed  int64       // what records of all that was living took when it was counted last
	running bool        // there is a Rewrite, or is going to be
}

// Open opens the log in a directory, which has one owner. The state is what its
// records amount to. Its errors are those of the journal, and others for records that
// this program cannot read.
func Open(dir files.Dir, o journal.Options) (*Log, *State, error) {
	o.Prefix, o.FileSize = Prefix, fileSize
	l, s := &Log{}, newState()
	j, err := journal.Open(dir, o, func(_ journal.Seq, k byte, b []byte) error {
		r, err := parse(kind(k), b)
		if err != nil {
			return err
		}
		r.apply(s)
		l.bytes += sizeOf(b)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	l.journal = j
	s.settle()
	if records := j.Recovery().Records; records > 0 {
		l.needed = l.bytes * int64(s.Len()) / int64(records) // about
	}
	return l, s, nil
}

// sizeOf is what a record takes of a file, about.
func sizeOf(b []byte) int64 { return int64(len(b)) + 12 }

// Put adds a record and returns its number, which is zero if the log is closed. It only
// copies the record, so it may be called under the lock that guards the object: then the
// records of an object are in order. It is on disk when a later Wait has returned nil.
func (l *Log) Put(r Record) journal.Seq {
	seq, _ := l.put(r)
	return seq
}

// put is Put that also returns the record's size.
func (l *Log) put(r Record) (seq journal.Seq, size int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = r.appendTo(l.buf[:0])
	if seq = l.journal.Append(byte(r.kind()), l.buf, nil); seq != 0 {
		l.last = seq
	}
	size = sizeOf(l.buf)
	l.bytes += size
	if cap(l.buf) > keptBuffer {
		l.buf = nil
	}
	return seq, size
}

// Wait returns nil when all that was put before is on disk. With the error of a write
// or sync it may come there later, because the journal tries again.
func (l *Log) Wait(ctx context.Context) error {
	l.mu.Lock()
	last := l.last
	l.mu.Unlock()
	if last == 0 {
		return nil
	}
	return l.journal.Wait(ctx, last)
}

// Recovery tells how the log was found.
func (l *Log) Recovery() journal.Recovery { return l.journal.Recovery() }

// Notify lets w be told when a record is stored: see [journal.Journal.Notify].
func (l *Log) Notify(seq journal.Seq, w journal.Waiter) (stored bool, err error) {
	return l.journal.Notify(seq, w)
}

// Stored is the number below which all records are stored.
func (l *Log) Stored() journal.Seq { return l.journal.Stored() }

// Close writes and syncs what was put. Nothing can be put afterwards.
func (l *Log) Close(ctx context.Context) error { return l.journal.Close(ctx) }

// Err is why nothing can be stored at present, or nil.
func (l *Log) Err() error { return l.journal.Err() }
