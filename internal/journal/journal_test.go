package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/journal"
)

// start gives an empty journal in memory, that the test must close.
func start(t testing.TB, opt journal.Options) (*filestest.Dir, *world) {
	dir := filestest.New()
	w := newWorld(t, dir, opt)
	require.NoError(t, w.open())
	return dir, w
}

// spy counts operations on files of records.
type spy struct{ writes, syncs int }

func watch(dir *filestest.Dir) *spy {
	s := new(spy)
	dir.Before(func(op filestest.Op) error {
		switch {
		case !strings.HasSuffix(op.Name, ".log"):
		case op.Kind == filestest.Write:
			s.writes++
		case op.Kind == filestest.Sync:
			s.syncs++
		}
		return nil
	})
	return s
}

// changesOf counts what changes something, other than a sync of what there is.
func changesOf(dir *filestest.Dir) *int {
	n := new(int)
	dir.Before(func(op filestest.Op) error {
		if op.Kind != filestest.SyncDir {
			*n++
		}
		return nil
	})
	return n
}

func TestARecordIsWrittenWithinTenMillisecondsAndSyncedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{})
		require.NoError(t, w.wait(w.append(10))) // there is a file
		time.Sleep(time.Minute)
		s := watch(dir)
		r := w.append(10)
		time.Sleep(10*time.Millisecond - 1)
		require.Zero(t, s.writes)
		require.Zero(t, w.j.File(r.seq))
		_, _, err := w.j.Read(r.seq, nil)
		require.ErrorIs(t, err, journal.ErrNotWritten)
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		require.Equal(t, spy{1, 0}, *s)
		require.EqualValues(t, 1, w.j.File(r.seq))
		time.Sleep(time.Second - 2)
		require.Equal(t, spy{1, 0}, *s)
		require.LessOrEqual(t, w.j.Stored(), r.seq)
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		require.Equal(t, spy{2, 1}, *s, "with a mark that says so")
		require.Greater(t, w.j.Stored(), r.seq)
		time.Sleep(time.Hour)
		require.Equal(t, spy{2, 1}, *s)
		require.NoError(t, w.close(time.Second))
	})
}

func TestWhoWaitsWaitsForNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w := start(t, journal.Options{})
		before := time.Now()
		for range 10 {
			w.append(10)
			require.NoError(t, w.wait(w.append(10)))
		}
		require.Equal(t, before, time.Now())
		require.NoError(t, w.close(time.Second))
	})
}

func TestOneSyncServesAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{})
		require.NoError(t, w.wait(w.append(10)))
		dir.Delay(5 * time.Millisecond)
		s := watch(dir)
		before := time.Now()
		var all sync.WaitGroup
		for k := range 100 {
			all.Go(func() {
				time.Sleep(time.Duration(k) * 100 * time.Microsecond) // while others are synced
				if err := w.j.Wait(context.Background(), w.j.Append(1, []byte("x"), nil)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Equal(t, 15*time.Millisecond, time.Since(before))
		require.Equal(t, 3, s.syncs)
		require.NoError(t, w.j.Close(t.Context()))
	})
}

func TestNobodyIsToldBeforeTheSync(t *testing.T) {
	for _, mode := range []journal.Sync{journal.SyncConfirms, journal.SyncNever, journal.SyncAll} {
		synctest.Test(t, func(t *testing.T) {
			dir, w := start(t, journal.Options{Sync: mode})
			require.NoError(t, w.wait(w.append(10)))
			dir.Delay(time.Hour)
			r := w.append(10)
			told := new(waiter)
			stored, err := w.j.Notify(r.seq, told)
			require.NoError(t, err)
			require.False(t, stored)
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, mode == journal.SyncNever, told.times == 1)
			require.Equal(t, mode == journal.SyncNever, w.j.Stored() > r.seq)
			time.Sleep(time.Hour)
			synctest.Wait()
			require.Equal(t, waiter{times: 1}, *told)
			stored, err = w.j.Notify(r.seq, told)
			require.NoError(t, err)
			require.True(t, stored, "it is already")
			require.NoError(t, w.close(5*time.Hour))
			require.Equal(t, 1, told.times)
		})
	}
}

