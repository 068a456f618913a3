//go:build unix || js || wasip1

package files

import "syscall"

var fullErrors = [...]error{syscall.ENOSPC, syscall.EDQUOT}
