// Package files is the small file system that the store stands on: one directory
// of files that are written at their end only. The real one is made by [Open]; that
// of package filestest is in memory, fails when it is told to and shows what a disk
// may hold after a power cut.
package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// LockName is the file that [Dir.Lock] keeps in the directory. It is not in a List
// and no other method takes its name.
const LockName = "lock"

// ErrName is for a name that no file may have: an empty one, [LockName], a name
// that starts with a dot, is longer than 200 bytes or has anything in it other than
// ASCII letters, digits, dots, dashes and underscores.
var ErrName = errors.New("not a name of a file in a store")

// ErrReadOnly is for a Write to a file that was opened for reading.
var ErrReadOnly = errors.New("the file was opened for reading")

// Dir is a directory that holds a store. Names are plain, without a separator; see
// [ErrName]. Its methods may be called from any number of goroutines.
//
// What Create, Rename and Remove did is not sure to outlive a power cut until Sync
// has returned nil; what was written to a file is not until [File.Sync] has. Either
// may happen without the other: a synced file whose name was not may be gone.
type Dir interface {
	// Create makes a file to be appended to. It fails with fs.ErrExist if there is
	// one of that name.
	Create(name string) (File, error)
	// Open opens a file for reading. It fails with fs.ErrNotExist if there is none.
	Open(name string) (File, error)
	// Rename gives a file another name. A file that has it already is replaced. After
	// a power cut the file has the old name or the new one.
	Rename(from, to string) error
	// Remove removes a file. Who has it open may go on reading it. It fails with
	// fs.ErrNotExist if there is none.
	Remove(name string) error
	// List gives the names of all that is in the directory, sorted, also of what is not
	// a store's and of folders.
	List() ([]string, error)
	// Sync returns when the names that there are now are on the disk.
	Sync() error
	// Free says how many bytes there are left for this process on the disk. It fails
	// with errors.ErrUnsupported where the system does not tell.
	Free() (int64, error)
	// Lock keeps other processes, and other users of the directory in this one, out
	// until the Closer is closed or the process ends. It fails with a *[LockedError] if
	// somebody has the lock.
	Lock() (io.Closer, error)
}

// File is a file of a [Dir]. ReadAt, Size and Sync may be called from any number of
// goroutines, also while one of them writes. After Close all fail with fs.ErrClosed.
type File interface {
	// Write appends p to a file that was made by Create; it fails with [ErrReadOnly]
	// for one that was opened. If it fails, n bytes were appended nevertheless. One
	// goroutine writes at a time.
	Write(p []byte) (n int, err error)
	// ReadAt reads as io.ReaderAt says: io.EOF if the file ends before p is full. It
	// sees what was written and not synced, too.
	ReadAt(p []byte, off int64) (int, error)
	// Size is the length of the file in bytes, with what was written and not synced.
	Size() (int64, error)
	// Sync returns when all that was written before it was called is on the disk,
	// by whichever process and whether the file was created or opened. After an error
	// it must not be tried again on this file: the system may have dropped what it could
	// not write, and a second Sync would say nil.
	Sync() error
	Close() error
}

// LockedError says who has the lock of a directory.
type LockedError struct {
	Path  string    // of the directory
	PID   int       // of the process; 0 if it is not known
	Since time.Time // when it took the lock; zero if it is not known
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID == os.Getpid() {
		who = "this process"
	} else if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	if !e.Since.IsZero() {
		who += " since " + e.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("directory %s is in use by %s: close it there first, or open another directory", e.Path, who)
}

// CheckName is nil for a name that a file of a [Dir] may have, and an error that
// wraps [ErrName] otherwise.
func CheckName(name string) error {
	if name == "" || name == LockName || len(name) > 200 || name[0] == '.' {
		return fmt.Errorf("%w: %.200q", ErrName, name)
	}
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '.' && c != '-' && c != '_' {
			return fmt.Errorf("%w: %.200q", ErrName, name)
		}
	}
	return nil
}
