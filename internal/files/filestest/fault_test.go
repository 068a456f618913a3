package filestest_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/files"
	"github.com/warrenmq/warren/internal/files/filestest"
)

func create(t *testing.T, d files.Dir, name, text string) files.File {
	t.Helper()
	f, err := d.Create(name)
	require.NoError(t, err)
	if text != "" {
		_, err = f.Write([]byte(text))
		require.NoError(t, err)
	}
	return f
}

// script does each operation once, as the hook is told of them.
func script(d *filestest.Dir) []error {
	f, err := d.Create("a")
	if err != nil {
		return []error{err}
	}
	_, werr := f.Write([]byte("12345678"))
	return []error{nil, werr, f.Sync(), d.Rename("a", "b"), d.Sync(), d.Remove("b")}
}

func TestEachOperationIsCountedAndTold(t *testing.T) {
	d := filestest.New()
	var ops []filestest.Op
	d.Before(func(op filestest.Op) error {
		ops = append(ops, op)
		require.Equal(t, len(ops), d.Ops(), "no lock is held")
		return nil
	})
	for _, err := range script(d) {
		require.NoError(t, err)
	}
	require.Equal(t, []filestest.Op{
		{N: 1, Kind: filestest.Create, Name: "a"},
		{N: 2, Kind: filestest.Write, Name: "a", Bytes: 8},
		{N: 3, Kind: filestest.Sync, Name: "a"},
		{N: 4, Kind: filestest.Rename, Name: "a", To: "b"},
		{N: 5, Kind: filestest.SyncDir},
		{N: 6, Kind: filestest.Remove, Name: "b"},
	}, ops)
	require.Equal(t, "4: rename a to b", ops[3].String())
	require.Equal(t, "5: sync of the directory", ops[4].String())
}

func TestReadingAndRefusedCallsAreNotCounted(t *testing.T) {
	d := filestest.New()
	f := create(t, d, "a", "text")
	n := d.Ops()
	_, _ = f.ReadAt(make([]byte, 1), 0)
	_, _ = f.Size()
	_, _ = d.List()
	_, _ = d.Open("a")
	_, _ = d.Create("not a name")
	require.NoError(t, f.Close())
	_, _ = f.Write(nil)
	_ = f.Sync()
	require.Equal(t, n, d.Ops())
}

func TestAnOperationFailsOnceOrFromThenOn(t *testing.T) {
	for n := 1; n <= 6; n++ {
		d := filestest.New()
		d.FailAt(n, os.ErrDeadlineExceeded)
		errs := script(d)
		require.ErrorIs(t, errs[n-1], os.ErrDeadlineExceeded)
		for k, err := range errs {
			if k != n-1 && n != 4 {
				require.NoError(t, err, "operation %d when %d fails", k+1, n)
			}
		}

		d = filestest.New()
		d.FailFrom(n, os.ErrDeadlineExceeded)
		for k, err := range script(d) {
			require.Equal(t, k+1 >= n, errors.Is(err, os.ErrDeadlineExceeded), "operation %d when all fail from %d on", k+1, n)
		}
		d.Heal()
		_, err := d.Create("c")
		require.NoError(t, err)
	}
}

func TestWhatFailsHasNotBeenDoneButForHalfOfAWrite(t *testing.T) {
	d := filestest.New()
	f := create(t, d, "a", "1234")
	failed := errors.New("failed")
	d.Before(func(filestest.Op) error { return failed })
	n, err := f.Write([]byte("56789"))
	require.ErrorIs(t, err, failed)
	require.Equal(t, 2, n)
	require.Equal(t, "123456", string(d.Bytes("a")))
	_, err = d.Create("b")
	require.ErrorIs(t, err, failed)
	require.ErrorIs(t, d.Rename("a", "b"), failed)
	require.ErrorIs(t, d.Remove("a"), failed)
	require.Equal(t, []string{"a"}, d.Names())
	d.Before(nil)
	require.NoError(t, f.Sync())
}

func TestReadsFailUntilTheyAreHealed(t *testing.T) {
	d := filestest.New()
	f := create(t, d, "a", "1234")
	failed := errors.New("failed")
	d.FailReads(failed)
	_, err := f.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, failed)
	d.FailReads(nil)
	_, err = f.ReadAt(make([]byte, 1), 0)
	require.NoError(t, err)
}

