//go:build !linux

package files

import "os"

// syncFile is F_FULLFSYNC on Apple's systems and FlushFileBuffers on Windows.
func syncFile(f *os.File) error { return f.Sync() }
