package filestest

import (
	"io"
	"io/fs"
	"time"

	"github.com/warrenmq/warren/internal/files"
)

// file is an open file. Its directory's lock guards it.
type file struct {
	dir    *Dir
	inode  *inode
	name   string // that it was opened by
	writes bool
	closed bool
}

func (f *file) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// check is usable for who does not hold the directory's lock.
func (f *file) check() error {
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	return f.usable()
}

// usable is nil if the file can be used at all. The directory's lock is held.
func (f *file) usable() error {
	switch {
	case f.closed:
		return fs.ErrClosed
	case f.dir.faults.cut:
		return ErrPowerCut
	}
	return nil
}

func (f *file) Write(p []byte) (int, error) {
	if !f.writes {
		return 0, f.fail("write", files.ErrReadOnly)
	}
	if err := f.check(); err != nil {
		return 0, f.fail("write", err)
	}
	end, err := f.dir.begin(Op{Kind: Write, Name: f.name, Bytes: len(p)})
	defer end()
	if f.dir.faults.cut {
		return 0, f.fail("write", err)
	}
	n := len(p)
	if err != nil {
		n /= 2
	}
	if d := f.dir; d.bound && int64(n) > d.space {
		n = int(max(d.space, 0))
		if err == nil {
			err = ErrNoSpace
		}
	}
	i := f.inode
	i.data = append(i.data, p[:n]...)
	i.ends = append(i.ends, len(i.data))
	if !i.gone {
		f.dir.space -= int64(n)
	}
	if err != nil {
		return n, f.fail("write", err)
	}
	return n, nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	if err := f.usable(); err != nil {
		return 0, f.fail("read", err)
	}
	if hook := f.dir.faults.beforeReads; hook != nil {
		f.dir.mu.Unlock()
		hook(f.name)
		f.dir.mu.Lock()
	}
	if err := f.dir.faults.reads; err != nil {
		return 0, f.fail("read", err)
	}
	if off < 0 {
		return 0, f.fail("read", fs.ErrInvalid)
	}
	n := copy(p, f.inode.data[min(off, int64(len(f.inode.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Size() (int64, error) {
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	if err := f.usable(); err != nil {
		return 0, f.fail("stat", err)
	}
	return int64(len(f.inode.data)), nil
}

// Sync makes sure of what was written before it was called, and of no more. If it
// fails, this is on the disk or is not, and no later Sync changes that.
func (f *file) Sync() error {
	d, i := f.dir, f.inode
	d.mu.Lock()
	err, to, delay := f.usable(), len(i.data), d.delay
	d.mu.Unlock()
	if err != nil {
		return f.fail("sync", err)
	}
	if delay > 0 {
		time.Sleep(delay)
	}
	end, err := d.begin(Op{Kind: Sync, Name: f.name})
	defer end()
	switch {
	case d.faults.cut:
		return f.fail("sync", err)
	case err != nil:
		i.drop(to)
		return f.fail("sync", err)
	}
	i.sync(to)
	return nil
}

func (f *file) Close() error {
	f.dir.mu.Lock()
	defer f.dir.mu.Unlock()
	if f.closed {
		return f.fail("close", fs.ErrClosed)
	}
	f.closed = true
	return nil
}
