//go:build !(linux || darwin || dragonfly || freebsd || openbsd || windows)

package files

import (
	"errors"
	"os"
)

func free(path string) (int64, error) {
	return 0, &os.PathError{Op: "free space", Path: path, Err: errors.ErrUnsupported}
}
