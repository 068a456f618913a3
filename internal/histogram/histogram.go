// Package histogram counts times in buckets: eight for each power of two, so that a
// time is known within an eighth.
package histogram

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// A bucket's index is made of the exponent of a time in nanoseconds and of the bits
// after the first one. Times below Least have one bucket, and those from Most on count
// with the longest.
const (
	leastExponent = 10 // 1.024 microseconds
	mostExponent  = 42 // 73 minutes
	detail        = 3  // bits that tell the buckets of a power of two apart
	buckets       = 1 + (mostExponent-leastExponent)<<detail

	Least = time.Duration(1 << leastExponent)
	Most  = time.Duration(1 << mostExponent)
)

// Times is a histogram of times. Nil is empty.
type Times []uint64

// Add counts a time n times.
func (t *Times) Add(d time.Duration, n uint64) {
	if *t == nil {
		*t = make(Times, buckets)
	}
	(*t)[bucketOf(d)] += n
}

// bucketOf returns the bucket that a time belongs to.
func bucketOf(d time.Duration) int {
	if d < Least {
		return 0
	}
	if d >= Most {
		return buckets - 1
	}
	exponent := bits.Len64(uint64(d)) - 1
	return 1 + (exponent-leastExponent)<<detail + int(d>>(exponent-detail))&(1<<detail-1)
}

// limit returns the time that all times of a bucket are below.
func limit(bucket int) time.Duration {
	octave, part := bucket>>detail, bucket&(1<<detail-1)
	return time.Duration(1<<detail+part) << (leastExponent - detail + octave)
}

// Count returns how many times there are.
func (t Times) Count() (sum uint64) {
	for _, n := range t {
		sum += n
	}
	return sum
}

// Quantile returns the limit of the bucket in which the given share of all times ends.
// It is zero if there are none.
func (t Times) Quantile(share float64) time.Duration {
	count := t.Count()
	if count == 0 {
		return 0
	}
	if !(share > 0) { // also if it is not a number
		share = 0
	}
	const exact = 1 - 1e-12 // 7 percent of 100 is 7, although 0.07 * 100 is a little more
	rank := max(1, uint64(math.Ceil(min(share, 1)*float64(count)*exact)))
	sum, last := uint64(0), 0
	for i, n := range t {
		if n == 0 {
			continue
		}
		last = i
		if sum += n; sum >= rank {
			break
		}
	}
	return limit(last)
}

// Since returns the times that t has more than an earlier state of it.
func (t Times) Since(earlier Times) Times {
	if len(earlier) == 0 {
		return slices.Clone(t)
	}
	more := slices.Clone(t)
	for i := range more {
		more[i] -= min(more[i], earlier[i])
	}
	return more
}

// Plus returns the times of both.
func (t Times) Plus(o Times) Times {
	if t == nil {
		return slices.Clone(o)
	}
	sum := slices.Clone(t)
	for i, n := range o {
		sum[i] += n
	}
	return sum
}

// Upto returns for each of the limits, which ascend, how many times are in buckets that
// end there or before.
func (t Times) Upto(limits []time.Duration) []uint64 {
	counts := make([]uint64, len(limits))
	sum, next := uint64(0), 0
	for i, most := range limits {
		for ; next < len(t) && limit(next) <= most; next++ {
			sum += t[next]
		}
		counts[i] = sum
	}
	return counts
}

// Sum returns the sum of all times, each of which counts as the middle of its bucket.
func (t Times) Sum() time.Duration {
	sum := 0.0
	for i, n := range t {
		if n == 0 {
			continue
		}
		from := time.Duration(0)
		if i > 0 {
			from = limit(i - 1)
		}
		sum += float64(n) * float64(from+limit(i)) / 2
	}
	if sum >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(sum)
}
