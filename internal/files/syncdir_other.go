//go:build !unix

package files

import "os"

// openFlag is how a file is opened for reading: Windows syncs only what could be
// written.
const openFlag = os.O_RDWR

// syncDir does nothing: Windows has no sync of a directory, and keeps the order of
// changes to names by its file system's own log.
func syncDir(string) error { return nil }
