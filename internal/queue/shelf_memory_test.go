package queue

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/message"
)

// TestChunksCountUntilTheyAreFree leaves a single message in the last of many chunks.
func TestChunksCountUntilTheyAreFree(t *testing.T) {
	for _, priorities := range []uint8{0, 9} {
		s := newTestStore(priorities)
		kept := s.shared.Memory.Kept
		const n = smallChunk + 10*bigChunk
		for range n {
			s.push(&message.Entry{}, 3, 1)
		}
		require.Equal(t, 10*bigChunkBytes, kept())
		for range n - 1 {
			s.shift(new(message.Item))
		}
		require.Equal(t, bigChunkBytes, kept(), "it is the last message that needs the chunk")
		s.shift(new(message.Item))
		require.Zero(t, kept())
	}
}

// TestAHeapOfReturnedMessagesGetsSmaller requeues many messages and takes all but one
// out again.
func TestAHeapOfReturnedMessagesGetsSmaller(t *testing.T) {
	s := newTestStore(0)
	for i := range uint64(10_000) {
		s.requeue(&message.Item{Pos: i})
	}
	for range 9999 {
		s.shift(new(message.Item))
	}
	require.Equal(t, 1, s.len())
	require.LessOrEqual(t, cap(s.returned.few), 2*smallHeap)
	var it message.Item
	s.shift(&it)
	require.Equal(t, uint64(9999), it.Pos)
}
