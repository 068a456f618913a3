package message

import (
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
	require.Nil(t, a.NewShare(&lock), "nobody counts for a tally that is not open")
	a.Open()
	b.Open()
	var none *Share
	require.True(t, none.Ended())
	require.False(t, none.Add(&a, 1))

	s := a.NewShare(&lock)
	require.True(t, s.Add(&a, 50))
	require.True(t, s.Add(&a, 150))
	require.False(t, s.Add(&b, 1), "it is of another tally")
	a.Add(7)
	a.Put(&Sizes{Counts: [SizeClasses]uint64{2: 3}, Bytes: 5000})
	want := Sizes{Counts: [SizeClasses]uint64{2, 1, 3}, Bytes: 5207}
	require.Equal(t, want, a.Sum())
	require.EqualValues(t, 6, want.Len())
	require.Zero(t, b.Sum())

	require.False(t, s.Ended())
	require.Equal(t, want, a.End())
	require.True(t, s.Ended())
	require.False(t, s.Add(&a, 1))
	require.Nil(t, a.NewShare(&lock), "it has ended")
	require.Zero(t, a.Sum())

	for range maxShares {
		require.NotNil(t, b.NewShare(&lock))
	}
	require.Nil(t, b.NewShare(&lock), "there are enough")
}
