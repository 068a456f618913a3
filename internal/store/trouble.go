package store

import (
	"errors"
	"sync"

	"github.com/warrenmq/warren/internal/journal"
)

// trouble is why the store cannot write.
type trouble struct {
	told func(err error) // nil: nobody

	mu sync.Mutex
	// Guarded by mu.
	err     error
	reading error // why something cannot be read
}

func (t *trouble) get() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return t.err
	}
	return t.reading
}

// cannotRead notes that something cannot be read now, and readAgain that it can.
func (t *trouble) cannotRead(err error) { t.setReading(err) }
func (t *trouble) readAgain()           { t.setReading(nil) }

func (t *trouble) setReading(err error) {
	t.mu.Lock()
	changed := err != nil || t.reading != nil
	t.reading = err
	t.mu.Unlock()
	if changed && t.told != nil {
		t.told(err)
	}
}

// set notes the present trouble, nil if there is none, and tells it.
func (t *trouble) set(err error) {
	t.mu.Lock()
	changed := err != nil || t.err != nil
	t.err = err
	t.mu.Unlock()
	if changed && t.told != nil {
		t.told(err)
	}
}

// journalState is told of the log's trouble.
func (s *Store) journalState(err error) {
	if s.opt.Trouble != nil {
		s.opt.Trouble(err)
	}
}

// report tells the logger of damage.
func (s *Store) report(err error) {
	if s.opt.Logger == nil {
		return
	}
	var d *journal.DamagedError
	if errors.As(err, &d) {
		s.opt.Logger.Error("store: damaged", "file", d.File, "offset", d.Offset, "bytes", d.Bytes, "reason", d.Reason, "kept", d.Aside)
		return
	}
	s.opt.Logger.Error("store: damaged", "error", err)
}