// A record that has replaced an older one counts as what it replaces for those who wait for
// what is between the two, also when a new file begins before it.
func TestNobodyIsToldBeforeWhatReplacesAnOlderRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{FileSize: 64 << 10})
		require.NoError(t, w.wait(w.append(10)))
		told, files := new(waiter), 0
		dir.Before(func(op filestest.Op) error {
			if op.Kind == filestest.Create && strings.HasSuffix(op.Name, ".log") {
				files++
				require.Zero(t, told.times)
			}
			return nil
		})
		older := w.j.Append(1, []byte("1"), nil)
		between := w.append(100 << 10)
		instead := w.j.AppendInstead(older, 1, []byte("1 and 2"))
		require.Greater(t, instead, between.seq)
		_, err := w.j.Notify(between.seq, told)
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, files, "a new file for the last one")
		require.Equal(t, waiter{times: 1}, *told)
		require.Greater(t, w.j.Stored(), instead)
		require.NoError(t, w.j.Close(t.Context()))
	})
}

type waiter struct {
	times int
	err   error
}

func (w *waiter) Stored(err error) { w.times, w.err = w.times+1, err }

func TestSyncAllSyncsWhatNobodyWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w := start(t, journal.Options{Sync: journal.SyncAll})
		r := w.append(10)
		synctest.Wait()
		require.Greater(t, w.j.Stored(), r.seq)
		require.NoError(t, w.close(time.Second))
	})
}

func TestWhatIsDroppedInTimeNeverTouchesTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{})
		ops := dir.Ops()
		r := w.append(100)
		w.void(r)
		require.True(t, r.void)
		require.NoError(t, w.wait(r), "there is nothing to wait for")
		time.Sleep(time.Minute)
		require.Equal(t, ops, dir.Ops())
		require.False(t, w.j.Void(r.seq), "too late")
		require.False(t, w.j.Void(0))
		require.False(t, w.j.Void(r.seq+1000))

		// One in the middle of others, and one that is large.
		before, r, after := w.append(50), w.append(60), w.append(70)
		w.void(r)
		large := w.append(100 << 10)
		last := w.append(5)
		w.void(large)
		require.NoError(t, w.wait(last))
		require.Less(t, w.j.Stats().Bytes, int64(500))
		for _, o := range w.records {
			_, rec, err := w.j.Read(o.seq, nil)
			if o.void {
				require.ErrorIs(t, err, journal.ErrRemoved)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, o.text, string(rec))
		}
		require.False(t, before.void || after.void)
		require.NoError(t, w.close(time.Second))
		w.lives("without what was dropped")
	})
}

func TestRecordsOfAnyLengthAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w := start(t, journal.Options{})
		for _, n := range []int{0, 1, 64<<10 - 12, 64<<10 - 11, 64 << 10, 256 << 10, 3 << 20} {
			w.append(n)
			w.append(max(0, n-30))
		}
		require.NotZero(t, w.j.Append(1, nil, nil), "an empty one, too")
		require.NoError(t, w.wait(w.records[len(w.records)-1]))
		require.NoError(t, w.j.Close(t.Context()))
		var got []string
		j, err := journal.Open(w.dir, w.opt, func(seq journal.Seq, kind byte, rec []byte) error {
			got = append(got, string(rec))
			return nil
		})
		require.NoError(t, err)
		for i, r := range w.records {
			require.True(t, r.text == got[i], "record %d", i)
		}
		require.Equal(t, "", got[len(got)-1])
		require.NoError(t, j.Close(t.Context()))
	})
}

func TestWhatIsNoRecordIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, w := start(t, journal.Options{})
		for _, kind := range []byte{0, journal.MaxKind + 1, 255} {
			require.Zero(t, w.j.Append(kind, nil, nil))
			require.Zero(t, w.j.Append(kind, nil, make([]byte, 1<<20)))
		}
		require.Zero(t, w.j.Append(1, nil, make([]byte, journal.MaxRecord+1)))
		require.ErrorIs(t, w.j.Wait(t.Context(), 0), journal.ErrNotTaken)
		require.ErrorIs(t, w.j.Wait(t.Context(), 1000), journal.ErrNotTaken)
		require.NoError(t, w.close(time.Second))
		require.Zero(t, w.j.Append(1, nil, nil))
		require.ErrorIs(t, w.j.Wait(t.Context(), 0), journal.ErrClosed)
		require.ErrorIs(t, w.j.Remove(1), journal.ErrClosed)
		require.NoError(t, w.close(time.Second), "again")
	})
}

func TestAFullJournalLetsPublishersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{Buffer: 200 << 10})
		require.NoError(t, w.wait(w.append(1)))
		dir.Delay(time.Second)
		for !w.j.Full() {
			w.append(1000)
		}
		require.LessOrEqual(t, w.j.Stats().Held, int64(300<<10))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		require.ErrorIs(t, w.j.Room(ctx), context.DeadlineExceeded)
		r := w.append(10) // an ack does not wait
		require.NotZero(t, r.seq)
		before := time.Now()
		require.NoError(t, w.j.Room(t.Context()))
		require.LessOrEqual(t, time.Since(before), 2*time.Second)
		require.False(t, w.j.Full())
		require.NoError(t, w.close(time.Minute))
		w.lives("after it was full")
	})
}

func TestMemoryIsBoundedWhenNobodyWaitsForSyncs(t *testing.T) {
	for _, mode := range []journal.Sync{journal.SyncConfirms, journal.SyncNever} {
		synctest.Test(t, func(t *testing.T) {
			_, w := start(t, journal.Options{Buffer: 1 << 20, Sync: mode})
			for range 40 {
				w.append(100 << 10)
				time.Sleep(11 * time.Millisecond)
				require.LessOrEqual(t, w.j.Stats().Held, int64(500<<10))
			}
			require.NoError(t, w.close(time.Minute))
			w.lives("after much")
		})
	}
}

// TestAStuckDiskHoldsUpNobodyWhoDoesNotWait: not Append, Void, Err, Stats or Read.
func TestAStuckDiskHoldsUpNobodyWhoDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{})
		first := w.append(10)
		require.NoError(t, w.wait(first))
		let := make(chan struct{})
		dir.Before(func(filestest.Op) error { <-let; return nil })
		told := new(waiter)
		_, err := w.j.Notify(w.append(10).seq, told)
		require.NoError(t, err)
		synctest.Wait()
		for range 1000 {
			w.void(w.append(1000))
			w.append(10)
		}
		require.NoError(t, w.j.Err())
		require.NotZero(t, w.j.Stats().Held)
		_, rec, err := w.j.Read(first.seq, nil)
		require.NoError(t, err)
		require.Equal(t, first.text, string(rec))
		require.Zero(t, told.times)
		close(let)
		require.NoError(t, w.close(time.Second))
		require.Equal(t, waiter{times: 1}, *told)
		w.lives("after a stuck disk")
	})
}

func TestFilesAreSealedScannedAndRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		var sealed []uint32
		w := newWorld(t, dir, journal.Options{Prefix: "x-", FileSize: 1000, Sealed: func(n uint32) { sealed = append(sealed, n) }})
		require.NoError(t, w.open())
		for range 10 {
			r := w.append(300)
			if len(w.records)%3 == 0 {
				w.void(r)
			}
			require.NoError(t, w.wait(w.append(10)))
		}
		w.j.Roll()
		require.NoError(t, w.wait(w.append(10)))
		synctest.Wait() // Sealed is told behind those who wait
		infos := w.j.Files()
		require.Len(t, infos, len(sealed)+1)
		for i, f := range infos {
			require.EqualValues(t, i+1, f.Number)
			require.Equal(t, i < len(infos)-1, f.Sealed)
			require.EqualValues(t, len(dir.Bytes(fmt.Sprintf("x-%08d.log", f.Number))), f.Size)
			var want, got []string
			for _, r := range w.records {
				if w.j.File(r.seq) == f.Number {
					require.True(t, f.First <= r.seq && r.seq < f.End)
					want = append(want, fmt.Sprint(r.seq, r.kind, r.text))
				}
			}
			err := w.j.Scan(f.Number, func(seq journal.Seq, kind byte, rec []byte) error {
				got = append(got, fmt.Sprint(seq, kind, string(rec)))
				return nil
			})
			if !f.Sealed {
				require.ErrorIs(t, err, journal.ErrInUse)
				require.ErrorIs(t, w.remove(f.Number), journal.ErrInUse)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		one := w.records[0]
		require.NoError(t, w.remove(1))
		_, _, err := w.j.Read(one.seq, nil)
		require.ErrorIs(t, err, journal.ErrRemoved)
		require.Zero(t, w.j.File(one.seq))
		require.ErrorIs(t, w.remove(1), journal.ErrRemoved)
		require.ErrorIs(t, w.j.Scan(1, nil), journal.ErrRemoved)
		require.NotContains(t, dir.Names(), "x-00000001.log")
		for range 2 { // as long as there are any
			w.j.Roll()
			require.NoError(t, w.wait(w.append(10)))
		}
		for _, f := range w.j.Files() {
			if f.Sealed {
				require.NoError(t, w.remove(f.Number))
			}
		}
		require.NoError(t, w.close(time.Second))
		require.Len(t, dir.Names(), 2)
		w.opt.Sealed = nil
		w.lives("with files removed")
	})
}

