package files

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/bits"
	"os"
	"path/filepath"
)

// What is made can be read and written by its owner alone.
const (
	dirMode  = 0o700
	fileMode = 0o600
)

// Open opens a directory of the real file system. It makes it if there is none, with
// the folders above it, and syncs those. It fails with errors.ErrUnsupported on a system
// that has no lock for it.
func Open(path string) (Dir, error) {
	if !canLock {
		return nil, fmt.Errorf("open directory %s: a store cannot be kept on this system: %w", path, errors.ErrUnsupported)
	}
	// The host may change its working directory later.
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := makeDir(path); err != nil {
		return nil, err
	}
	return dir(path), nil
}

// makeDir makes a directory that outlives a power cut.
func makeDir(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return &fs.PathError{Op: "open", Path: path, Err: errors.New("is a file, not a directory")}
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return err
	}
	above := filepath.Dir(path)
	if above == path {
		return err
	}
	if err := makeDir(above); err != nil {
		return err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(above)
}

// dir is a directory by its path.
//
// Files are opened by an os.Root, because what it opens can be renamed and removed on
// Windows, too. A Dir has no Close, so that each call opens a Root of its own: these
// calls are rare.
type dir string

// in calls do for the directory, if the names are good.
func (d dir) in(op string, do func(*os.Root) error, names ...string) error {
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return &fs.PathError{Op: op, Path: filepath.Join(string(d), name), Err: err}
		}
	}
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return err
	}
	return errors.Join(do(root), root.Close())
}

// open opens a file.
func (d dir) open(op, name string, flag int) (*file, error) {
	f := &file{writes: flag&os.O_CREATE != 0}
	err := d.in(op, func(root *os.Root) (err error) {
		f.File, err = root.OpenFile(name, flag, fileMode)
		return err
	}, name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d dir) Create(name string) (File, error) {
	f, err := d.open("create", name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d dir) Open(name string) (File, error) {
	f, err := d.open("open", name, openFlag)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d dir) Rename(from, to string) error {
	return d.in("rename", func(root *os.Root) error { return root.Rename(from, to) }, from, to)
}

func (d dir) Remove(name string) error {
	return d.in("remove", func(root *os.Root) error { return root.Remove(name) }, name)
}

func (d dir) List() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Name() != LockName {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (d dir) Sync() error { return syncDir(string(d)) }

func (d dir) Free() (int64, error) { return free(string(d)) }

// blocks is how many bytes n blocks are, as far as an int64 goes.
func blocks(n, size uint64) int64 {
	high, low := bits.Mul64(n, size)
	if high != 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}

// file is an open file.
type file struct {
	*os.File
	writes bool
}

func (f *file) Write(p []byte) (int, error) {
	if !f.writes {
		return 0, &fs.PathError{Op: "write", Path: f.Name(), Err: ErrReadOnly}
	}
	return f.File.Write(p)
}

func (f *file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *file) Sync() error { return syncFile(f.File) }
