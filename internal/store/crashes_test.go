package store_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCrashesInARowLoseNothing lets the store crash while it still works on what the crash
// before has left: of a generation of the log some files are gone then, and others are not.
func TestCrashesInARowLoseNothing(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed, small)
				a, b := w.declare(), w.declare()
				for range 10 {
					w.add(a)
					w.add(a, b)
				}
				require.True(t, w.sync())
				for range 12 {
					for range 5 {
						w.some().remove()
						w.add(w.queues[1], w.queues[2])
					}
					w.sync()
					w.dir.CutAt(w.dir.Ops() + 1 + w.rnd.IntN(30))
					w.add(w.some())
					w.s.PageOut()
					time.Sleep(time.Minute)
					w.end()
					o := w.fork(w.dir.Clone())
					o.dir.CutAt(o.dir.Ops() + 1 + w.rnd.IntN(30))
					if o.try() {
						time.Sleep(time.Minute)
						o.end()
					}
					w = o.fork(o.dir.Clone())
					w.start()
					w.check()
				}
				require.True(t, w.end())
			})
		})
	}
}
