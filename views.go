package warren

import (
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
)

// Views are copies of what exists at one moment. Those of exchanges, queues and
// bindings show their declarations and policies. Those of sessions, channels and
// consumers show their identities. A view is made under the lock of what it shows.
// Counts are taken later, object by object, so no lock is held for all of them.

// topologyView shows a virtual host.
type topologyView struct {
	limits    VirtualHostLimits
	policies  [2][]*policy // by policyKind
	exchanges []exchangeView
	queues    []queueView
	bindings  []bindingView
	deleted   queue.Counts // of deleted queues
}

// exchangeView shows an exchange.
type exchangeView struct {
	name       string
	kind       ExchangeType
	durable    bool
	autoDelete bool
	internal   bool
	args       Table
	policies   appliedPolicies
	bindings   int // of which it is the source

	exchange *declaredExchange
}

// delayed returns how many messages the exchange delays now, and their bytes.
func (x *exchangeView) delayed() (messages int, bytes int64) {
	if d := x.exchange.delays(); d != nil {
		return d.Stats()
	}
	return 0, 0
}

// queueView shows a queue.
type queueView struct {
	name       string
	durable    bool
	exclusive  bool
	autoDelete bool
	args       Table
	owner      *Session // nil unless the queue is exclusive
	policies   appliedPolicies

	queue *declaredQueue
}

// stats returns the current counts of the queue.
func (q *queueView) stats() queue.Stats { return q.queue.Stats() }

// consumers returns the current consumers of the queue, including handlers.
func (q *queueView) consumers() []queue.ConsumerView { return q.queue.Consumers() }

// bindingView shows a binding.
type bindingView struct {
	source      string
	destination string
	toQueue     bool // false: the destination is an exchange
	key         string
	args        Table
	canonical   string // canonical form of args
	exclusive   bool   // the destination is an exclusive queue
}

// view returns a view of the topology.
func (v *VirtualHost) view() topologyView {
	v.mu.RLock()
	defer v.mu.RUnlock()
	t := topologyView{
		limits:    v.limits,
		policies:  [2][]*policy{v.policies[0], v.policies[1]}, // the lists are never changed in place
		exchanges: make([]exchangeView, 0, len(v.exchanges)),
		queues:    make([]queueView, 0, len(v.queues)),
		deleted:   v.counts,
	}
	for _, q := range v.queues {
		t.queues = append(t.queues, v.viewQueue(q))
	}
	for _, x := range v.exchanges {
		t.exchanges = append(t.exchanges, v.viewExchange(x))
		for b := range x.Bindings() {
			if !b.Vain() {
				t.bindings = append(t.bindings, v.viewBinding(b))
			}
		}
	}
	return t
}

// viewQueue returns a view of a queue. mu is held.
func (v *VirtualHost) viewQueue(q *declaredQueue) queueView {
	return queueView{q.Name(), q.durable, q.exclusive, q.autoDelete, q.args, q.owner, q.policies, q}
}

// viewExchange returns a view of an exchange. mu is held.
func (v *VirtualHost) viewExchange(x *declaredExchange) exchangeView {
	return exchangeView{x.Name, x.kind, x.durable, x.autoDelete, x.internal, x.args, x.policies, x.BindingCount(), x}
}

func (v *VirtualHost) viewBinding(b *route.Binding) bindingView {
	view := bindingView{source: b.Source.Name, key: b.Key, args: b.Args, canonical: b.BindingKey.Args}
	if b.Queue == nil {
		view.destination = b.Exchange.Name
		return view
	}
	view.destination, view.toQueue = b.Queue.Name(), true
	if q := v.queues[b.Queue.Name()]; q != nil {
		view.exclusive = q.exclusive
	}
	return view
}
