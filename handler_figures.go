package warren

import (
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/histogram"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/queue"
)

// handlerFigures are what a handler counts beside its pool, which counts requests under
// the lock of the queue.
type handlerFigures struct {
	// rate says that one in so many requests is timed; zero means each. A clock costs
	// more than all other figures together.
	rate atomic.Uint32

	mu sync.Mutex
	// Guarded by mu.
	failed uint64
	errors map[string]uint64 // of failed, by code
	times  histogram.Times
	timed  int    // requests that were timed since the last look, or since rate has grown
	served uint64 // at the last look
}

const (
	// timedAtOnce is about how many requests are timed between two looks.
	timedAtOnce = 1000
	// maxErrorCodes bounds the codes that a handler counts apart. Others count as
	// otherCode.
	maxErrorCodes = 100
	otherCode     = "other"
)

// fail counts a request whose function has failed with err.
func (f *handlerFigures) fail(err error) {
	code := asRemoteError(err).Code
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed++
	if f.errors == nil {
		f.errors = make(map[string]uint64)
	}
	if _, known := f.errors[code]; !known && (len(f.errors) >= maxErrorCodes || len(code) > names.MaxLen) {
		code = otherCode
	}
	f.errors[code]++
}

// weight decides whether a request is timed. Zero: it is not. Otherwise its time stands
// for so many requests.
func (f *handlerFigures) weight() uint32 {
	rate := f.rate.Load()
	if rate <= 1 {
		return 1
	}
	if rand.Uint32N(rate) != 0 { // not each one of so many, because requests may follow a pattern
		return 0
	}
	return rate
}

// time counts a time that stands for so many requests.
func (f *handlerFigures) time(d time.Duration, weight uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times.Add(d, uint64(weight))
	if f.timed++; f.timed >= 2*timedAtOnce && weight < 1<<30 {
		f.timed -= timedAtOnce
		f.rate.Store(max(1, f.rate.Load()) * 2)
	}
}

// look adds the figures to info and sets the rate for the time until the next look.
func (f *handlerFigures) look(info *HandlerInfo, pool *queue.Pool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info.Failed, info.Errors = f.failed, maps.Clone(f.errors)
	info.Durations = Durations{f.times.Plus(nil)}
	c := pool.Counts() // after failed, because a request counts as served later than as failed
	info.Served, info.Gone, info.Serving = c.Served, c.Skipped, c.Serving
	f.rate.Store(uint32(min((c.Served-f.served)/timedAtOnce, 1<<30)))
	f.served, f.timed = c.Served, 0
}