func TestAJournalThatIsOpenedAndClosedMakesNoFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{})
		require.True(t, w.j.Recovery().New)
		require.NoError(t, w.close(time.Second))
		require.Equal(t, []string{"manifest"}, dir.Names())
		require.NoError(t, w.open())
		require.False(t, w.j.Recovery().New)
		require.NoError(t, w.wait(w.append(10)))
		require.NoError(t, w.close(time.Second))
		names, changes := dir.Names(), changesOf(dir)
		for range 3 {
			require.NoError(t, w.open())
			require.Equal(t, journal.Recovery{Clean: true, Records: 1}, w.j.Recovery())
			require.NoError(t, w.close(time.Second))
		}
		require.Equal(t, names, dir.Names())
		require.Zero(t, *changes)
	})
}

func TestSeveralJournalsShareADirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, a := start(t, journal.Options{Prefix: "a-"})
		b := newWorld(t, dir, journal.Options{Prefix: "b-"})
		require.NoError(t, b.open())
		for range 10 {
			a.append(10)
			b.append(20)
		}
		require.NoError(t, a.close(time.Second))
		require.NoError(t, b.close(time.Second))
		a.lives("a")
		b.lives("b")
	})
}

func TestManyAppendWaitAndDropAtOnce(t *testing.T) {
	dir, err := files.Open(t.TempDir())
	require.NoError(t, err)
	j, err := journal.Open(dir, journal.Options{FileSize: 100 << 10, Buffer: 300 << 10}, nil)
	require.NoError(t, err)
	const publishers, each = 8, 300
	var all sync.WaitGroup
	kept := make([][]string, publishers)
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				text := fmt.Sprintf("%d-%04d-%s", p, i, bytes.Repeat([]byte("x"), i))
				seq := j.Append(byte(p+1), []byte(text), nil)
				switch {
				case i%7 == 3 && j.Void(seq):
					continue
				case i%10 == 0:
					if err := j.Wait(context.Background(), seq); err != nil {
						t.Error(err)
					}
					if _, rec, err := j.Read(seq, nil); err != nil || string(rec) != text {
						t.Error(string(rec), err)
					}
				}
				kept[p] = append(kept[p], text)
				if err := j.Room(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, j.Close(context.Background()))
	got := make([][]string, publishers)
	j, err = journal.Open(dir, journal.Options{}, func(_ journal.Seq, kind byte, rec []byte) error {
		got[kind-1] = append(got[kind-1], string(rec))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, kept, got)
	require.NoError(t, j.Close(context.Background()))
}

func TestAppendAllocatesNothing(t *testing.T) {
	j, err := journal.Open(filestest.New(), journal.Options{}, ignore)
	require.NoError(t, err)
	header, body := make([]byte, 24), make([]byte, 100)
	require.Zero(t, testing.AllocsPerRun(1000, func() { j.Void(j.Append(1, header, body)) }))
	require.NoError(t, j.Close(context.Background()))
}

// Whoever waits for Last is told at once if all records are stored, also if the log wrote
// something of its own behind them, or is about to.
func TestLastIsStoredWhenAllRecordsAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, w := start(t, journal.Options{})
		require.NoError(t, w.wait(w.append(10)))
		marks := make(chan bool)
		dir.Before(func(op filestest.Op) error {
			if op.Kind == filestest.Write {
				<-marks
			}
			return nil
		})
		w.append(10)
		time.Sleep(time.Second)
		marks <- true // the record
		time.Sleep(2 * time.Second)
		synctest.Wait() // it is synced, and the mark is being written
		done := make(chan error, 1)
		go func() { done <- w.j.Wait(t.Context(), w.j.Last()) }()
		synctest.Wait()
		close(marks)
		require.NoError(t, <-done)
		time.Sleep(time.Minute)
		require.NoError(t, w.j.Wait(t.Context(), w.j.Last()))
		dir.Before(nil)
		require.NoError(t, w.j.Close(t.Context()))
	})
}
