package files

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

const canLock = true

// What package syscall has no names for.
const (
	lockExclusive   = 2 // LOCKFILE_EXCLUSIVE_LOCK
	lockImmediately = 1 // LOCKFILE_FAIL_IMMEDIATELY
	lockViolation   = syscall.Errno(33)
)

// lockedByte is far behind the text, which others must be able to read.
func lockedByte() *syscall.Overlapped { return &syscall.Overlapped{OffsetHigh: 1 << 30} }

// tryLock locks a file, or fails with errLocked if somebody else has.
func tryLock(f *os.File) error {
	ok, _, err := kernel("LockFileEx").Call(f.Fd(), lockExclusive|lockImmediately, 0, 1, 0, uintptr(unsafe.Pointer(lockedByte())))
	switch {
	case ok != 0:
		return nil
	case errors.Is(err, lockViolation) || errors.Is(err, syscall.ERROR_IO_PENDING):
		return errLocked
	}
	return err
}

func unlock(f *os.File) error {
	if ok, _, err := kernel("UnlockFileEx").Call(f.Fd(), 0, 1, 0, uintptr(unsafe.Pointer(lockedByte()))); ok == 0 {
		return err
	}
	return nil
}

func kernel(name string) *syscall.LazyProc { return syscall.NewLazyDLL("kernel32.dll").NewProc(name) }
