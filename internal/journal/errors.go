package journal

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is for what is asked of a journal after its Close.
	ErrClosed = errors.New("journal: closed")
	// ErrNotTaken is for a record that Append did not take: it is longer than
	// [MaxRecord], or of a kind that is not from 1 to [MaxKind].
	ErrNotTaken = errors.New("journal: record too long or of no kind")
	// ErrNotWritten is for a record that is not in a file yet.
	ErrNotWritten = errors.New("journal: record not written yet")
	// ErrRemoved is for a record whose file was removed, a number that no record has,
	// and a file that there is not.
	ErrRemoved = errors.New("journal: no such record or file")
	// ErrInUse is for the removal of the file that is being written.
	ErrInUse = errors.New("journal: file is being written")
)

// FailedError is a write or a sync that failed. What was not synced is kept in memory
// and written to a new file as soon as that is possible.
type FailedError struct {
	Op   string // what was done
	File string
	Err  error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("journal: %s of %s: %v", e.Op, e.File, e.Err)
}

func (e *FailedError) Unwrap() error { return e.Err }

// DamagedError is a part of a journal that had been synced and cannot be read as it
// was written.
type DamagedError struct {
	File   string // that is damaged
	Offset int64  // of the first bad byte, or a little before
	Bytes  int64  // how many bytes are lost, up to the next whole record; 0 if it is not known
	Reason string
	Aside  string // the file that Salvage has copied the bytes to, if it did
}

func (e *DamagedError) Error() string {
	text := fmt.Sprintf("journal: %s is damaged at offset %d: %s", e.File, e.Offset, e.Reason)
	if e.Bytes > 0 {
		text += fmt.Sprintf("; %d bytes of records are lost", e.Bytes)
	}
	if e.Aside != "" {
		return text + ", and kept in " + e.Aside
	}
	return text + "; bring back the file from a copy, or open with Salvage to go on without what is lost"
}

// FormatError is a journal of a format that this program does not know.
type FormatError struct {
	File          string
	Format, Known int
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("journal: %s has format %d, and this program knows formats up to %d: open it with a newer one", e.File, e.Format, e.Known)
}
