//go:build unix

package remote_test

import (
	"syscall"
	"time"
)

// cpuTime returns the processor time that this process has had. Unlike the time on the
// clock, it tells much on a busy machine.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
