package journal_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/journal"
)

// images is how many disks are looked at after each power cut.
var images = flag.Int("journal.images", 2, "images of the disk for each operation")

var small = journal.Options{Prefix: "m-", FileSize: 2000}

// countOps is how many operations the script has when nothing fails.
func countOps(t *testing.T, opt journal.Options) int {
	dir := filestest.New()
	w := newWorld(t, dir, opt)
	w.script()
	require.NotEmpty(t, w.records)
	for _, r := range w.records {
		require.True(t, r.stored)
	}
	return dir.Ops()
}

func eachOp(t *testing.T, do func(t *testing.T, opt journal.Options, n int)) {
	for _, mode := range []journal.Sync{journal.SyncConfirms, journal.SyncNever, journal.SyncAll} {
		t.Run(fmt.Sprint("mode ", mode), func(t *testing.T) {
			opt := small
			opt.Sync = mode
			ops := 0
			synctest.Test(t, func(t *testing.T) { ops = countOps(t, opt) })
			require.Greater(t, ops, 40)
			step := 1 + 2*min(1, int(mode)) // most is the same in each mode
			for n := 1 + int(mode); n <= ops; n += step {
				synctest.Test(t, func(t *testing.T) { do(t, opt, n) })
			}
		})
	}
}

// lives says that a journal opens, goes on, and has everything afterwards.
func (w *world) lives(what string) {
	require.NoError(w.t, w.open(), what)
	require.NoError(w.t, w.wait(w.append(20)), what)
	w.append(30)
	require.NoError(w.t, w.close(time.Minute), what)
	require.NoError(w.t, w.open(), what)
	require.True(w.t, w.j.Recovery().Clean)
	require.Nil(w.t, w.j.Recovery().Torn)
	for _, r := range w.records {
		kind, rec, err := w.j.Read(r.seq, nil)
		require.NoError(w.t, err)
		require.Equal(w.t, r.text, string(rec))
		if r.kind != 0 {
			require.Equal(w.t, r.kind, kind)
		}
	}
	require.NoError(w.t, w.close(time.Minute), what)
}

func TestWhatWasStoredSurvivesAPowerCutAtAnyOperation(t *testing.T) {
	eachOp(t, func(t *testing.T, opt journal.Options, n int) {
		dir := filestest.New()
		if n%2 == 0 {
			dir.HoldStale()
		}
		dir.CutAt(n)
		w := newWorld(t, dir, opt)
		w.script()
		if opt.Sync == journal.SyncNever {
			for _, r := range w.records {
				r.stored = false // by the end of the process only
			}
		}
		for seed := range uint64(*images) {
			what := fmt.Sprintf("cut before operation %d, image %d", n, seed)
			rnd := rand.New(rand.NewPCG(uint64(n), seed))
			image := dir.Image(rnd)
			o := w.fork(t, image, seed)
			if seed%3 == 0 { // and again, soon after
				image.CutAt(1 + rnd.IntN(25))
				o.script()
				if opt.Sync == journal.SyncNever {
					for _, r := range o.records {
						r.stored = false
					}
				}
				o = o.fork(t, image.Image(rnd), seed)
			}
			o.lives(what)
		}
	})
}

func TestWhatWasWrittenSurvivesTheEndOfTheProcessAtAnyOperation(t *testing.T) {
	eachOp(t, func(t *testing.T, opt journal.Options, n int) {
		dir := filestest.New()
		w := newWorld(t, dir, opt)
		var o *world
		dir.Before(func(op filestest.Op) error {
			if op.N == n {
				o = w.kill(t, dir, uint64(n))
			}
			return nil
		})
		w.script()
		if o == nil { // the script takes a few operations more or less
			o = w.kill(t, dir, uint64(n))
		}
		o.lives(fmt.Sprintf("killed before operation %d", n))
	})
}

func TestAMarkTellsOfWhatWasSyncedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{})
		require.NoError(t, w.wait(w.append(10)))
		time.Sleep(time.Second)
		syncs := 0
		dir.Before(func(op filestest.Op) error {
			if op.Kind != filestest.Sync {
				return nil
			}
			switch syncs++; syncs {
			case 1: // what comes now is written next, with a mark of this sync behind it
				w.append(100 << 10)
				_, err := w.j.Notify(w.append(10).seq, new(waiter))
				return err
			case 2:
				for seed := range uint64(100) {
					o := w.fork(t, dir.Image(rand.New(rand.NewPCG(7, seed))), seed)
					if err := o.open(); err != nil {
						t.Error(err)
						return nil
					}
					if err := o.close(time.Second); err != nil {
						t.Error(err)
					}
				}
			}
			return nil
		})
		require.NoError(t, w.wait(w.append(20)))
		synctest.Wait()
		require.GreaterOrEqual(t, syncs, 2)
		require.NoError(t, w.close(time.Second))
	})
}

// TestWhatACrashHasLeftSurvivesTheNextCrash: also while it is written to the next file,
// which is full before all of it is there.
func TestWhatACrashHasLeftSurvivesTheNextCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{Sync: journal.SyncNever})
		for range 4 {
			require.NoError(t, w.wait(w.append(70<<10)))
		}
		killed := w.kill(t, dir, 1)
		require.NoError(t, w.close(time.Second))
		killed.opt.FileSize = 1000
		var again []*world
		image := killed.dir.(*filestest.Dir)
		image.Before(func(op filestest.Op) error {
			again = append(again, killed.fork(t, image.Clone(), uint64(op.N)))
			return nil
		})
		require.NoError(t, killed.open())
		require.NoError(t, killed.wait(killed.append(10)))
		require.NoError(t, killed.close(time.Second))
		require.Greater(t, len(again), 10)
		for i, o := range again {
			o.lives(fmt.Sprintf("killed again before operation %d", i+1))
		}
	})
}

// TestWhatAnOpenHasSeenIsOnTheDisk: the process before may have been killed when the
// name of its manifest was not.
func TestWhatAnOpenHasSeenIsOnTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{})
		require.NoError(t, w.wait(w.append(10)))
		w.j.Roll()
		renamed := false
		var killed *world
		dir.Before(func(op filestest.Op) error {
			if renamed && killed == nil {
				killed = w.kill(t, dir, 1)
			}
			renamed = renamed || op.Kind == filestest.Rename
			return nil
		})
		require.NoError(t, w.wait(w.append(20)))
		require.NoError(t, w.close(time.Second))

		require.NoError(t, killed.open())
		for _, r := range killed.records {
			r.stored = r.seq < killed.j.Stored()
		}
		for seed := range uint64(30) {
			image := killed.dir.(*filestest.Dir).Image(rand.New(rand.NewPCG(9, seed)))
			killed.fork(t, image, seed).lives(fmt.Sprint("image ", seed))
		}
		require.NoError(t, killed.close(time.Second))
	})
}
