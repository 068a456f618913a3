package management

import (
	"errors"
	"sync"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

const (
	sampleEvery = 5 * time.Second
	// sampleFor is how long samples are taken after somebody has asked for them.
	sampleFor = 5 * time.Minute
)

// sampler takes samples of all counters while somebody looks, so that rates can be told.
// Of every object it keeps two, some seconds old; of the broker, and of objects whose
// page somebody has open, it keeps a history. Nothing runs and nothing is kept when
// nobody has looked for a while.
type sampler struct {
	broker *warren.Broker
	// clients returns what the AMQP servers know of their clients, by session.
	clients func() map[string]amqp.ConnectionInfo

	mu        sync.Mutex
	asked     time.Time
	unwatch   func() // nil: nobody looks
	older     *round // the first two may be nil
	newer     *round
	histories map[historyKey]*history
	durations durationsHistory
	// before is how many messages were published before anybody counted those, as far as
	// queues can tell.
	before uint64
}

func newSampler(b *warren.Broker, clients func() map[string]amqp.ConnectionInfo) *sampler {
	return &sampler{broker: b, clients: clients}
}

// look notes that somebody looks, and returns what was counted before.
func (s *sampler) look() *look {
	now := time.Now()
	s.mu.Lock()
	s.asked = now
	first := s.unwatch == nil
	if first {
		s.unwatch = s.broker.Watch()
		stats := s.broker.Stats()
		s.before = stats.Published - stats.Received
		time.AfterFunc(sampleEvery, s.tick)
	}
	before, base := s.before, s.older
	if base == nil {
		base = s.newer
	}
	s.mu.Unlock()
	if first {
		s.sample()
	}
	l := &look{now: now, base: base, before: before}
	if base != nil {
		l.seconds = now.Sub(base.at).Seconds()
	}
	return l
}

// tick takes a sample and waits for the next, or puts the sampler to rest.
func (s *sampler) tick() {
	_, err := s.broker.VirtualHost(warren.DefaultVirtualHost)
	s.mu.Lock()
	if time.Since(s.asked) > sampleFor || errors.Is(err, warren.ErrClosed) {
		s.unwatch()
		s.unwatch, s.older, s.newer, s.histories, s.durations = nil, nil, nil, nil, durationsHistory{}
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	s.sample()
	time.AfterFunc(sampleEvery, s.tick)
}

// sample takes a sample. The sampler's lock is not held over it.
func (s *sampler) sample() {
	r := s.takeRound()
	s.mu.Lock()
	s.older, s.newer = s.newer, r
	open := make(map[historyKey]*history, len(s.histories))
	for key, h := range s.histories {
		if r.at.Sub(h.asked) > sampleFor {
			delete(s.histories, key)
			continue
		}
		open[key] = h
	}
	s.mu.Unlock()
	for key, h := range open {
		p, ok := h.take(r.at)
		s.mu.Lock()
		if ok {
			h.add(p)
		} else {
			delete(s.histories, key)
		}
		s.mu.Unlock()
	}
	s.sampleDurations(r.at)
}

// round is one sample of everything.
type round struct {
	at       time.Time
	stats    warren.Stats
	process  process
	vhosts   map[string]*vhostSample
	channels map[channelKey]warren.ChannelCounts
	sessions map[string]sessionSample
}

type channelKey struct {
	session string
	number  uint64
}

// vhostSample is a sample of a virtual host. Its lists are sorted by name, which needs
// less room than maps.
type vhostSample struct {
	stats     warren.Stats
	rpc       warren.RPCInfo
	queues    []queueSample
	exchanges []exchangeSample
	handlers  map[handlerKey]handlerSample
}

// queueSample has what rates of a queue are made from: about 100 bytes.
type queueSample struct {
	name string
	warren.QueueCounts
	ready, unacked int
}

type exchangeSample struct {
	name string
	warren.ExchangeCounts
}

type sessionSample struct {
	warren.ChannelCounts
	received, sent uint64
}

type handlerKey struct{ queue, tag string }

type handlerSample struct{ served, failed uint64 }

func (s *sampler) takeRound() *round {
	r := &round{
		at: time.Now(), stats: s.broker.Stats(), vhosts: make(map[string]*vhostSample),
		channels: make(map[channelKey]warren.ChannelCounts), sessions: make(map[string]sessionSample),
	}
	for _, v := range s.broker.VirtualHosts() {
		r.vhosts[v.Name()] = sampleVHost(v)
	}
	for _, ch := range s.broker.Channels() {
		r.channels[channelKey{ch.Session, ch.Number}] = ch.ChannelCounts
	}
	clients := s.clients()
	r.process = measure()
	r.process.sockets, r.process.diskFree = len(clients), max(0, s.broker.Capacity().DiskFree)
	for _, x := range s.broker.Sessions() {
		client := clients[x.ID]
		r.sessions[x.ID] = sessionSample{x.ChannelCounts, client.Received, client.Sent}
	}
	return r
}

func sampleVHost(v *warren.VirtualHost) *vhostSample {
	queues, exchanges := v.Queues(), v.Exchanges()
	s := &vhostSample{
		stats: v.Stats(), rpc: v.RPC(),
		queues: make([]queueSample, len(queues)), exchanges: make([]exchangeSample, len(exchanges)),
		handlers: make(map[handlerKey]handlerSample),
	}
	for i := range queues {
		q := &queues[i]
		s.queues[i] = queueSample{q.Name, q.QueueCounts, q.Ready, q.Unacked}
	}
	for i := range exchanges {
		s.exchanges[i] = exchangeSample{exchanges[i].Name, exchanges[i].ExchangeCounts}
	}
	for _, h := range v.Handlers() {
		s.handlers[handlerKey{h.Queue, h.Tag}] = handlerSample{h.Served, h.Failed}
	}
	return s
}
