//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd || illumos || windows)

package files

import (
	"errors"
	"os"
)

const canLock = false

func tryLock(*os.File) error { return errors.ErrUnsupported }

func unlock(*os.File) error { return errors.ErrUnsupported }
