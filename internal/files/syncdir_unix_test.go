//go:build unix

package files

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFileSystemWithoutSyncOfDirectoriesIsTaken(t *testing.T) {
	for err, want := range map[error]bool{syscall.EINVAL: true, syscall.EBADF: true, syscall.ENOTSUP: true, syscall.EIO: false, syscall.ENOSPC: false, nil: false} {
		require.Equal(t, want, hasNoSync(&os.PathError{Op: "sync", Path: "x", Err: err}), err)
	}
	require.False(t, hasNoSync(nil))
}
