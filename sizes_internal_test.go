package warren

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClassesOfSizesAreThoseOfTheLimits(t *testing.T) {
	require.Equal(t, 0, sizeClass(0))
	for i, limit := range SizeLimits() {
		require.Equal(t, i, sizeClass(limit))
		require.Equal(t, i+1, sizeClass(limit+1))
	}
}
