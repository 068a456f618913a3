package store

import (
	"errors"
	"fmt"

	"github.com/warrenmq/warren/internal/journal"
)

// Errors of this package. Others are those of package journal and package files.
var (
	// ErrClosed is for what is asked of a store after its Close.
	ErrClosed = journal.ErrClosed
	// ErrDiskLow is what Err tells when the disk has less room than Options.DiskLimit.
	ErrDiskLow = errors.New("store: the disk has less free space than is to be kept")
)

// WriteError is a file operation that failed. The store tries again by itself.
type WriteError struct {
	Op   string // what was done
	File string
	Err  error
}

func (e *WriteError) Error() string { return fmt.Sprintf("store: %s of %s: %v", e.Op, e.File, e.Err) }

func (e *WriteError) Unwrap() error { return e.Err }

// damaged is the error for a block of a page.
func (p *page) damaged(b *block, reason string) *journal.DamagedError {
	return &journal.DamagedError{File: p.name, Offset: b.off, Bytes: int64(b.size), Reason: reason}
}
