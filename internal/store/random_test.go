package store_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/store"
)

var (
	seeds = flag.Int("store.seeds", 20, "runs of the random test")
	seed  = flag.Uint64("store.seed", 0, "the first seed")
)

func canceled(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestWhatIsPromisedHoldsWhateverHappens does anything at random, compares the store with
// a simple model, and lets it crash.
func TestWhatIsPromisedHoldsWhateverHappens(t *testing.T) {
	for n := range uint64(*seeds) {
		t.Run(fmt.Sprint("seed ", *seed+n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { anything(t, *seed+n, 400) })
		})
	}
}

func anything(t *testing.T, seed uint64, steps int) {
	w := newWorld(t, seed, store.Options{FileSize: 1 << (10 + seed%6)})
	w.dir.HoldStale()
	w.dir.Delay(time.Duration(w.rnd.IntN(3)) * time.Millisecond)
	for range 3 {
		w.declare()
	}
	for range steps {
		w.step()
	}
	w.restart()
	require.NoError(t, w.s.Close(t.Context()))
}

// step does one thing.
func (w *world) step() {
	switch n := w.rnd.IntN(100); {
	case n < 40:
		q := w.some()
		for range 1 + w.rnd.IntN(20) {
			w.add(q)
		}
	case n < 50:
		queues := []*queue{w.some(), w.some(), w.some()}
		slices.SortFunc(queues, func(a, b *queue) int { return int(a.id) - int(b.id) })
		w.add(slices.Compact(queues)...)
	case n < 70:
		q := w.some()
		for range 1 + w.rnd.IntN(30) {
			q.remove()
		}
	case n < 72:
		w.some().removeRange()
	case n < 75:
		w.some().returned()
	case n < 76:
		w.some().spill()
	case n < 77:
		w.some().comeBack()
	case n < 80:
		w.some().loadPaged()
	case n < 84:
		time.Sleep(time.Duration(w.rnd.IntN(30)) * time.Millisecond)
	case n < 90:
		require.True(w.t, w.sync())
	case n < 92:
		synctest.Wait()
	case n < 93:
		w.remove(w.some())
		w.declare()
	case n < 95:
		w.restart()
	case n < 97:
		w.crash(w.dir.Clone())
	default:
		w.crash(w.dir.Image(w.rnd))
	}
}
