package definitions

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFileIsReadToItsLimitOnly(t *testing.T) {
	const limit = 1000
	file := strings.NewReader("{}" + strings.Repeat(" ", limit-2))
	_, err := Read(file, limit)
	require.NoError(t, err)
	file = strings.NewReader("{}" + strings.Repeat(" ", 100*limit))
	_, err = Read(file, limit)
	require.EqualError(t, err, "warren: read definitions: more than 1000 bytes")
	require.Equal(t, 99*limit+1, file.Len(), "the rest is not read")
	require.Equal(t, 64<<20, MaxSize)
}
