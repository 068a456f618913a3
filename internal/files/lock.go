package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Lock locks the file LockName and writes into it who it is. The file stays when the
// lock goes: a second process may have it open already.
func (d dir) Lock() (io.Closer, error) {
	root, err := os.OpenRoot(string(d))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(LockName, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, fmt.Errorf("lock directory: %w", err)
	}
	if err := tryLock(f); err != nil {
		defer f.Close()
		if errors.Is(err, errLocked) {
			return nil, lockHolder(f, string(d))
		}
		return nil, fmt.Errorf("lock %s: %w", filepath.Join(string(d), LockName), err)
	}
	l := &lock{file: f}
	text := fmt.Sprintf("%d %s\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339Nano))
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(text), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock directory: %w", err), l.Close())
	}
	return l, nil
}

// errLocked is what tryLock fails with if somebody has the lock.
var errLocked = errors.New("locked")

// lockHolder says who has locked a file, as far as it can be read.
func lockHolder(f *os.File, path string) *LockedError {
	e := &LockedError{Path: path}
	text := make([]byte, 100)
	n, _ := f.ReadAt(text, 0)
	pid, since, _ := strings.Cut(strings.TrimSpace(string(text[:n])), " ")
	if id, err := strconv.Atoi(pid); err == nil && id > 0 {
		e.PID = id
	}
	if at, err := time.Parse(time.RFC3339Nano, since); err == nil {
		e.Since = at
	}
	return e
}

// lock is a locked file.
type lock struct {
	file *os.File
	once sync.Once
	err  error // of the first Close
}

// Close gives the lock back. A second one does nothing.
func (l *lock) Close() error {
	l.once.Do(func() {
		// A child that is just being started may hold the file for a moment after its
		// Close, and the lock with it, were it not unlocked before.
		l.err = errors.Join(l.file.Truncate(0), unlock(l.file), l.file.Close())
	})
	return l.err
}
