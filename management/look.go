package management

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/warrenmq/warren"
)

// look is what somebody who asks needs to tell rates: a sample some seconds old, and for
// a single object perhaps its history.
type look struct {
	now     time.Time
	base    *round  // nil: there is none yet, and all rates are zero
	seconds float64 // since then
	spans   [spanKinds]span
	points  []point                   // of the object that is shown, oldest first
	before  uint64                    // see sampler
	names   map[string]connectionName // of connections by session; nil until somebody asks
}

// shortest is the least time that a rate is told of: less is too short to mean anything.
const shortest = 0.2

// rate returns how fast a counter grows, each second.
func (l *look) rate(now, was uint64) float64 {
	if l.base == nil || l.seconds < shortest || now < was {
		return 0
	}
	return round2(float64(now-was) / l.seconds)
}

// change returns how fast a number changes, each second.
func (l *look) change(now, was int) float64 {
	if l.base == nil || l.seconds < shortest {
		return 0
	}
	return round2(float64(now-was) / l.seconds)
}

// round2 leaves out digits that mean nothing.
func round2(v float64) float64 {
	if v < 0 {
		return -round2(-v)
	}
	return float64(int64(v*100+0.5)) / 100
}

func (l *look) vhost(name string) *vhostSample {
	if l.base != nil {
		if v := l.base.vhosts[name]; v != nil {
			return v
		}
	}
	return &vhostSample{}
}

// owner returns the name of the connection of a session.
func (l *look) owner(h *Handler, session string) connectionName {
	if l.names == nil {
		l.names = h.namesOf()
	}
	if n, ok := l.names[session]; ok {
		return n
	}
	return connectionName{name: session}
}

// stats returns the broker's earlier figures.
func (l *look) stats() *warren.Stats {
	if l.base == nil {
		return new(warren.Stats)
	}
	return &l.base.stats
}

// process returns the earlier figures of the process.
func (l *look) process() *process {
	if l.base == nil {
		return new(process)
	}
	return &l.base.process
}

// queue returns the earlier sample of a queue. A queue that is younger had nothing then.
func (l *look) queue(vhost, name string) *queueSample {
	list := l.vhost(vhost).queues
	i, ok := slices.BinarySearchFunc(list, name, func(q queueSample, name string) int { return strings.Compare(q.name, name) })
	if !ok {
		return new(queueSample)
	}
	return &list[i]
}

func (l *look) exchange(vhost, name string) *warren.ExchangeCounts {
	list := l.vhost(vhost).exchanges
	i, ok := slices.BinarySearchFunc(list, name, func(x exchangeSample, name string) int { return strings.Compare(x.name, name) })
	if !ok {
		return new(warren.ExchangeCounts)
	}
	return &list[i].ExchangeCounts
}

func (l *look) session(id string) sessionSample {
	if l.base == nil {
		return sessionSample{}
	}
	return l.base.sessions[id]
}

func (l *look) channel(session string, number uint64) warren.ChannelCounts {
	if l.base == nil {
		return warren.ChannelCounts{}
	}
	return l.base.channels[channelKey{session, number}]
}

// counter writes a counter and the rate of its growth.
func (f *fields) counter(name string, now, was uint64, l *look) {
	f.counterOf(messageRates, name, now, was, l)
}

func (f *fields) counterOf(k spanKind, name string, now, was uint64, l *look) {
	if f.collect != nil {
		*f.collect = append(*f.collect, sampled{name, int64(now)})
		return
	}
	f.uint64(name, now)
	f.details(k, name, l.rate(now, was), int64(now), int64(was), l)
}

// gauge writes a number that also falls, and the rate of its change.
func (f *fields) gauge(name string, now, was int, l *look) { f.gaugeOf(lengths, name, now, was, l) }

func (f *fields) gaugeOf(k spanKind, name string, now, was int, l *look) {
	if f.collect != nil {
		*f.collect = append(*f.collect, sampled{name, int64(now)})
		return
	}
	f.int(name, now)
	f.details(k, name, l.change(now, was), int64(now), int64(was), l)
}

// details writes the rate of a number, and samples of it if they were asked for.
func (f *fields) details(k spanKind, name string, rate float64, now, was int64, l *look) {
	if !f.beginDetails(name) {
		return
	}
	f.float("rate", rate)
	if s := l.spans[k]; s.age > 0 && f.path == nil {
		f.samples(s, l, name, now, was)
	}
	f.end()
}

// spanKind says which parameters ask for samples of a number.
type spanKind int

const (
	lengths spanKind = iota
	messageRates
	dataRates
	nodeStats
	spanKinds
)

var spanNames = [spanKinds]string{"lengths", "msg_rates", "data_rates", "node_stats"}

// span is a time of which somebody wants samples.
type span struct{ age, step time.Duration } // zero age: no samples

const (
	maxAge     = 24 * time.Hour
	maxSamples = 1000
)

// parseSpans reads the parameters for samples. It reports whether there are any.
func (l *look) parseSpans(q url.Values) (found bool, err error) {
	for k, name := range spanNames {
		age, step := q.Get(name+"_age"), q.Get(name+"_incr")
		if age == "" && step == "" {
			continue
		}
		a, err1 := strconv.Atoi(age)
		s, err2 := strconv.Atoi(step)
		if err1 != nil || err2 != nil || a < 1 || s < 1 || a > int(maxAge/time.Second) {
			return false, badRequest("Invalid range: %s_age and %s_incr are seconds", name, name)
		}
		if a/s > maxSamples {
			return false, badRequest("Invalid range: more than %d samples", maxSamples)
		}
		l.spans[k] = span{time.Duration(a) * time.Second, time.Duration(s) * time.Second}
		found = true
	}
	return found, nil
}
