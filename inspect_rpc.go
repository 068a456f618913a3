package warren

import "time"

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
	// at most 100 codes; others count as "other".
	Errors map[string]uint64
	// Gone counts requests that were not served because their caller had gone.
	Gone uint64

	// Durations are the times that the function took, while somebody watches: see
	// [Broker.Watch]. When requests are many, some of them are timed.
	Durations Durations
}

// Durations are a histogram of times. The zero value is empty.
type Durations struct {
	counts []uint64 // by bucket
}

// Count returns how many times there are.
func (d Durations) Count() uint64 { panic("TODO") }

// Quantile returns the time that a share of all times, between 0 and 1, does not exceed,
// within an eighth. It is zero if there are none.
func (d Durations) Quantile(share float64) time.Duration { panic("TODO") }

// Since returns the times that have come since an earlier state of the same histogram.
func (d Durations) Since(earlier Durations) Durations { panic("TODO") }

// Plus returns the times of both.
func (d Durations) Plus(other Durations) Durations { panic("TODO") }

// Buckets returns how many times do not exceed each of the limits, which ascend: what a
// Prometheus histogram shows. The last one may be cut off by the histogram's own
// precision of an eighth.
func (d Durations) Buckets(limits []time.Duration) []uint64 { panic("TODO") }

// Sum returns the sum of all times, within an eighth.
func (d Durations) Sum() time.Duration { panic("TODO") }

// Handlers returns the handlers of the virtual host, sorted by queue.
func (v *VirtualHost) Handlers() []HandlerInfo { panic("TODO") }

// RPCInfo shows who waits for replies at one moment, and what became of replies. It
// tells no reply address.
type RPCInfo struct {
	Calls int // that wait for their answer
	// OldestCall is how long the oldest of these has waited. It is known for calls that
	// began while somebody watched, see [Broker.Watch].
	OldestCall     time.Duration
	ReplyConsumers int // channels that consume from the pseudo-queue

	Replies uint64 // that were delivered
	TooLate uint64 // that were dropped because the requester had gone
	TooFast uint64 // that were dropped because the requester's buffer was full
}

// RPC returns who waits for replies in the virtual host.
func (v *VirtualHost) RPC() RPCInfo { panic("TODO") }
