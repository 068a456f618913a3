package files

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVeryMuchSpaceIsNotLittle(t *testing.T) {
	require.EqualValues(t, 12, blocks(3, 4))
	require.EqualValues(t, int64(math.MaxInt64), blocks(1<<62, 4))
	require.EqualValues(t, int64(math.MaxInt64), blocks(1<<62, 2))
	require.EqualValues(t, int64(math.MaxInt64), blocks(math.MaxUint64, 1))
}
