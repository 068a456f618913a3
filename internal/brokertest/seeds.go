package brokertest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Seeds are flags of a test program that tries random things: NAME.seeds is how
// many seeds it tries, NAME.time for how long it tries new ones instead, and
// NAME.seed the only one.
type Seeds struct {
	name        string
	only, count *uint64
	long        *time.Duration
	tests       int // that share the time
}

// NewSeeds declares the flags. The time is shared by so many tests.
func NewSeeds(name string, count uint64, tests int) *Seeds {
	return &Seeds{
		name:  name,
		only:  flag.Uint64(name+".seed", 0, "the only seed to try"),
		count: flag.Uint64(name+".seeds", count, "how many seeds to try, from 1 on"),
		long:  flag.Duration(name+".time", 0, "try new seeds for so long; zero: a fixed number"),
		tests: tests,
	}
}

// Each runs f as a subtest for one seed after another, until one fails. Each may
// take so much real time, see Watch.
func (s *Seeds) Each(t *testing.T, limit time.Duration, f func(t *testing.T, seed uint64)) {
	for seed := range s.all {
		ok := t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			Watch(t, limit, fmt.Sprintf("-%s.seed=%d", s.name, seed))
			f(t, seed)
		})
		if !ok {
			t.FailNow()
		}
	}
}

// all yields the seeds that the flags ask for.
func (s *Seeds) all(yield func(uint64) bool) {
	switch {
	case *s.only != 0:
		yield(*s.only)
	case *s.long != 0:
		for end := time.Now().Add(*s.long / time.Duration(s.tests)); time.Now().Before(end); {
			if !yield(rand.Uint64N(1e9) + 1) {
				return
			}
		}
	default:
		for seed := range *s.count {
			if !yield(seed + 1) {
				return
			}
		}
	}
}
