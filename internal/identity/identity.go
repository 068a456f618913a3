// Package identity has the file by which a directory is known to be a store, and of
// which format. It says so to people, too.
package identity

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/warrenmq/warren/internal/files"
)

const (
	// Name is the name of the file.
	Name = "store.txt"
	// Format is the format of stores that this program writes. It counts for all
	// files of a store.
	Format = 1

	fresh   = "store.new"      // while it is being made
	damaged = "store.txt.bad"  // what Repair has set aside
	first   = "Warren store\n" // the first line
	second  = "format "        // and the second one, with the number behind it
	longest = 4 << 10          // bytes; no file of any format is longer
	advice  = "Here a message broker keeps its queues. Change nothing while it runs.\n"
)

// ErrForeign is for a directory that has files and is no store.
var ErrForeign = errors.New("it is no store of Warren, and not empty")

// FormatError is for a store that a newer program has written.
type FormatError struct{ Format int }

// Error names both formats.
func (e *FormatError) Error() string {
	return fmt.Sprintf("the store has format %d, and this program knows formats up to %d", e.Format, Format)
}

// DamagedError is for a file that is not as it was written.
type DamagedError struct{ Offset int64 }

// Error names the file and the place.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged at offset %d", Name, e.Offset)
}

// text is what the file holds.
func text() string { return first + second + strconv.Itoa(Format) + "\n" + advice }

// Look fails with ErrForeign if the directory is neither a store nor empty. It changes
// nothing.
func Look(dir files.Dir) error {
	_, err := look(dir)
	return err
}

// look returns the names of the files, which are those of a store, or at most what a
// crash has left of the making of one.
func look(dir files.Dir) (names []string, err error) {
	names, err = dir.List()
	if err != nil || slices.Contains(names, Name) {
		return names, err
	}
	for _, name := range names {
		if name != fresh {
			return nil, fmt.Errorf("%w: it has the file %s", ErrForeign, name)
		}
	}
	return names, nil
}

// Check returns nil if the directory is a store of the format that this program writes.
// An empty directory becomes one. It fails with ErrForeign, a *FormatError, a
// *DamagedError, and the directory's errors.
func Check(dir files.Dir) error {
	names, err := look(dir)
	switch {
	case err != nil:
		return err
	case slices.Contains(names, Name):
		return read(dir)
	}
	return write(dir, len(names) > 0)
}

func read(dir files.Dir) error {
	f, err := dir.Open(Name)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, longest)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	b = b[:n]
	want := text()
	if string(b) == want {
		return nil
	}
	if rest, ok := bytes.CutPrefix(b, []byte(first+second)); ok {
		line, _, _ := strings.Cut(string(rest), "\n")
		if format, err := strconv.Atoi(line); err == nil && format > Format {
			return &FormatError{format}
		}
	}
	at := 0
	for at < len(b) && at < len(want) && b[at] == want[at] {
		at++
	}
	return &DamagedError{int64(at)}
}

// Repair writes the file anew and keeps a damaged one under another name, which it
// returns. The directory must be known to be a store.
func Repair(dir files.Dir) (aside string, err error) {
	if err := dir.Rename(Name, damaged); err != nil {
		return "", err
	}
	return damaged, write(dir, false)
}

// write makes the file. It is not there before all of it is on disk. left says that a
// crash has left a part of it under its first name.
func write(dir files.Dir, left bool) error {
	if left {
		if err := dir.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := dir.Create(fresh)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text()))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := dir.Rename(fresh, Name); err != nil {
		return err
	}
	return dir.Sync()
}
