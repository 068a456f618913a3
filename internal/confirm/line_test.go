package confirm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// script is a disk that does what a test says.
type script struct {
	mu     sync.Mutex
	stored uint64
	never  map[uint64]bool // records that were not taken
	closed bool
	first  uint64 // that is waited for
	waiter Waiter
	asked  int
}

func (d *script) Stored() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stored
}

func (d *script) Notify(seq uint64, w Waiter) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	switch {
	case d.never[seq]:
		return false, errors.New("not taken")
	case seq < d.stored:
		return true, nil
	case d.closed:
		return false, ErrClosed
	}
	d.first, d.waiter = seq, w
	return false, nil
}

// store stores all records below end.
func (d *script) store(end uint64) {
	d.mu.Lock()
	d.stored = end
	w := d.waiter
	due := w != nil && d.first < end
	if due {
		d.waiter = nil
	}
	d.mu.Unlock()
	if due {
		w.Stored(nil)
	}
}

func (d *script) fail(err error) {
	d.mu.Lock()
	w := d.waiter
	d.waiter = nil
	d.mu.Unlock()
	w.Stored(err)
}

// answers are what was told.
type answers struct{ list []string }

func (a *answers) Answered(first, last uint64, err error) {
	a.list = append(a.list, fmt.Sprint(first, "-", last, " ", err))
}

func (a *answers) take() []string {
	list := a.list
	a.list = nil
	return list
}

type answer struct {
	a    *answers
	name string
}

func (a answer) Answer(err error) { a.a.list = append(a.a.list, fmt.Sprint(a.name, " ", err)) }

func lineOf() (*Line, *script, *answers) {
	d, a := &script{stored: 1, never: map[uint64]bool{}}, &answers{}
	return New(d, a, func(err error) error { return fmt.Errorf("explained: %w", err) }), d, a
}

func TestSuccessiveNumbersAreToldAtOnce(t *testing.T) {
	l, d, a := lineOf()
	for _, number := range []uint64{1, 2, 3, 5, 6, 9} {
		l.Add(number*10, number, nil)
	}
	require.Equal(t, 1, d.asked)
	d.store(61)
	require.Equal(t, []string{"1-3 <nil>", "5-6 <nil>"}, a.take())
	require.True(t, l.Waits())
	require.Equal(t, 2, d.asked)
	d.store(90)
	require.Empty(t, a.take(), "below 90 is not 90")
	d.store(91)
	require.Equal(t, []string{"9-9 <nil>"}, a.take())
	require.False(t, l.Waits())
	require.Equal(t, 2, d.asked)
}

func TestAnAnswererIsToldInItsPlace(t *testing.T) {
	l, d, a := lineOf()
	l.Add(10, 1, nil)
	l.Add(11, 2, answer{a, "commit"})
	l.Add(12, 3, nil)
	l.Add(13, 4, nil)
	d.store(20)
	require.Equal(t, []string{"1-1 <nil>", "commit <nil>", "3-4 <nil>"}, a.take())
}

func TestWhatIsStoredAlreadyIsToldAtOnce(t *testing.T) {
	l, d, a := lineOf()
	d.store(20)
	l.Add(10, 1, nil)
	l.Add(30, 2, nil)
	require.Equal(t, []string{"1-1 <nil>"}, a.take())
	l.Add(11, 3, nil)
	require.Empty(t, a.take(), "those before it are first")
	d.store(31)
	require.Equal(t, []string{"2-3 <nil>"}, a.take())
}

func TestAFailureIsToldToAllThatAreNotStored(t *testing.T) {
	l, d, a := lineOf()
	for number := range uint64(4) {
		l.Add(number+10, number+1, nil)
	}
	d.mu.Lock()
	d.stored = 12
	d.mu.Unlock()
	d.fail(errors.New("no such device"))
	require.Equal(t, []string{"1-2 <nil>", "3-4 explained: no such device"}, a.take())
	l.Add(20, 5, nil)
	d.store(21)
	require.Equal(t, []string{"5-5 <nil>"}, a.take(), "it goes on")
}

