package journal

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/files"
)

// Seq is the number of a record. A later record has a higher one; there are gaps. Zero
// is no record's. Numbers are new each time a journal is opened.
type Seq uint64

// Sync says what is waited for.
type Sync uint8

const (
	// SyncConfirms syncs at once if somebody waits, and within a second otherwise.
	SyncConfirms Sync = iota
	// SyncNever lets nobody wait for a sync: Wait and Notify tell that a record is
	// written. There still is a sync when as much is unsynced as memory should keep, at
	// the end of each file, and at Close.
	SyncNever
	// SyncAll syncs each record at once.
	SyncAll
)

const (
	writeWithin = 10 * time.Millisecond
	syncWithin  = time.Second

	defaultFileSize = 64 << 20
	defaultBuffer   = 16 << 20
)

// Options say how a journal is. The hooks are called by the goroutine that writes, one
// at a time, with no lock held, and must not wait for a record.
type Options struct {
	Prefix   string // of its files' names, so that several journals share a directory
	FileSize int64  // a file is full at that many bytes; 0 means 64 MiB
	Buffer   int64  // how many bytes of memory may be unsynced before Full says so; 0 means 16 MiB
	Sync     Sync
	Salvage  bool // go on without what is damaged: see [Open]

	// State is told when a write or a sync has failed, each time, and nil when all is
	// well again.
	State func(err error)
	// Sealed is told the number of a file to which nothing will be added any more, when
	// it can be scanned and removed.
	Sealed func(number uint32)
}

// Journal is a log of records. Its methods may be called from any number of
// goroutines; its lock is the innermost one, and none is held during I/O.
type Journal struct {
	dir      files.Dir
	opt      Options
	id       [16]byte
	recovery Recovery
	wake     chan struct{} // has room for one; wakes the writer
	abandon  chan struct{} // closed when Close waits no longer
	done     chan struct{} // closed when the last goroutine is gone after Close
	full     atomic.Bool   // follows held
	waits    sync.Pool     // of *await

	mu sync.Mutex
	// Guarded by mu.
	next     Seq // of the next record
	taken    Seq // all below were taken by the writer
	stored   Seq // all below are stored: their waiters were told
	tail     *chunk
	pending  []*chunk // that the writer has not taken; tail is the last one, or nil
	held     int64    // bytes of all chunks that are not free
	free     pool
	roll     bool // the next record begins a file
	waiters  waiters
	room     chan struct{} // closed when Full ends; nil if nobody waits
	running  bool          // there is a writer
	asleep   bool          // it waits for a time or for wake
	closing  bool
	gone     bool  // Close has waited long enough
	finished bool  // nothing is written any more
	err      error // the present trouble
	files    []*file
	sealed   []uint32 // of which Options.Sealed is to be told
	stats    Stats

	// The writer's: there is one at a time, and mu is between them.
	work     []*chunk // taken and not written
	unsynced []*chunk // written and not synced
	cur      *file    // that is written to; nil if the next record begins one
	writeAt  time.Time
	syncAt   time.Time
	pause    time.Duration // after the last failure
	timer    *time.Timer
	told     []waiting // for reuse

	manifest sync.Mutex // held over the I/O of the manifest, by the writer or by Remove; mu is taken under it
	// Guarded by manifest.
	number  uint32   // of the next file
	clean   bool     // the manifest on the disk says that the journal was closed
	discard []string // files to remove when the next manifest is on the disk
}

// Stats are figures of a journal.
type Stats struct {
	Held    int64  // bytes of memory that what is unwritten or unsynced takes
	Files   int    // that there are
	Bytes   int64  // in files
	Written uint64 // bytes that were written since Open
	Syncs   uint64 // of files since Open
}

// Stats returns figures as they are now.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.stats
	s.Held, s.Files = j.held, len(j.files)
	for _, f := range j.files {
		s.Bytes += f.end
	}
	return s
}

// Err is why nothing can be stored at present, a *[FailedError], or nil. The journal
// tries again by itself.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Append adds a record of a kind from 1 to [MaxKind] that holds header and body, one
// behind the other. It copies them and waits for nothing: it may be called under a
// lock. It returns 0 if the record was not taken, because it is longer than
// [MaxRecord] or the journal is closed.
func (j *Journal) Append(kind byte, header, body []byte) Seq {
	n := recordHeader + len(header) + len(body)
	if n > chunkSize {
		return j.appendLarge(kind, header, body)
	}
	if kind == kindVoid || kind > MaxKind {
		return 0
	}
	j.mu.Lock()
	c := j.tail
	if c == nil || !c.fits(n) {
		if c = j.grow(n); c == nil {
			j.mu.Unlock()
			return 0
		}
	}
	seq, at := j.next, len(c.buf)
	j.next += Seq(n)
	c.buf = c.buf[:at+n]
	put(c.buf[at:], kind, header, body)
	j.mu.Unlock()
	return seq
}

// appendLarge is Append for a record with a chunk of its own. It is copied before the
// lock is taken.
func (j *Journal) appendLarge(kind byte, header, body []byte) Seq {
	if len(header) > MaxRecord || len(body) > MaxRecord-len(header) || kind == kindVoid || kind > MaxKind {
		return 0
	}
	n := recordHeader + len(header) + len(body)
	c := newChunk(n)
	c.buf = c.buf[:n]
	put(c.buf, kind, header, body)
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.add(c) {
		return 0
	}
	seq := j.next
	j.next += Seq(n)
	return seq
}

// grow gives a new tail that has room for n bytes, or nil if the journal is closed. mu
// is held.
func (j *Journal) grow(n int) *chunk {
	c := j.free.get(n)
	if !j.add(c) {
		return nil
	}
	return c
}

// add makes c the tail, unless the journal is closed, and sees to it that it will be
// written. mu is held.
func (j *Journal) add(c *chunk) bool {
	if j.closing {
		return false
	}
	c.base, c.fresh = j.next, j.roll
	j.roll = false
	j.pending = append(j.pending, c)
	j.tail = c
	j.hold(int64(cap(c.buf)))
	if n := len(j.pending); n == 1 || n == writeChunks {
		j.call()
	}
	return true
}

// hold adds to what is held in memory, and lets those in who wait for room. mu is held.
func (j *Journal) hold(n int64) {
	j.held += n
	full := j.held > j.opt.Buffer
	j.full.Store(full)
	if !full && j.room != nil {
		close(j.room)
		j.room = nil
	}
}

// call sees to it that the writer looks at what there is. mu is held.
func (j *Journal) call() {
	switch {
	case j.asleep:
		j.asleep = false
		select {
		case j.wake <- struct{}{}:
		default:
		}
	case !j.running && !j.finished:
		j.running = true
		go j.run()
	}
}

// Void drops a record that the writer has not taken yet: it will not be on the disk. It
// reports whether it was in time. Who waits for the record is told that it is stored.
func (j *Journal) Void(seq Seq) bool {
	j.mu.Lock()
	ok := j.void(seq)
	j.mu.Unlock()
	return ok
}

// void is Void. mu is held.
func (j *Journal) void(seq Seq) bool {
	if seq < j.taken || seq >= j.next {
		return false
	}
	for i := len(j.pending) - 1; i >= 0; i-- {
		if c := j.pending[i]; seq >= c.base {
			c.buf[seq-c.base+8] = kindVoid
			c.voids = true
			return true
		}
	}
	return false
}

// Roll lets the next record begin a new file.
func (j *Journal) Roll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.roll = true
	j.tail = nil
}
