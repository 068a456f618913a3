package metrics

import (
	"maps"
	"slices"
	"time"

	"github.com/warrenmq/warren"
)

// handlerID tells handlers apart, also those that serve one after another.
type handlerID struct{ vhost, queue, tag string }

// past keeps what handlers had counted that have ended, so that sums over handlers only
// grow. What a handler did after the last look is not known.
type past struct {
	last map[handlerID]*warren.HandlerInfo // of the last look
	sum  handlerSums                       // of those that have ended
}

// handlerSums are counts of several handlers.
type handlerSums struct {
	served, gone uint64
	errors       map[string]uint64
	durations    warren.Durations
}

// maxCodes is how many codes of errors are told apart, as the broker does for a handler.
// Others count as otherCode.
const (
	maxCodes  = 100
	otherCode = "other"
)

func (h *handlerSums) add(i *warren.HandlerInfo) {
	h.served += i.Served
	h.gone += i.Gone
	h.durations = h.durations.Plus(i.Durations)
	if len(i.Errors) > 0 && h.errors == nil {
		h.errors = make(map[string]uint64)
	}
	for _, code := range slices.Sorted(maps.Keys(i.Errors)) {
		key := code
		if _, known := h.errors[code]; !known && len(h.errors) >= maxCodes {
			key = otherCode
		}
		h.errors[key] += i.Errors[code]
	}
}

// sums returns the sums over the handlers of now and all that were seen before.
func (p *past) sums(now []warren.HandlerInfo) handlerSums {
	last := make(map[handlerID]*warren.HandlerInfo, len(now))
	for i := range now {
		h := &now[i]
		last[handlerID{h.VirtualHost, h.Queue, h.Tag}] = h
	}
	for id, h := range p.last {
		if last[id] == nil {
			p.sum.add(h)
		}
	}
	p.last = last
	all := p.sum
	all.errors = maps.Clone(p.sum.errors)
	for i := range now {
		all.add(&now[i])
	}
	return all
}

// durationLimits are the buckets of how long handlers take. Calls in process take
// microseconds.
func durationLimits() []time.Duration {
	const us, ms, s = time.Microsecond, time.Millisecond, time.Second
	return []time.Duration{100 * us, 500 * us, ms, 5 * ms, 10 * ms, 50 * ms, 100 * ms, 500 * ms, s, 5 * s, 10 * s, 60 * s}
}

func distribution(d warren.Durations) *Distribution {
	limits := durationLimits()
	h := &Distribution{Count: d.Count(), Sum: d.Sum().Seconds(), Buckets: make([]Bucket, len(limits))}
	for i, n := range d.Buckets(limits) {
		h.Buckets[i] = Bucket{limits[i].Seconds(), n}
	}
	return h
}

func handlers(v *view) (list []warren.HandlerInfo) {
	for _, h := range vhosts(v) {
		list = append(list, h.Handlers()...)
	}
	return list
}

// rpcState is what the metrics of requests and replies are made from.
type rpcState struct {
	warren.RPCInfo
	handlers, serving int
	sums              handlerSums
}

// rpc returns the metrics of requests and replies.
func (s *Source) rpc() []Family {
	var st rpcState
	for _, v := range s.broker.VirtualHosts() {
		i := v.RPC()
		st.Calls += i.Calls
		st.OldestCall = max(st.OldestCall, i.OldestCall)
		st.ReplyConsumers += i.ReplyConsumers
		st.Replies += i.Replies
		st.TooLate += i.TooLate
		st.TooFast += i.TooFast
	}
	now := handlers(newView(s, nil))
	st.handlers = len(now)
	for i := range now {
		st.serving += now[i].Serving
	}
	s.mu.Lock()
	st.sums = s.past.sums(now)
	s.mu.Unlock()

	families := collect(rpcMetrics(), nil, []rpcState{st}, func(*rpcState) []string { return nil })
	s.mu.Lock()
	s.steady.apply(families)
	s.mu.Unlock()
	failed := Family{Name: "warren_rpc_failed_total", Kind: Counter, Labels: []string{"code"}, Help: failedHelp}
	for _, code := range slices.Sorted(maps.Keys(st.sums.errors)) {
		failed.Samples = append(failed.Samples, Sample{Labels: []string{code}, Value: float64(st.sums.errors[code])})
	}
	return append(families, failed, Family{
		Name: "warren_rpc_duration_seconds", Kind: Histogram, Help: durationHelp,
		Samples: []Sample{{Histogram: distribution(st.sums.durations)}},
	})
}

