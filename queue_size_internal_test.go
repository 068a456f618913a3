package warren

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// TestAQueueIsASmallObject: the garbage collector and the allocator have more work with
// an object of more than 512 bytes.
func TestAQueueIsASmallObject(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(declaredQueue{}), uintptr(512))
}
