package histogram_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/histogram"
)

// times are spread over what the histogram knows, with the borders of buckets.
func times() (list []time.Duration) {
	for d := histogram.Least; d < histogram.Most; d += max(1, d/37) {
		list = append(list, d)
	}
	for d := histogram.Least; d <= histogram.Most/2; d *= 2 {
		for part := range time.Duration(8) {
			border := d + part*d/8
			list = append(list, border-1, border, border+1)
		}
	}
	return slices.DeleteFunc(list, func(d time.Duration) bool { return d < histogram.Least })
}

func TestATimeIsKnownWithinAnEighth(t *testing.T) {
	for _, d := range times() {
		var h histogram.Times
		h.Add(d, 1)
		q := h.Quantile(0.5)
		require.Greater(t, q, d)
		require.LessOrEqual(t, q-d, d/8+1, "%s is shown as %s", d, q)
		require.InEpsilon(t, float64(d), float64(h.Sum()), 1.0/16+1e-9, "%s sums to %s", d, h.Sum())
		require.Equal(t, []uint64{0, 1}, h.Upto([]time.Duration{d, q}), d)
	}
}

func TestTimesThatAreTooShortOrTooLong(t *testing.T) {
	for d, want := range map[time.Duration]time.Duration{
		-time.Second: histogram.Least, 0: histogram.Least, histogram.Least - 1: histogram.Least,
		histogram.Most - 1: histogram.Most, histogram.Most: histogram.Most, math.MaxInt64: histogram.Most,
	} {
		var h histogram.Times
		h.Add(d, 1)
		require.Equal(t, want, h.Quantile(1), d)
		require.Equal(t, []uint64{1}, h.Upto([]time.Duration{want}), d)
	}
}

func TestQuantile(t *testing.T) {
	var h histogram.Times
	require.Zero(t, h.Quantile(0.5))
	for i := range 1000 {
		h.Add(time.Duration(i+1)*time.Millisecond, 1)
	}
	for share, want := range map[float64]time.Duration{
		0: time.Millisecond, 0.001: time.Millisecond, 0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond,
		1: time.Second, 7: time.Second, -1: time.Millisecond, math.NaN(): time.Millisecond,
		math.Inf(1): time.Second,
	} {
		q := h.Quantile(share)
		require.GreaterOrEqual(t, q, want, share)
		require.LessOrEqual(t, q, want*9/8, share)
	}
}

// The 99th of a hundred times still belongs to 99 percent, the hundredth does not.
func TestQuantileOfFew(t *testing.T) {
	var h histogram.Times
	h.Add(time.Millisecond, 99)
	h.Add(time.Second, 1)
	require.Less(t, h.Quantile(0.99), 2*time.Millisecond)
	require.Greater(t, h.Quantile(0.991), time.Second)
	var s histogram.Times
	s.Add(time.Millisecond, 7)
	s.Add(time.Second, 93)
	require.Less(t, s.Quantile(0.07), 2*time.Millisecond)
}

func TestSumsAndDifferences(t *testing.T) {
	var none, a, b histogram.Times
	a.Add(time.Millisecond, 3)
	b.Add(time.Millisecond, 1)
	b.Add(time.Minute, 2)
	both := a.Plus(b)
	require.EqualValues(t, 6, both.Count())
	require.Equal(t, b, both.Since(a))
	require.Equal(t, a, both.Since(b))
	require.Equal(t, a, a.Plus(none))
	require.Equal(t, a, none.Plus(a))
	require.Equal(t, a, a.Since(none))
	require.Zero(t, none.Since(a).Count())
	require.Zero(t, a.Since(both).Count(), "what is not earlier has nothing to take off")
	require.EqualValues(t, 3, a.Count(), "the operands are as before")
	require.EqualValues(t, 3, b.Count())
	for _, copied := range []histogram.Times{a.Plus(none), none.Plus(a), a.Since(none)} {
		copied.Add(time.Hour, 1)
	}
	require.EqualValues(t, 3, a.Count(), "the results are copies")
}

func TestUpto(t *testing.T) {
	var none, h histogram.Times
	limits := []time.Duration{time.Microsecond, time.Millisecond, time.Second, time.Hour, math.MaxInt64}
	require.Equal(t, []uint64{0, 0, 0, 0, 0}, none.Upto(limits))
	h.Add(500*time.Microsecond, 1)
	h.Add(500*time.Millisecond, 10)
	h.Add(30*time.Minute, 100)
	h.Add(200*time.Hour, 1000)
	require.Equal(t, []uint64{0, 1, 11, 111, 1111}, h.Upto(limits))
	require.Empty(t, h.Upto(nil))
}

func TestTheSumDoesNotOverflow(t *testing.T) {
	var h histogram.Times
	require.Zero(t, h.Sum())
	h.Add(time.Hour, math.MaxUint64)
	require.EqualValues(t, int64(math.MaxInt64), h.Sum())
}

func TestThereAreFewBuckets(t *testing.T) {
	var h histogram.Times
	h.Add(time.Second, 1)
	require.Len(t, h, 257, "eight for each of 32 powers of two, and one for what is shorter")
}