const (
	failedHelp   = "Requests whose handler has failed, by the code that requesters get."
	durationHelp = "Time that handlers took for requests. When requests are many, some of them are timed."
)

func rpcMetrics() []metric[rpcState] {
	return []metric[rpcState]{
		gaugeOf("warren_rpc_calls_waiting", "Calls of this program that wait for their answer.", func(s *rpcState) int { return s.Calls }),
		{"warren_rpc_oldest_call_seconds", "How long the oldest of them has waited.", Gauge, func(s *rpcState) float64 { return s.OldestCall.Seconds() }, nil},
		gaugeOf("warren_rpc_reply_consumers", "Channels that consume replies by direct reply-to.", func(s *rpcState) int { return s.ReplyConsumers }),
		gaugeOf("warren_rpc_handlers", "Handlers.", func(s *rpcState) int { return s.handlers }),
		gaugeOf("warren_rpc_serving", "Requests whose handler runs now.", func(s *rpcState) int { return s.serving }),
		counterOf("warren_rpc_served_total", "Requests whose handler has returned.", func(s *rpcState) uint64 { return s.sums.served }),
		counterOf("warren_rpc_gone_total", "Requests that were not served because their caller had gone.", func(s *rpcState) uint64 { return s.sums.gone }),
		counterOf("warren_rpc_replies_delivered_total", "Replies that were delivered by direct reply-to.", func(s *rpcState) uint64 { return s.Replies }),
		counterOf("warren_rpc_replies_too_late_total", "Replies that were dropped because the requester had gone.", func(s *rpcState) uint64 { return s.TooLate }),
		counterOf("warren_rpc_replies_too_fast_total", "Replies that were dropped because the requester's buffer was full.", func(s *rpcState) uint64 { return s.TooFast }),
	}
}

// handlerMetrics are those of one handler.
func handlerMetrics() []metric[warren.HandlerInfo] {
	return []metric[warren.HandlerInfo]{
		gaugeOf("warren_rpc_handler_concurrency", "Requests that the handler serves at the same time at most.", func(h *warren.HandlerInfo) int { return h.Concurrency }),
		gaugeOf("warren_rpc_handler_serving", "Requests whose function runs now.", func(h *warren.HandlerInfo) int { return h.Serving }),
		counterOf("warren_rpc_handler_served_total", "Requests whose function has returned.", func(h *warren.HandlerInfo) uint64 { return h.Served }),
		counterOf("warren_rpc_handler_failed_total", "Of these, requests whose function has failed.", func(h *warren.HandlerInfo) uint64 { return h.Failed }),
		counterOf("warren_rpc_handler_gone_total", "Requests that were not served because their caller had gone.", func(h *warren.HandlerInfo) uint64 { return h.Gone }),
	}
}

// handlerFamilies makes the metrics of each handler. The label handler is the tag of its
// consumer: a handler that is started anew is another one.
func handlerFamilies(v *view) []Family {
	list := handlers(v)
	names := []string{"vhost", "queue", "handler"}
	labels := func(h *warren.HandlerInfo) []string { return []string{h.VirtualHost, h.Queue, h.Tag} }
	families := collect(handlerMetrics(), names, list, labels)
	durations := Family{Name: "warren_rpc_handler_duration_seconds", Kind: Histogram, Labels: names, Help: durationHelp}
	for i := range list {
		durations.Samples = append(durations.Samples, Sample{Labels: labels(&list[i]), Histogram: distribution(list[i].Durations)})
	}
	return append(families, durations)
}
