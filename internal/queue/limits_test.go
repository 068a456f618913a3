package queue

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALoweredLimitTakesOutManyMessagesInPortions(t *testing.T) {
	q := newQueueForTest(t, &Options{})
	for range 10_000 {
		_, err := q.Push(persistent("0"))
		require.NoError(t, err)
	}
	rules := NoRules()
	rules.MaxLength = 1
	q.rules = &rules
	q.mu.Lock()
	q.trim()
	require.Equal(t, 10_000-trimAtOnce, q.store.len(), "others get the lock")
	q.mu.Unlock()

	q.Obey(1, &rules)
	require.Equal(t, 1, q.Stats().Ready, "none is left when Obey returns")
	require.Equal(t, uint64(9_999), q.Stats().Dropped)
}
