package message

import (
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSizesAreToldApartByTheirLimits(t *testing.T) {
	require.Equal(t, 0, sizeClass(0))
	for i, limit := range SizeLimits() {
		require.Equal(t, i, sizeClass(limit))
		require.Equal(t, i+1, sizeClass(limit+1))
	}
}

// TestSharesCountForATally: what queues count and what is counted elsewhere is one sum,
// also after the end, and a queue counts for one tally at a time.
func TestSharesCountForATally(t *testing.T) {
	var a, b Tally
	var lock sync.Mutex
	total := Total{Messages: 100, Bytes: 12345} // of before
	require.Nil(t, a.NewShare(&lock, &total), "nobody counts for a tally that is not open")
	a.Open()
	b.Open()
	var none *Share
	require.True(t, none.Ended())
	require.True(t, none.Follows(nil, 1))
	require.False(t, none.Follows(&a, 1))
	require.False(t, none.Switch(&a, 1))

	s := a.NewShare(&lock, &total)
	publish := func(tally *Tally, n int) (follows, counted bool) {
		total.Add(n)
		if s.Follows(tally, n) {
			return true, tally != nil
		}
		return false, s.Switch(tally, n)
	}
	for _, m := range []struct {
		tally            *Tally
		n                int
		follows, counted bool
	}{
		{nil, 1, true, false}, // nobody counts it
		{&a, 50, false, true}, // a run begins
		{&a, 0, true, true},
		{&a, 100, true, true},
		{&a, 101, false, true}, // another class
		{&a, 1000, true, true},
		{&b, 1000, false, false}, // another tally
		{&b, 10, false, false},   // which the share never counts for
		{nil, 1000, true, false},
		{&a, 1000, false, true},
		{nil, 1000, false, false},
		{&a, math.MaxInt32, false, true},
		{&a, 1e8, false, true},
		{&a, 1e8 + 1, false, true},
		{&a, 5e7 + 1, false, true},
		{&a, 5e7 + 2, true, true},
	} {
		follows, counted := publish(m.tally, m.n)
		require.Equal(t, m.follows, follows, m)
		require.Equal(t, m.counted, counted, m)
	}
	a.Add(7)
	a.Put(&Sizes{Counts: [SizeClasses]uint64{2: 3}, Bytes: 5000})
	want := Sizes{
		Counts: [SizeClasses]uint64{0: 3 + 1, 1: 3, 2: 3, 7: 3, 8: 2},
		Bytes:  50 + 100 + 101 + 1000 + 1000 + math.MaxInt32 + 1e8 + 1e8 + 1 + 5e7 + 1 + 5e7 + 2 + 7 + 5000,
	}
	require.Equal(t, want, a.Sum())
	require.EqualValues(t, 15, want.Len())
	require.Zero(t, b.Sum())

	require.False(t, s.Ended())
	require.Equal(t, want, a.End())
	require.True(t, s.Ended())
	require.True(t, s.Follows(nil, 1))
	require.False(t, s.Follows(&a, 1))
	require.Nil(t, a.NewShare(&lock, &total), "it has ended")
	require.Zero(t, a.Sum())

	for range maxShares {
		require.NotNil(t, b.NewShare(&lock, &total))
	}
	require.Nil(t, b.NewShare(&lock, &total), "there are enough")
}
