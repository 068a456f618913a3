package journal_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/journal"
)

var (
	seeds = flag.Int("journal.seeds", 30, "random lives of a journal")
	seed0 = flag.Int("journal.seed", 0, "the first of them")
)

// TestRandomLives lets journals be used at random, on disks that fail, by processes
// that are killed and computers whose power is cut, several times in a row.
func TestRandomLives(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint(*seed0+seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { randomLife(t, uint64(*seed0+seed)) })
		})
	}
}

func randomLife(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 5))
	opt := journal.Options{
		Prefix:   "r-",
		FileSize: int64(200 << rnd.IntN(12)),
		Buffer:   int64(1000 << rnd.IntN(12)),
		Sync:     journal.Sync(rnd.IntN(3)),
	}
	dir := filestest.New()
	w := newWorld(t, dir, opt)
	for life := range 6 {
		if rnd.IntN(2) == 0 {
			dir.HoldStale()
		}
		switch rnd.IntN(4) {
		case 0:
			dir.CutAt(1 + rnd.IntN(60))
		case 1:
			for range 1 + rnd.IntN(3) {
				dir.FailAt(1+rnd.IntN(60), syscall.EIO)
			}
		case 2:
			dir.FailFrom(1+rnd.IntN(60), syscall.ENOSPC)
			if rnd.IntN(2) == 0 {
				time.AfterFunc(time.Duration(rnd.IntN(5000))*time.Millisecond, dir.Heal)
			}
		}
		var next *filestest.Dir
		var known *world
		if w.open() == nil {
			w.use(rnd)
			if rnd.IntN(2) == 0 {
				next = dir.Clone()
				known = w.fork(t, next, seed)
			}
			_ = w.close(2 * time.Second)
		}
		if next == nil || rnd.IntN(2) == 0 {
			next = dir.Image(rnd)
			known = w.fork(t, next, seed)
			if opt.Sync == journal.SyncNever {
				for _, r := range known.records {
					r.stored = false
				}
			}
		}
		dir, w = next, known
		if life%2 == 1 {
			w.lives(fmt.Sprintf("life %d", life))
		}
	}
}

// use does a bit of everything at random.
func (w *world) use(rnd *rand.Rand) {
	for range rnd.IntN(60) {
		switch rnd.IntN(12) {
		case 0:
			_ = w.wait(w.append(rnd.IntN(100)))
		case 1:
			time.Sleep(time.Duration(rnd.IntN(1500)) * time.Millisecond)
		case 2:
			time.Sleep(time.Duration(rnd.IntN(12)) * time.Millisecond)
		case 3:
			if n := len(w.records); n > 0 {
				if r := w.records[n-1-rnd.IntN(min(n, 5))]; !r.void && !r.stored {
					w.void(r)
				}
			}
		case 4:
			w.j.Roll()
		case 5:
			for _, f := range w.j.Files() {
				if f.Sealed && rnd.IntN(2) == 0 {
					_ = w.remove(f.Number)
				}
			}
		case 6:
			w.append(rnd.IntN(100 << 10))
		default:
			w.append(rnd.IntN(500))
		}
	}
	for _, r := range w.records {
		if w.j.File(r.seq) == 0 || r.void {
			continue
		}
		if _, rec, err := w.j.Read(r.seq, nil); err == nil {
			require.Equal(w.t, r.text, string(rec))
		}
	}
}
