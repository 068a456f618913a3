package management

import (
	"github.com/warrenmq/warren"
)

type sampler struct{}

func newSampler(*warren.Broker) *sampler { return new(sampler) }

func (s *sampler) look() *look { return &look{} }

type look struct{ seconds float64 }

type octets struct{ received, sent uint64 }

func (l *look) octets(id string) octets                           { return octets{} }
func (l *look) session(id string) *warren.ChannelCounts           { return &warren.ChannelCounts{} }
func (l *look) channel(id string, n uint64) *warren.ChannelCounts { return &warren.ChannelCounts{} }
func (l *look) queue(vhost, name string) *queueSample             { return &queueSample{} }

type queueSample struct {
	warren.QueueCounts
	ready, unacked int
}

// rate returns how fast a counter has grown since the earlier look.
func (l *look) rate(now, was uint64) float64 {
	if l.seconds <= 0 || now < was {
		return 0
	}
	return float64(now-was) / l.seconds
}

// counter writes a counter and the rate of its growth.
func (f *fields) counter(name string, now, was uint64, l *look) {
	f.uint64(name, now)
	f.details(name, l.rate(now, was))
}

// gauge writes a number and the rate of its change.
func (f *fields) gauge(name string, now, was int, l *look) {
	f.int(name, now)
	f.details(name, l.change(now, was))
}

func (f *fields) details(name string, rate float64) {
	if f.begin(name + "_details") {
		f.float("rate", rate)
		f.end()
	}
}

func (l *look) change(now, was int) float64 {
	if l.seconds <= 0 {
		return 0
	}
	return float64(now-was) / l.seconds
}
