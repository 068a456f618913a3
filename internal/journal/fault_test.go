package journal_test

import (
	"context"
	"errors"
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

func TestAnyOperationMayFailOnce(t *testing.T) {
	eachOp(t, func(t *testing.T, opt journal.Options, n int) {
		dir := filestest.New()
		dir.FailAt(n, syscall.EIO)
		var states []error
		opt.State = func(err error) { states = append(states, err) }
		w := newWorld(t, dir, opt)
		w.script()
		dir.Heal()
		for i, err := range states {
			if err != nil {
				require.ErrorIs(t, err, syscall.EIO)
				require.Less(t, i, len(states)-1, "told that all is well again")
			}
		}
		for seed := range uint64(*images) / 2 {
			o := w.fork(t, dir.Image(rand.New(rand.NewPCG(uint64(n), seed))), seed)
			o.opt.State = nil
			o.lives(fmt.Sprintf("failure of operation %d, image %d", n, seed))
		}
		w.lives(fmt.Sprintf("failure of operation %d", n))
	})
}

func TestAnyOperationMayFailForAWhileOrForEver(t *testing.T) {
	eachOp(t, func(t *testing.T, opt journal.Options, n int) {
		dir := filestest.New()
		dir.FailFrom(n, syscall.ENOSPC)
		if n%2 == 0 {
			time.AfterFunc(3*time.Second, dir.Heal)
		}
		w := newWorld(t, dir, opt)
		w.script()
		for seed := range uint64(*images) / 2 {
			o := w.fork(t, dir.Image(rand.New(rand.NewPCG(uint64(n), seed))), seed)
			if opt.Sync == journal.SyncNever {
				for _, r := range o.records {
					r.stored = false
				}
			}
			o.lives(fmt.Sprintf("failure from operation %d on, image %d", n, seed))
		}
		dir.Heal()
		w.lives(fmt.Sprintf("failure from operation %d on", n))
	})
}

func TestAnOpenMayFailAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		w := newWorld(t, dir, small)
		w.script()
		require.NoError(t, w.open())
		require.NoError(t, w.wait(w.append(100)))
		crashed := dir.Clone()
		require.NoError(t, w.close(time.Second))

		changes := changesOf(crashed)
		crashed.FailReads(syscall.EIO)
		o := w.fork(t, crashed, 1)
		require.ErrorIs(t, o.open(), syscall.EIO)
		crashed.Heal()
		stop := errors.New("stop")
		_, err := journal.Open(crashed, small, func(journal.Seq, byte, []byte) error { return stop })
		require.ErrorIs(t, err, stop)
		require.Zero(t, *changes)
		o.lives("after reads that failed")
	})
}

// TestAFailedSyncIsNotTriedAgainOnItsFile: the system says nil then, and what it could
// not write is gone.
func TestAFailedSyncIsNotTriedAgainOnItsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		w := newWorld(t, dir, journal.Options{})
		require.NoError(t, w.open())
		require.NoError(t, w.wait(w.append(100)))
		failed := ""
		dir.Before(func(op filestest.Op) error {
			require.False(t, failed != "" && op.Name == failed && op.Kind != filestest.Remove, "%s", op)
			if failed == "" && op.Kind == filestest.Sync {
				failed = op.Name
				return syscall.EIO
			}
			return nil
		})
		r := w.append(100)
		err := w.wait(r)
		var fe *journal.FailedError
		require.ErrorAs(t, err, &fe)
		require.Equal(t, failed, fe.File)
		require.ErrorIs(t, err, syscall.EIO)
		require.ErrorIs(t, w.j.Err(), syscall.EIO)
		require.Zero(t, w.j.File(r.seq), "it is in no file that counts")

		require.NoError(t, w.wait(r), "the next time, in the next file")
		require.NoError(t, w.j.Err())
		require.EqualValues(t, 2, w.j.File(r.seq))
		o := w.fork(t, dir.Image(rand.New(rand.NewPCG(1, 1))), 1)
		require.NoError(t, w.close(time.Second))
		o.lives("after a failed sync")
	})
}

func TestAllWhoWaitAreToldOfAFailureAndAnAttemptIsMadeEachSecondAtLeast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		w := newWorld(t, dir, journal.Options{})
		require.NoError(t, w.open())
		dir.FailFrom(dir.Ops()+1, syscall.ENOSPC)
		var pauses []time.Duration
		last := time.Now()
		r := w.append(10)
		for range 12 {
			require.ErrorIs(t, w.wait(r), syscall.ENOSPC)
			pauses = append(pauses, time.Since(last))
			last = time.Now()
			require.ErrorIs(t, w.j.Err(), syscall.ENOSPC)
		}
		ms := time.Millisecond
		require.Equal(t, []time.Duration{0, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, 1000 * ms, 1000 * ms, 1000 * ms, 1000 * ms}, pauses)
		dir.Heal()
		require.NoError(t, w.wait(r))
		require.NoError(t, w.j.Err())
		require.NoError(t, w.close(time.Second))
		w.lives("after a full disk")
	})
}

func TestCloseGivesUpAtADiskThatFailsOrIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		w := newWorld(t, dir, journal.Options{})
		require.NoError(t, w.open())
		dir.FailFrom(dir.Ops()+1, syscall.ENOSPC)
		r := w.append(10)
		err := w.close(5 * time.Second)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorIs(t, w.j.Wait(t.Context(), r.seq), journal.ErrClosed)

		dir = filestest.New()
		w = newWorld(t, dir, journal.Options{Buffer: 1})
		require.NoError(t, w.open())
		let := make(chan struct{})
		dir.Before(func(filestest.Op) error { <-let; return nil })
		r = w.append(10)
		told := make(chan error, 2)
		go func() { told <- w.j.Wait(context.Background(), r.seq) }()
		go func() { told <- w.j.Room(context.Background()) }()
		synctest.Wait()
		require.ErrorIs(t, w.close(time.Second), context.DeadlineExceeded)
		require.ErrorIs(t, <-told, journal.ErrClosed)
		require.ErrorIs(t, <-told, journal.ErrClosed)
		require.Zero(t, w.j.Append(1, nil, nil))
		close(let)
	})
}

// TestAFullDiskGoesOnWhenThereIsRoom: attempts that fail leave no room taken.
func TestAFullDiskGoesOnWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filestest.New()
		w := newWorld(t, dir, journal.Options{})
		require.NoError(t, w.open())
		require.NoError(t, w.wait(w.append(10)))
		dir.Space(1000)
		r := w.append(20_000)
		require.ErrorIs(t, w.wait(r), filestest.ErrNoSpace)
		dir.Space(5000)
		for range 10 {
			require.ErrorIs(t, w.wait(r), filestest.ErrNoSpace)
		}
		free, err := dir.Free()
		require.NoError(t, err)
		dir.Space(free + 17_000) // too little if an attempt has kept what it wrote
		require.NoError(t, w.wait(r))
		require.NoError(t, w.close(time.Second))
		dir.Space(-1)
		w.lives("after a full disk")
	})
}
