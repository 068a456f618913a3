package management

import (
	"os"
	"syscall"
)

// files returns how many files the process has open, and how many it may have.
func files() (open, limit int) {
	if d, err := os.Open("/proc/self/fd"); err == nil {
		names, _ := d.Readdirnames(-1)
		_ = d.Close() // nothing was written
		open = max(0, len(names)-1)
	}
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) == nil {
		limit = int(min(r.Cur, 1<<31-1))
	}
	return open, limit
}
