package amqp

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/memory"
)

// TestABufferThatIsUsedAgainHasTheSameLimit: buffers that need not grow any more close
// the room for deliveries at the limit, and at a lower one when all buffers together
// hold much.
func TestABufferThatIsUsedAgainHasTheSameLimit(t *testing.T) {
	const most, frame = 256 << 10, 100
	var budget memory.Budget
	budget.Init(1<<30, false, nil)
	var all link.Buffers
	all.Init(&budget)
	var o output
	o.init(nil, most, &all)
	fill := func() int {
		for !o.room.IsClosed() {
			require.Less(t, len(o.buf), 2*most, "the room is never closed")
			o.append(func(b []byte) []byte { return append(b, make([]byte, frame)...) })
		}
		batch, ok := o.take()
		require.True(t, ok)
		o.keep(batch)
		o.reopen()
		require.False(t, o.room.IsClosed())
		return len(batch)
	}
	for range 5 {
		n := fill()
		require.Greater(t, n, most)
		require.LessOrEqual(t, n, most+frame)
	}
	all.Add(1 << 30) // others
	require.LessOrEqual(t, fill(), 16<<10+frame)
	all.Add(-1 << 30)
	require.Greater(t, fill(), most)
	o.free()
	require.Zero(t, budget.Kept())
}
