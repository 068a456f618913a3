package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/memory"
)

func TestFullBuffersStayBelowTheirShare(t *testing.T) {
	const limit, most = 1 << 30, 256 << 10
	var b memory.Budget
	b.Init(limit, false, &alarms{})
	var all memory.Buffers
	all.Init(&b)
	require.Equal(t, most, all.Limit(most), "while there is plenty each has what it likes")
	for range 5000 {
		all.Add(int64(all.Limit(most)))
	}
	require.Less(t, all.Held(), int64(limit/8+5000*16<<10))
	require.Equal(t, all.Held(), b.Kept(), "what they hold counts")
	require.Equal(t, 16<<10, all.Limit(most), "the least is everybody's")
	require.Equal(t, 100, all.Limit(100))
	all.Add(-all.Held())
	require.Equal(t, most, all.Limit(most))
	require.Zero(t, b.Kept())
}

func TestBuffersWithoutALimitAreNotBoundedTogether(t *testing.T) {
	var b memory.Budget
	b.Init(-1, false, &alarms{})
	var all memory.Buffers
	all.Init(&b)
	all.Add(1 << 40)
	require.Equal(t, 1<<20, all.Limit(1<<20))
}
