package store_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files/filestest"
	"github.com/warrenmq/warren/internal/store"
)

// troubles are what a store tells of.
type troubles struct {
	mu   sync.Mutex
	list []error
}

func (t *troubles) add(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.list = append(t.list, err)
}

func (t *troubles) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list[len(t.list)-1]
}

func TestPublishersWaitWhileTheDiskIsSlow(t *testing.T) {
	bubble(t, store.Options{FileSize: 64 << 10}, func(t *testing.T, w *world) {
		q := w.declare()
		free := make(chan struct{})
		w.dir.Before(func(op filestest.Op) error {
			if strings.HasPrefix(op.Name, "pages-") {
				<-free // a disk that is stuck
			}
			return nil
		})
		pos := uint64(0)
		for !w.s.Full() {
			require.Less(t, pos, uint64(100_000))
			q.put(pos, strings.Repeat("x", 1000))
			if pos++; pos%10 == 0 {
				time.Sleep(20 * time.Millisecond)
			}
		}
		waited := make(chan error, 1)
		go func() { waited <- w.s.WaitRoom(t.Context()) }()
		synctest.Wait()
		require.Empty(t, waited)
		require.ErrorIs(t, w.s.WaitRoom(canceled(t)), canceled(t).Err())
		q.settle(0, pos/2) // acks go on, and wait for nothing
		close(free)
		require.NoError(t, <-waited)
		w.dir.Before(nil)
		time.Sleep(time.Second)
		require.False(t, w.s.Full())
	})
}

func TestPublishersWaitWhileTheDiskHasLittleRoom(t *testing.T) {
	var told troubles
	bubble(t, store.Options{DiskLimit: 1 << 20, FileSize: 256 << 10, Trouble: told.add}, func(t *testing.T, w *world) {
		w.dir.Space(3 << 20)
		q := w.declare()
		pos := uint64(0)
		for !w.s.Full() {
			require.Less(t, pos, uint64(10_000))
			q.put(pos, strings.Repeat("x", 1000))
			pos++
			time.Sleep(20 * time.Millisecond)
		}
		free, err := w.dir.Free()
		require.NoError(t, err)
		require.Greater(t, free, int64(1<<19))
		require.ErrorIs(t, w.s.Err(), store.ErrDiskLow)
		require.ErrorIs(t, told.last(), store.ErrDiskLow)
		q.settle(0, pos)
		time.Sleep(time.Minute)
		require.False(t, w.s.Full())
		require.NoError(t, w.s.Err())
		require.NoError(t, told.last())
	})
}

func TestAFullDiskIsLivedThrough(t *testing.T) {
	bubble(t, store.Options{FileSize: 16 << 10}, func(t *testing.T, w *world) {
		q := w.declare()
		for i := range uint64(100) {
			q.put(i, strings.Repeat("x", 1000))
		}
		w.pageOut()
		w.dir.Space(10_000)
		for i := range uint64(100) {
			q.put(100+i, strings.Repeat("y", 1000))
		}
		require.Error(t, w.s.Wait(t.Context(), w.s.Barrier()), "nothing is confirmed that is not there")
		require.ErrorIs(t, w.s.Err(), filestest.ErrNoSpace)
		require.Len(t, q.load(0, 99, 100), 100, "consumers go on")
		w.dir.Space(1 << 20)
		time.Sleep(3 * time.Second)
		require.NoError(t, w.s.Err())
		require.NoError(t, w.s.Wait(t.Context(), w.s.Barrier()))
		w.pageOut()
		require.Len(t, q.load(0, 199, 200), 200)
	})
}

func TestADiskThatCannotBeReadIsTriedAgain(t *testing.T) {
	var told troubles
	bubble(t, store.Options{Trouble: told.add}, func(t *testing.T, w *world) {
		q := w.declare()
		for i := range uint64(100) {
			q.put(i, "x")
		}
		w.pageOut()
		w.dir.FailReads(errDisk)
		q.Lock()
		require.True(t, q.k.Load(0, 99))
		q.Unlock()
		time.Sleep(3 * time.Second)
		require.Empty(t, q.loaded)
		require.ErrorIs(t, w.s.Err(), errDisk)
		require.ErrorIs(t, told.last(), errDisk)
		w.dir.FailReads(nil)
		require.Len(t, (<-q.loaded).Items, 100)
		require.NoError(t, w.s.Err())
		require.NoError(t, told.last())
	})
}

// A message that is in no file is looked for again and again, with pauses in between,
// until the store is closed.
func TestNobodyLooksWithoutAPauseForWhatIsNowhere(t *testing.T) {
	bubble(t, store.Options{}, func(t *testing.T, w *world) {
		q := w.declare()
		q.put(0, "x")
		require.True(t, w.sync())
		w.failSync() // the log goes on in another file
		require.True(t, w.sync())
		require.NoError(t, w.s.LoseLog())
		q.Lock()
		require.True(t, q.k.Load(0, 0))
		q.Unlock()
		time.Sleep(time.Minute) // which never passes while somebody is busy
		require.Empty(t, q.loaded)
	})
}

// A page file that goes bad while the store is open loses its bad block alone, tells it,
// and keeps the bytes.
func TestADamagedBlockIsToldAndPassedOver(t *testing.T) {
	var log bytes.Buffer
	bubble(t, store.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(t *testing.T, w *world) {
		q := w.declare()
		for i := range uint64(1000) {
			q.put(i, "x")
		}
		w.pageOut()
		name := w.dir.Names()[len(w.dir.Names())-1]
		require.NoError(t, w.dir.Flip(name, 8*int64(len(w.dir.Bytes(name))/2)))
		first, lost, got := uint64(0), 0, 0
		for first < 1000 {
			q.Lock()
			require.True(t, q.k.Load(first, 999))
			q.Unlock()
			b := <-q.loaded
			q.Lock()
			q.k.Keep(b)
			q.Unlock()
			if b.Damage != nil {
				lost += b.Count.Len - len(b.Items)
				require.Equal(t, int64(256), b.Count.Bytes)
			}
			got += len(b.Items)
			first = b.Last + 1
		}
		require.Equal(t, 256, lost)
		require.Equal(t, 1000-256, got)
		require.Equal(t, uint64(256), w.s.Stats().Unreadable)
		require.Contains(t, log.String(), name)
		require.Len(t, w.dir.Names(), len([]string{"index", "log", "manifest", "pages", "damaged"}))
	})
}
