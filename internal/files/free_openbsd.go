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
	// It is below zero when the reserve of the super-user is in use.
	return blocks(uint64(max(s.F_bavail, 0)), uint64(s.F_bsize)), nil
}
