// Package filestest has a files.Dir in memory for tests. It counts what changes the
// disk, fails at any of these operations, cuts the power before any of them, and makes
// images of what a disk may hold then.
package filestest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/warrenmq/warren/internal/files"
)

var (
	// ErrPowerCut is what everything fails with after a power cut.
	ErrPowerCut = errors.New("filestest: the power is cut")
	// ErrNoSpace is what a Write fails with when the space of [Dir.Space] is used up.
	ErrNoSpace = fmt.Errorf("filestest: %w", files.ErrFull)
)

var _ files.Dir = (*Dir)(nil)

// Dir is a directory in memory. The zero value is empty and ready to be used.
type Dir struct {
	mu      sync.Mutex
	names   map[string]*inode // as a running system sees them
	disk    map[string]*inode // as they were at the last Sync
	pending []change          // what made names of disk
	stale   []byte            // what was in removed files, if it is kept
	holds   bool              // stale is kept
	locked  *files.LockedError

	faults faults
	space  int64 // bytes that may still be written, if bounded
	bound  bool
	delay  time.Duration // of a File's Sync
}

// New gives an empty directory.
func New() *Dir { return new(Dir) }

// Create is as [files.Dir] says.
func (d *Dir) Create(name string) (files.File, error) {
	if err := files.CheckName(name); err != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	end, err := d.begin(Op{Kind: Create, Name: name})
	defer end()
	if err == nil && d.names[name] != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	i := new(inode)
	d.change(change{to: name, inode: i})
	return &file{dir: d, inode: i, name: name, writes: true}, nil
}

// Open is as [files.Dir] says.
func (d *Dir) Open(name string) (files.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := files.CheckName(name)
	i := d.names[name]
	switch {
	case err != nil:
	case d.faults.cut:
		err = ErrPowerCut
	case i == nil:
		err = fs.ErrNotExist
	default:
		return &file{dir: d, inode: i, name: name}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: err}
}

// Rename is as [files.Dir] says.
func (d *Dir) Rename(from, to string) error {
	if err := errors.Join(files.CheckName(from), files.CheckName(to)); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	end, err := d.begin(Op{Kind: Rename, Name: from, To: to})
	defer end()
	if err == nil && d.names[from] == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	if from != to {
		d.change(change{from: from, to: to, inode: d.names[from]})
	}
	return nil
}

// Remove is as [files.Dir] says.
func (d *Dir) Remove(name string) error {
	if err := files.CheckName(name); err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	end, err := d.begin(Op{Kind: Remove, Name: name})
	defer end()
	if err == nil && d.names[name] == nil {
		err = fs.ErrNotExist
	}
	if err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	d.change(change{from: name, inode: d.names[name]})
	return nil
}

// List is as [files.Dir] says.
func (d *Dir) List() ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.faults.cut {
		return nil, ErrPowerCut
	}
	return slices.Sorted(maps.Keys(d.names)), nil
}

// Sync is as [files.Dir] says. If it fails, the next one makes good for it.
func (d *Dir) Sync() error {
	end, err := d.begin(Op{Kind: SyncDir})
	defer end()
	if err != nil {
		return &fs.PathError{Op: "sync", Path: ".", Err: err}
	}
	d.disk, d.pending = maps.Clone(d.names), nil
	return nil
}

// Free is what is left of [Dir.Space], or very much.
func (d *Dir) Free() (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.faults.cut:
		return 0, ErrPowerCut
	case d.bound:
		return max(d.space, 0), nil
	}
	return math.MaxInt64, nil
}

// Lock is as [files.Dir] says.
func (d *Dir) Lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.faults.cut {
		return nil, ErrPowerCut
	}
	if d.locked != nil {
		e := *d.locked
		return nil, &e
	}
	l := &files.LockedError{Path: ".", PID: os.Getpid(), Since: time.Now()}
	d.locked = l
	return lock{d, l}, nil
}

// lock is one holder's. Its Close does nothing if it was closed before.
type lock struct {
	dir  *Dir
	mine *files.LockedError
}

func (l lock) Close() error {
	l.dir.mu.Lock()
	defer l.dir.mu.Unlock()
	if l.dir.locked == l.mine {
		l.dir.locked = nil
	}
	return nil
}
