package store_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/store"
)

func TestWhatLivesIsThereAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, store.Options{})
		q := w.declare()
		for i := range 1000 {
			w.add(q)
			if i%3 == 0 {
				q.remove()
			}
		}
		for range 3 {
			w.restart()
		}
		require.NoError(t, w.s.Close(t.Context()))
	})
}
