package files

import (
	"os"
	"syscall"
)

// syncFile leaves times aside, which nobody reads: that saves a write of the inode
// where the length has not changed.
func syncFile(f *os.File) error {
	if err := control(f, func(fd uintptr) error { return syscall.Fdatasync(int(fd)) }); err != nil {
		return &os.PathError{Op: "fdatasync", Path: f.Name(), Err: err}
	}
	return nil
}
