package files

import "syscall"

// What Windows says: ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL and
// ERROR_DISK_QUOTA_EXCEEDED. syscall.ENOSPC is a number of Go's own there.
var fullErrors = [...]error{syscall.Errno(112), syscall.Errno(39), syscall.Errno(1295), syscall.ENOSPC}
