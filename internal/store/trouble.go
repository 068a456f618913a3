package store

import (
	"errors"
	"sync"

	"github.com/warrenmq/warren/internal/journal"
)

// trouble is why the store cannot do its work.
type trouble struct {
	mu sync.Mutex
	// Guarded by mu.
	err     error // why the tender cannot
	reading error // why a block cannot be read
	failing int   // loads that try again
}

func (t *trouble) get() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	return t.reading
}

// setTrouble notes why the tender cannot do its work, and tells it; nil: it can.
func (s *Store) setTrouble(err error) {
	t := &s.trouble
	t.mu.Lock()
	changed := err != nil || t.err != nil
	t.err = err
	t.mu.Unlock()
	if changed {
		s.tell(err)
	}
}

// cannotRead notes that a load tries again, for the first time or not.
func (s *Store) cannotRead(err error, first bool) {
	t := &s.trouble
	t.mu.Lock()
	t.reading = err
	if first {
		t.failing++
	}
	t.mu.Unlock()
	s.tell(err)
}

// readAgain notes that a load that tried again has ended.
func (s *Store) readAgain() {
	t := &s.trouble
	t.mu.Lock()
	if t.failing--; t.failing == 0 {
		t.reading = nil
	}
	t.mu.Unlock()
	s.tell(nil)
}

// tell tells the host of trouble, or that there is none of a kind any more, and perhaps
// none at all.
func (s *Store) tell(err error) {
	if s.opt.Trouble == nil {
		return
	}
	if err == nil {
		err = s.trouble.get()
	}
	s.opt.Trouble(err)
}

// report tells the logger of damage.
func (s *Store) report(err error) {
	if s.opt.Logger == nil {
		return
	}
	var d *journal.DamagedError
	if errors.As(err, &d) {
		s.opt.Logger.Error("damage was set aside", "file", d.File, "offset", d.Offset, "bytes", d.Bytes, "reason", d.Reason, "aside", d.Aside)
		return
	}
	s.opt.Logger.Error("the store is damaged", "error", err)
}
