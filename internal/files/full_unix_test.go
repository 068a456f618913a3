//go:build unix

package files_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/files/filestest"
)

func TestAFullDiskIsToldFromOtherTrouble(t *testing.T) {
	for err, want := range map[error]bool{
		syscall.ENOSPC:       true,
		syscall.EDQUOT:       true,
		filestest.ErrNoSpace: true,
		syscall.EIO:          false,
		errors.New("x"):      false,
	} {
		wrapped := fmt.Errorf("journal: %w", &os.PathError{Op: "write", Path: "f", Err: err})
		require.Equal(t, want, files.IsFull(wrapped), "%v", err)
	}
	require.False(t, files.IsFull(nil))
}
