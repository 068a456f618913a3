package store_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/store"
)

var crashSeeds = flag.Int("store.crashes", 6, "runs of crashes in a row")

// TestCrashesInARowLoseNothing lets the store crash while it still works on what the crash
// before has left: of a generation of the log some files are gone then, and others are not.
func TestCrashesInARowLoseNothing(t *testing.T) {
	for seed := range uint64(*crashSeeds) {
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
					if w.rnd.IntN(3) == 0 {
						w.restart()
					}
				}
				require.True(t, w.end())
			})
		})
	}
}

// TestACrashWhileALogOfSeveralFilesGoes lets the power fail at each operation while a
// generation of the log that has three files becomes a page file. What is promised holds
// after that, after a close, and after a crash on the way back.
func TestACrashWhileALogOfSeveralFilesGoes(t *testing.T) {
	for n, more := 1, true; more && !t.Failed(); n++ {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, uint64(n), store.Options{})
			a, b := w.declare(), w.declare()
			for range 2 {
				w.several(a, b)
				require.True(t, w.sync())
				w.several(a, b)
				w.failSync()
			}
			w.several(a, b)
			require.True(t, w.sync())
			w.dir.CutAt(w.dir.Ops() + n)
			w.dir.Before(func(op filestest.Op) error {
				if op.Kind == filestest.Create && strings.HasPrefix(op.Name, "pages-") {
					w.several(a, b) // they are in the next generation; the test sleeps
				}
				return nil
			})
			w.s.PageOut()
			time.Sleep(time.Minute)
			more = !w.end()
			w = w.fork(w.dir.Image(w.rnd))
			for range 5 {
				o := w.fork(w.dir.Clone())
				o.dir.CutAt(o.dir.Ops() + 1 + w.rnd.IntN(30))
				if o.try() {
					o.s.PageOut()
					time.Sleep(time.Minute)
					o.end()
				}
				o = o.fork(o.dir.Image(w.rnd))
				o.start()
				o.check()
				require.True(t, o.end())
			}
			w.start()
			w.check()
			w.restart()
			require.True(t, w.end())
		})
		if !more {
			require.Greater(t, n, 15, "operations")
		}
	}
}

// several adds some messages to two queues, and settles others.
func (w *world) several(a, b *queue) {
	for range 25 {
		w.add(a)
		w.add(a, b)
		w.some().remove()
		w.some().remove()
	}
}

// failSync lets the next sync fail, so that the log goes on in another file.
func (w *world) failSync() {
	w.dir.Before(func(op filestest.Op) error {
		if op.Kind == filestest.Sync {
			return errDisk
		}
		return nil
	})
	require.False(w.t, w.sync())
	w.dir.Before(nil)
}
