package files

import "errors"

// ErrFull is what a [Dir] that has no system's errors fails with when it has no room.
var ErrFull = errors.New("files: no space left")

// IsFull reports whether an error says that the disk has no room, or that the user has
// used up the share of it that he may have.
func IsFull(err error) bool {
	for _, full := range fullErrors {
		if errors.Is(err, full) {
			return true
		}
	}
	return errors.Is(err, ErrFull)
}
