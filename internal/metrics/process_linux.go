package metrics

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// lookAtProcess asks the system about this process.
func lookAtProcess() process {
	p := process{resident: resident(), openFiles: openFiles()}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil && limit.Cur < 1<<62 {
		p.maxFiles = limit.Cur
	}
	return p
}

// resident returns the resident memory in bytes.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm") // sizes in pages, the second is the resident one
	if fields := bytes.Fields(text); err == nil && len(fields) > 1 {
		if pages, err := strconv.ParseUint(string(fields[1]), 10, 64); err == nil {
			return pages * uint64(os.Getpagesize())
		}
	}
	return obtained()
}

// openFiles counts the file descriptors, without the one that it needs itself. It is
// zero if they are not to be seen.
func openFiles() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return len(names) - 1
}
