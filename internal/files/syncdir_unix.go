//go:build unix

package files

import (
	"errors"
	"os"
	"syscall"
)

// openFlag is how a file is opened for reading.
const openFlag = os.O_RDONLY

// syncDir syncs the names in a directory.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if hasNoSync(err) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// hasNoSync says whether a directory's Sync failed because its file system has none,
// as some network file systems: there is nothing better to be had then.
func hasNoSync(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EBADF) || errors.Is(err, errors.ErrUnsupported)
}
