package files

import (
	"os"
	"syscall"
)

func free(path string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	size := s.Frsize
	if size == 0 { // an old file system driver
		size = s.Bsize
	}
	return blocks(s.Bavail, uint64(size)), nil
}
