//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || illumos

package files

import (
	"errors"
	"os"
	"syscall"
)

const canLock = true

// tryLock locks a file, or fails with errLocked if somebody else has.
func tryLock(f *os.File) error {
	err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errLocked
	}
	return err
}

func unlock(f *os.File) error { return flock(f, syscall.LOCK_UN) }

func flock(f *os.File, how int) error {
	return control(f, func(fd uintptr) error { return syscall.Flock(int(fd), how) })
}

// control calls do with the descriptor of a file until no signal interrupts it.
func control(f *os.File, do func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	closed := conn.Control(func(fd uintptr) {
		for {
			if err = do(fd); !errors.Is(err, syscall.EINTR) {
				return
			}
		}
	})
	if closed != nil { // it fails for no other reason
		return os.ErrClosed
	}
	return err
}