func TestARecordThatWasNotTakenFailsAlone(t *testing.T) {
	l, d, a := lineOf()
	d.never[9999] = true
	l.Add(9999, 1, nil)
	require.Equal(t, []string{"1-1 explained: not taken"}, a.take())
	l.Add(10, 2, nil)
	l.Add(9999, 3, nil)
	l.Add(11, 4, nil)
	d.store(12)
	require.Equal(t, []string{"2-2 <nil>", "3-3 explained: not taken", "4-4 <nil>"}, a.take())
}

func TestAfterItsEndALineTellsNothing(t *testing.T) {
	for _, wait := range []bool{false, true} {
		l, d, a := lineOf()
		l.Add(10, 1, nil)
		l.Add(11, 2, answer{a, "early"})
		l.End(errors.New("closed"), wait)
		if wait {
			require.Empty(t, a.take())
		} else {
			require.Equal(t, []string{"early closed"}, a.take())
		}
		l.Add(12, 3, nil)
		l.Add(13, 4, answer{a, "late"})
		require.Equal(t, []string{"late closed"}, a.take())
		d.store(20)
		if wait {
			require.Equal(t, []string{"early <nil>"}, a.take())
		}
		l.End(errors.New("again"), false)
		require.Empty(t, a.take())
		require.False(t, l.Waits())
	}
}

func TestALineOfAClosedDiskSaysSo(t *testing.T) {
	l, d, a := lineOf()
	l.Add(10, 1, answer{a, "waits"})
	d.closed = true
	d.fail(ErrClosed)
	l.Add(11, 2, answer{a, "comes"})
	require.Equal(t, []string{"waits explained: confirm: the disk is closed", "comes explained: confirm: the disk is closed"}, a.take())
}

func TestAFullLineHasRoomWhenHalfOfItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d, a := lineOf()
		wait := func() <-chan error {
			done := make(chan error, 1)
			go func() { done <- l.Room(t.Context()) }()
			synctest.Wait()
			return done
		}
		for n := range uint64(Most) {
			require.False(t, l.Full())
			require.NoError(t, l.Room(t.Context()))
			l.Add(n+1, n+1, nil)
		}
		require.True(t, l.Full())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, l.Room(ctx), context.Canceled)
		one, other := wait(), wait()
		d.store(Most / 2)
		synctest.Wait()
		require.Empty(t, one)
		d.store(Most/2 + 1)
		require.NoError(t, <-one)
		require.NoError(t, <-other)
		require.False(t, l.Full())
		require.Len(t, a.take(), 2)

		for n := range uint64(Most) {
			l.Add(Most+n, Most+n, nil)
		}
		ended := wait()
		require.Empty(t, ended)
		l.End(errors.New("closed"), true)
		require.NoError(t, <-ended)
	})
}

type numbers []uint64

func (a *numbers) Answered(first, last uint64, err error) {
	for n := first; n <= last; n++ {
		*a = append(*a, n)
	}
}

// TestEachIsAnsweredOnceAndInOrder lets a disk store while several add.
func TestEachIsAnsweredOnceAndInOrder(t *testing.T) {
	var mu sync.Mutex
	var next uint64 = 1
	d, a := &script{stored: 1}, &numbers{}
	l := New(d, a, nil)
	const adders, each = 4, 2000
	var adding, storing sync.WaitGroup
	for range adders {
		adding.Go(func() {
			for range each {
				mu.Lock()
				n := next
				next++
				l.Add(n, n, nil)
				mu.Unlock()
			}
		})
	}
	stop := make(chan struct{})
	storing.Go(func() {
		for {
			mu.Lock()
			end := next
			mu.Unlock()
			d.store(end)
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	adding.Wait()
	close(stop)
	storing.Wait()
	d.store(next)
	require.Len(t, *a, adders*each)
	for i, n := range *a {
		require.Equal(t, uint64(i+1), n)
	}
}
