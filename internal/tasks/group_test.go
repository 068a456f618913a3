package tasks_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/tasks"
)

func TestAllWhoWaitGoOnAfterTheLastTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g tasks.Group
		require.NoError(t, g.Wait(t.Context()), "there is none")
		for range 2 { // a group can be used again
			results := make(chan error, 2)
			g.Add()
			g.Add()
			for range cap(results) {
				go func() { results <- g.Wait(t.Context()) }()
			}
			g.Done()
			synctest.Wait()
			require.Empty(t, results, "one task runs still")
			g.Done()
			require.NoError(t, <-results)
			require.NoError(t, <-results)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var g tasks.Group
	require.NoError(t, g.Wait(ctx), "there is nothing to wait for")
	g.Add()
	require.ErrorIs(t, g.Wait(ctx), context.Canceled)
	g.Done()
	require.NoError(t, g.Wait(t.Context()))
}
