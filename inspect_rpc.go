package warren

import (
	"cmp"
	"slices"
	"time"

	"github.com/warrenmq/warren/internal/histogram"
)

// HandlerInfo shows a handler at one moment. Handlers with the same queue are shown
// apart.
type HandlerInfo struct {
	Queue       string
	VirtualHost string
	Tag         string // of its consumer
	Concurrency int
	Serving     int // requests whose function runs now

	Served uint64 // requests whose function has returned
	Failed uint64 // of Served, those whose function returned an error or panicked
	// Errors counts what failed by the code that requesters get, see [RemoteError]. It has
	// at most 101 codes: when there are 100, and for a code of more than 255 bytes, others
	// count as "other". Nil: nothing has failed.
	Errors map[string]uint64
	// Gone counts requests that were not served because their caller had gone, or the
	// deadline in their header was over, see [DeadlineHeader].
	Gone uint64

	// Durations are the times that the function took, while somebody watches: see
	// [Broker.Watch]. When requests are many, about 1000 between two calls of
	// [VirtualHost.Handlers] are timed, by chance, and each of them counts for those that
	// are not.
	Durations Durations
}

// Durations are a histogram of times: eight buckets for each power of two from a
// microsecond to 73 minutes. A longer time counts as 73 minutes. The zero value is
// empty. Its methods do not change it.
type Durations struct{ times histogram.Times }

// Count returns how many times there are.
func (d Durations) Count() uint64 { return d.times.Count() }

// Quantile returns the time that a share of all times, between 0 and 1, does not exceed:
// it is too long by an eighth, or a microsecond, at most. It is zero if there are none.
func (d Durations) Quantile(share float64) time.Duration { return d.times.Quantile(share) }

// Since returns the times that have come since an earlier state of the same histogram.
func (d Durations) Since(earlier Durations) Durations {
	return Durations{d.times.Since(earlier.times)}
}

// Plus returns the times of both.
func (d Durations) Plus(other Durations) Durations { return Durations{d.times.Plus(other.times)} }

// Buckets returns how many times do not exceed each of the limits, which ascend: what a
// Prometheus histogram shows. A limit counts as the end of the last bucket that is not
// beyond it, which is less by an eighth at most.
func (d Durations) Buckets(limits []time.Duration) []uint64 { return d.times.Upto(limits) }

// Sum returns the sum of all times, within a sixteenth, or half a microsecond for each
// that is shorter than one.
func (d Durations) Sum() time.Duration { return d.times.Sum() }

// Handlers returns the handlers of the virtual host, sorted by queue.
func (v *VirtualHost) Handlers() []HandlerInfo {
	handlers := v.handlers()
	list := make([]HandlerInfo, len(handlers))
	for i, h := range handlers {
		list[i] = HandlerInfo{Queue: h.queue.Name(), VirtualHost: v.name, Tag: h.tag, Concurrency: h.options.Concurrency}
		h.figures.look(&list[i], h.pool)
	}
	return list
}

// handlers returns the handlers that serve requests or may get some, sorted by queue and
// tag.
func (v *VirtualHost) handlers() []*Handler {
	pools := v.pools.list()
	list := make([]*Handler, len(pools))
	for i, p := range pools {
		list[i] = (*Handler)(p.Host().(*workers))
	}
	slices.SortFunc(list, func(x, y *Handler) int {
		return cmp.Or(cmp.Compare(x.queue.Name(), y.queue.Name()), cmp.Compare(x.tag, y.tag))
	})
	return list
}

// RPCInfo shows who waits for replies at one moment, and what became of replies. It
// tells no reply address.
type RPCInfo struct {
	Calls int // that wait for their answer
	// OldestCall is how long the oldest of these has waited. It is known for calls that
	// began while somebody watched, see [Broker.Watch]. When calls are many, it may be too
	// long by the time that 64 calls take to come.
	OldestCall     time.Duration
	ReplyConsumers int // channels that consume from the pseudo-queue

	Replies uint64 // that were delivered
	TooLate uint64 // that were dropped because the requester had gone
	TooFast uint64 // that were dropped because the requester's buffer was full
}

// RPC returns who waits for replies in the virtual host.
func (v *VirtualHost) RPC() RPCInfo {
	t := &v.replies
	info := RPCInfo{Replies: t.delivered.Load(), TooLate: t.droppedGone.Load(), TooFast: t.droppedSlow.Load()}
	now := v.broker.queues.Clock.Now()
	oldest := now
	for from, more := 0, true; more; from += slotsAtOnce {
		oldest, more = t.look(from, oldest, &info)
	}
	info.OldestCall = time.Duration(now - oldest)
	t.rest(now)
	return info
}