func TestAfterAPowerCutNothingWorks(t *testing.T) {
	for _, cut := range []func(d *filestest.Dir){
		(*filestest.Dir).Cut,
		func(d *filestest.Dir) {
			d.CutAt(d.Ops() + 1)
			require.ErrorIs(t, d.Sync(), filestest.ErrPowerCut)
		},
		func(d *filestest.Dir) { // while an operation is under way
			d.Before(func(filestest.Op) error { d.Cut(); return nil })
			require.ErrorIs(t, d.Sync(), filestest.ErrPowerCut)
		},
	} {
		d := filestest.New()
		f := create(t, d, "a", "text")
		cut(d)
		n := d.Ops()
		_, err := f.Write([]byte("x"))
		require.ErrorIs(t, err, filestest.ErrPowerCut)
		require.ErrorIs(t, f.Sync(), filestest.ErrPowerCut)
		_, err = f.ReadAt(make([]byte, 1), 0)
		require.ErrorIs(t, err, filestest.ErrPowerCut)
		_, err = f.Size()
		require.ErrorIs(t, err, filestest.ErrPowerCut)
		_, err = d.Create("b")
		require.ErrorIs(t, err, filestest.ErrPowerCut)
		_, err = d.Open("a")
		require.ErrorIs(t, err, filestest.ErrPowerCut)
		require.ErrorIs(t, d.Rename("a", "b"), filestest.ErrPowerCut)
		require.ErrorIs(t, d.Remove("a"), filestest.ErrPowerCut)
		require.ErrorIs(t, d.Sync(), filestest.ErrPowerCut)
		_, err = d.List()
		require.ErrorIs(t, err, filestest.ErrPowerCut)
		_, err = d.Lock()
		require.ErrorIs(t, err, filestest.ErrPowerCut)
		_, err = d.Free()
		require.ErrorIs(t, err, filestest.ErrPowerCut)
		require.Equal(t, n, d.Ops())
		require.Equal(t, "text", string(d.Bytes("a")))
		require.NoError(t, f.Close())
	}
}

func TestSpaceIsUsedUpAndComesBack(t *testing.T) {
	d := filestest.New()
	kept := create(t, d, "kept", "1234")
	d.Space(10)
	f := create(t, d, "a", "123456")
	free, err := d.Free()
	require.NoError(t, err)
	require.EqualValues(t, 4, free)
	n, err := f.Write([]byte("7890xx"))
	require.ErrorIs(t, err, filestest.ErrNoSpace)
	require.Equal(t, 4, n)
	_, err = kept.Write([]byte("5"))
	require.ErrorIs(t, err, filestest.ErrNoSpace)
	require.NoError(t, d.Remove("a"))
	_, err = f.Write(nil)
	require.NoError(t, err)
	free, err = d.Free()
	require.NoError(t, err)
	require.EqualValues(t, 10, free)
	_, err = kept.Write([]byte("5"))
	require.NoError(t, err)
	d.Space(-1)
	_, err = kept.Write(make([]byte, 100))
	require.NoError(t, err)
}

func TestASyncTakesItsTimeAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := filestest.New()
		f := create(t, d, "a", "1234")
		require.NoError(t, d.Sync())
		d.Delay(time.Second)
		start := time.Now()
		done := make(chan error)
		go func() { done <- f.Sync() }()
		synctest.Wait()
		_, err := f.Write([]byte("5678"))
		require.NoError(t, err)
		require.Zero(t, time.Since(start))
		require.NoError(t, <-done)
		require.Equal(t, time.Second, time.Since(start))
		least, most := lengths(d, "a")
		require.Equal(t, 4, least, "what came while it ran was not synced by it")
		require.Equal(t, 8, most)
	})
}

func TestADiskCanBeHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := filestest.New()
		f := create(t, d, "a", "1234")
		release := make(chan struct{})
		d.Before(func(op filestest.Op) error {
			if op.Kind == filestest.Sync {
				<-release
			}
			return nil
		})
		done := false
		go func() { done = f.Sync() == nil }()
		synctest.Wait()
		require.False(t, done)
		_, err := f.ReadAt(make([]byte, 4), 0)
		require.NoError(t, err)
		close(release)
		synctest.Wait()
		require.True(t, done)
	})
}

func TestBitsFlipInWhatWasSynced(t *testing.T) {
	d := filestest.New()
	d.Put("a", []byte{0, 0x80})
	require.NoError(t, d.Flip("a", 1))
	require.NoError(t, d.Flip("a", 15))
	require.Equal(t, []byte{2, 0}, d.Bytes("a"))
	require.ErrorIs(t, d.Flip("a", 16), fs.ErrInvalid)
	require.ErrorIs(t, d.Flip("a", -1), fs.ErrInvalid)
	require.ErrorIs(t, d.Flip("b", 0), fs.ErrNotExist)
	require.Nil(t, d.Bytes("b"))
	require.Zero(t, d.Ops())
}
