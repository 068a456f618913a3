package warren

import (
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
)

// Views are what there is at one moment, to read: of exchanges, queues and
// bindings what their declarations say and which policies they follow, of
// sessions, channels and consumers who they are. A view is made under the lock
// of what it shows; counts are taken afterwards, object by object, so no lock is
// held over all.

// topologyView is what a virtual host has.
type topologyView struct {
	limits    VirtualHostLimits
	policies  [2][]*policy // by their kind
	exchanges []exchangeView
	queues    []queueView
	bindings  []bindingView
	deleted   queue.Counts // of queues that are no more
}

// exchangeView is an exchange.
type exchangeView struct {
	name       string
	kind       ExchangeType
	durable    bool
	autoDelete bool
	internal   bool
	args       Table
	policies   appliedPolicies

	exchange *declaredExchange
}

// delayed is how many messages the exchange keeps back now, and their bytes.
func (x *exchangeView) delayed() (messages int, bytes int64) {
	if g := x.exchange.Gate; g != nil && g.Delays != nil {
		return g.Delays.Stats()
	}
	return 0, 0
}

// queueView is a queue.
type queueView struct {
	name       string
	durable    bool
	exclusive  bool
	autoDelete bool
	args       Table
	owner      *Session // of an exclusive queue
	policies   appliedPolicies

	queue *declaredQueue
}

// stats are the queue's counts now.
func (q *queueView) stats() queue.Stats { return q.queue.Stats() }

// consumers are the queue's now, those of handlers too.
func (q *queueView) consumers() []queue.ConsumerView { return q.queue.Consumers() }

// bindingView is a binding.
type bindingView struct {
	source      string
	destination string
	toQueue     bool // else the destination is an exchange
	key         string
	args        Table
	canonical   string // form of args
	exclusive   bool   // the destination is an exclusive queue
}

// view is what there is of the topology.
func (v *VirtualHost) view() topologyView {
	v.mu.RLock()
	defer v.mu.RUnlock()
	t := topologyView{
		limits:    v.limits,
		policies:  [2][]*policy{v.policies[0], v.policies[1]}, // never changed in place
		exchanges: make([]exchangeView, 0, len(v.exchanges)),
		queues:    make([]queueView, 0, len(v.queues)),
		deleted:   v.counts,
	}
	for _, q := range v.queues {
		t.queues = append(t.queues, queueView{q.Name, q.durable, q.exclusive, q.autoDelete, q.args, q.owner, q.policies, q})
	}
	for _, x := range v.exchanges {
		t.exchanges = append(t.exchanges, exchangeView{x.Name, x.kind, x.durable, x.autoDelete, x.internal, x.args, x.policies, x})
		for b := range x.Bindings() {
			t.bindings = append(t.bindings, v.viewBinding(b))
		}
	}
	return t
}

func (v *VirtualHost) viewBinding(b *route.Binding) bindingView {
	view := bindingView{source: b.Source.Name, key: b.Key, args: b.Args, canonical: b.BindingKey.Args}
	if b.Queue == nil {
		view.destination = b.Exchange.Name
		return view
	}
	view.destination, view.toQueue = b.Queue.Name, true
	if q := v.queues[b.Queue.Name]; q != nil {
		view.exclusive = q.exclusive
	}
	return view
}

// sessionView is a session.
type sessionView struct {
	id, user string
	vhost    *VirtualHost
	channels int
	queues   int // exclusive ones

	session *Session
}

// viewSessions are the sessions of all virtual hosts.
func (b *Broker) viewSessions() []sessionView {
	b.mu.Lock()
	sessions := b.sessionsWhere(func(*Session) bool { return true })
	b.mu.Unlock()
	views := make([]sessionView, len(sessions))
	for i, s := range sessions {
		s.mu.Lock()
		views[i] = sessionView{s.id, s.User(), s.vhost, len(s.channels), len(s.queues), s}
		s.mu.Unlock()
	}
	return views
}

// channelView is a channel.
type channelView struct {
	number    uint64
	mode      channelMode
	published uint64 // in confirm mode
	unacked   int
	prefetch  int // for consumers to come; zero: no limit
	consumers []channelConsumerView
}

// channelConsumerView is a consumer as its channel knows it.
type channelConsumerView struct {
	tag, queue string
	reply      bool // of direct reply-to
}

// viewChannels are the session's channels, in no order.
func (s *Session) viewChannels() []channelView {
	s.mu.Lock()
	channels := make([]*Channel, 0, len(s.channels))
	for ch := range s.channels {
		channels = append(channels, ch)
	}
	s.mu.Unlock()
	views := make([]channelView, len(channels))
	for i, ch := range channels {
		ch.mu.Lock()
		views[i] = channelView{ch.shownNumber, ch.mode.Load(), ch.published.Load(), ch.unacked.Len(), ch.prefetch, nil}
		for _, c := range ch.sortedConsumers() {
			views[i].consumers = append(views[i].consumers, channelConsumerView{c.tag, c.queue, c.reply != nil})
		}
		ch.mu.Unlock()
	}
	return views
}
