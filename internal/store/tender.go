package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// tender is the goroutine that does the store's work in the background. It is there only
// while there is some.
type tender struct {
	store *Store
	full  atomic.Bool   // publishers should wait
	asked atomic.Bool   // the log is to become page files now
	quit  chan struct{} // closed by stop

	mu sync.Mutex
	// Guarded by mu.
	started bool
	stopped bool
	running bool
	work    bool          // there is some, perhaps
	late    bool          // it was to look at the log, and has not
	fullAt  uint64        // if it is late: number of the record with which full begins
	room    chan struct{} // closed when full ends; nil if nobody waits
	idle    chan struct{} // closed when the goroutine is gone after stop

	// The goroutine's.
	nextPage  uint32   // no page file has this number or a higher one
	indexed   uint64   // generation of the index that is on the disk
	guessed   uint64   // up to this generation messages of the log may be in page files, too
	discard   []string // files to be removed
	low       bool     // the disk has little room
	collector collector
	buf       []byte // for what is written to page files
}

const (
	mostLag    = 4 // generations that wait to become page files before publishers wait
	firstPause = 10 * time.Millisecond
	longPause  = time.Second
)

// errStopped ends what the tender does.
var errStopped = errors.New("store: closing")

func (t *tender) init() { t.quit, t.idle = make(chan struct{}), make(chan struct{}) }

func (t *tender) start(s *Store) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.started { // the goroutine reads store without mu
		t.store, t.started = s, true
		s.lookAt.Store(0)
		t.kickLocked()
	}
}

// kick lets the goroutine look whether there is work. It may be called with the lock of a
// queue held.
func (t *tender) kick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kickLocked()
}

func (t *tender) kickLocked() {
	t.work = true
	if t.started && !t.stopped && !t.running {
		t.running = true
		go t.run()
	}
}

// look lets the goroutine look at the log, in which seq was appended. If it has not done
// so since the last time, because the disk is slow, publishers should wait.
func (t *tender) look(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.started || seq < t.store.lookAt.Load() { // it looked meanwhile
		return
	}
	t.kickLocked()
	if !t.late {
		t.late, t.fullAt = true, seq+mostLag*uint64(t.store.opt.FileSize)
	}
	if seq < t.fullAt {
		t.store.lookAt.Store(t.fullAt)
		return
	}
	t.setFullLocked(!t.stopped)
	t.store.lookAt.Store(never) // until the goroutine has looked
}

// stop ends the goroutine.
func (t *tender) stop(ctx context.Context) error {
	t.mu.Lock()
	if !t.stopped {
		t.stopped = true
		close(t.quit)
		if !t.running {
			close(t.idle)
		}
		t.setFullLocked(false)
	}
	t.mu.Unlock()
	select {
	case <-t.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// PageOut lets what is in the log now become page files, soon, although its file is not
// full: memory is short, and takers are told Paged.
func (s *Store) PageOut() {
	s.tender.asked.Store(true)
	s.tender.kick()
}

// stopping reports whether the goroutine is to end.
func (t *tender) stopping() bool {
	select {
	case <-t.quit:
		return true
	default:
		return false
	}
}

func (t *tender) run() {
	pause := time.Duration(0)
	for t.next() {
		err := t.store.tend()
		t.setFull(t.low || t.store.lag() > mostLag)
		switch {
		case errors.Is(err, errStopped):
		case err != nil:
			t.store.setTrouble(err)
			pause = min(max(2*pause, firstPause), longPause)
			t.rest(pause)
		case t.low:
			t.store.setTrouble(ErrDiskLow)
			t.rest(longPause)
		default:
			t.store.setTrouble(nil)
			pause = 0
		}
	}
}

// next reports whether there may be work; if not, the goroutine must end.
func (t *tender) next() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		t.running = false
		close(t.idle)
		return false
	}
	t.running = t.work
	t.work = false
	if !t.running {
		t.collector, t.buf = collector{}, nil
	}
	return t.running
}

// rest waits before the next attempt.
func (t *tender) rest(pause time.Duration) {
	t.mu.Lock()
	t.work = true
	t.mu.Unlock()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.quit:
	}
}

func (t *tender) setFull(full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.setFullLocked(full && !t.stopped)
}

func (t *tender) setFullLocked(full bool) {
	t.full.Store(full)
	if !full && t.room != nil {
		close(t.room)
		t.room = nil
	}
}

// wait waits until full ends.
func (t *tender) wait(ctx context.Context) error {
	t.mu.Lock()
	if !t.full.Load() {
		t.mu.Unlock()
		return nil
	}
	if t.room == nil {
		t.room = make(chan struct{})
	}
	room := t.room
	t.mu.Unlock()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitStored waits until a record and all before it are stored.
func (s *Store) waitStored(seq Seq) error {
	w := make(stored, 1)
	done, err := s.log.Notify(seq, w)
	if done || err != nil {
		return err
	}
	select {
	case err = <-w:
		return err
	case <-s.tender.quit:
		return errStopped
	}
}

type stored chan error

func (s stored) Stored(err error) { s <- err }

// tend does what there is to do.
func (s *Store) tend() error {
	t := &s.tender
	if err := s.checkDisk(); err != nil {
		return err
	}
	s.roll()
	for {
		g, end, ok := s.full()
		if !ok {
			break
		}
		if err := s.pageOut(g, end); err != nil {
			return err
		}
		t.setFull(t.low || s.lag() > mostLag)
	}
	if err := s.compact(); err != nil {
		return err
	}
	return s.cleanUp()
}

// roll begins a new generation of the log if the file is full.
func (s *Store) roll() {
	t := &s.tender
	size, now := s.written()
	if asked := t.asked.Swap(false); size >= s.opt.FileSize || asked && size > 0 {
		s.newGeneration(false)
		size = 0
	}
	next := max(s.opt.FileSize-size, 1<<10)
	if s.opt.DiskLimit > 0 {
		next = min(next, s.opt.DiskLimit/8+1<<10)
	}
	t.mu.Lock()
	t.late = false
	s.lookAt.Store(uint64(now) + uint64(next))
	t.mu.Unlock()
	t.setFull(t.low || s.lag() > mostLag)
}

// tick is called now and then while the goroutine works for long.
func (s *Store) tick() error {
	t := &s.tender
	if t.stopping() {
		return errStopped
	}
	t.mu.Lock()
	late := t.late
	t.mu.Unlock()
	if late {
		s.roll()
	}
	return nil
}

// checkDisk looks whether the disk has room.
func (s *Store) checkDisk() error {
	if s.opt.DiskLimit <= 0 {
		return nil
	}
	free, err := s.dir.Free()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return &WriteError{"look at the free space", ".", err}
	}
	s.tender.low = free < s.opt.DiskLimit
	return nil
}
