package files

import (
	"os"
	"syscall"
	"unsafe"
)

// free is what the quota of the user leaves of the disk.
func free(path string) (int64, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	var n uint64
	if ok, _, err := kernel("GetDiskFreeSpaceExW").Call(uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&n)), 0, 0); ok == 0 {
		return 0, &os.PathError{Op: "free space", Path: path, Err: err}
	}
	return blocks(n, 1), nil
}
