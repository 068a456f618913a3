package warren

import (
	"errors"
	"fmt"
	"time"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/identity"
	"github.com/warrenmq/warren/internal/journal"
)

var (
	// ErrNotStore: there are files in the directory that [Open] was given, and they are
	// no store.
	ErrNotStore = errors.New("warren: the directory is not empty and holds no store: give one that is empty, does not exist, or was made by Open")
)

// LockedError says that another broker, in this process or another one, has the
// directory that [Open] was given.
type LockedError struct {
	Dir   string
	PID   int       // of the process; zero if it is not known
	Since time.Time // when it was opened there; zero if it is not known
}

// Error says who has the directory.
func (e *LockedError) Error() string {
	return "warren: " + (&files.LockedError{Path: e.Dir, PID: e.PID, Since: e.Since}).Error()
}

// FormatError says that a newer version of this package wrote the directory that [Open]
// was given.
type FormatError struct {
	Dir    string
	Format int // of the directory
	Known  int // the highest that this version knows
}

// Error names the directory and both formats.
func (e *FormatError) Error() string {
	return fmt.Sprintf("warren: the store in %s has format %d, and this version of Warren knows formats up to %d: open it with a newer one", e.Dir, e.Format, e.Known)
}

// DamagedError is a part of a store that was on disk and cannot be read as it was
// written.
type DamagedError struct {
	Dir    string
	File   string // in Dir
	Offset int64  // of the first bad byte, or a little before
	Bytes  int64  // how many bytes would be lost, up to what can be read again; zero if it is not known
	Reason string
}

// Error names the file and the place, and says what can be done.
func (e *DamagedError) Error() string {
	lost := ""
	if e.Bytes > 0 {
		lost = fmt.Sprintf("; %d bytes would be lost", e.Bytes)
	}
	return fmt.Sprintf("warren: %s in %s is damaged at offset %d: %s%s: bring the file back from a copy, or open with Options.Salvage to go on without what is lost", e.File, e.Dir, e.Offset, e.Reason, lost)
}

// openError makes the error of Open, for a directory, of the error of a package that it
// uses.
func openError(dir string, err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
		list := make([]error, 0, len(joined.Unwrap()))
		for _, e := range joined.Unwrap() {
			list = append(list, openError(dir, e))
		}
		return errors.Join(list...)
	}
	if e, ok := errors.AsType[*files.LockedError](err); ok {
		return &LockedError{dir, e.PID, e.Since}
	}
	if e, ok := errors.AsType[*identity.FormatError](err); ok {
		return &FormatError{dir, e.Format, identity.Format}
	}
	if e, ok := errors.AsType[*journal.FormatError](err); ok {
		return &FormatError{dir, e.Format, e.Known}
	}
	if e, ok := errors.AsType[*identity.DamagedError](err); ok {
		return &DamagedError{Dir: dir, File: identity.Name, Offset: e.Offset, Reason: "it is not what every store has"}
	}
	if e, ok := errors.AsType[*journal.DamagedError](err); ok {
		return &DamagedError{dir, e.File, e.Offset, e.Bytes, e.Reason}
	}
	if errors.Is(err, identity.ErrForeign) {
		return fmt.Errorf("%w (%s: %w)", ErrNotStore, dir, err)
	}
	return fmt.Errorf("warren: open %s: %w", dir, err)
}
