package warren

import (
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/wire"
)

// VirtualHost is a world of exchanges, queues and bindings of its own. Its
// methods are safe for many goroutines.
//
// Topology changes hold the vhost's lock, publishes share it while they look
// up where a message goes.
type VirtualHost struct {
	broker  *Broker
	name    string
	replies replyTable
	pools   pools // of handlers
	clients int   // sessions of users; guarded by the broker's lock

	walks sync.Pool // of *route.Walk

	unroutable atomic.Uint64
	returned   atomic.Uint64

	mu sync.RWMutex
	// Guarded by mu.
	exchanges       map[string]*declaredExchange
	queues          map[string]*declaredQueue
	defaultExchange *declaredExchange // the default exchange, also in exchanges
	closed          bool
	limits          VirtualHostLimits
	counts          queue.Counts // of deleted queues

	// Guarded by mu.
	policies      [2]policyList // by their kind
	policyChanges uint64        // number of their last change
}

// note keeps a change for unlock; mu is held.
func (v *VirtualHost) recordChange(c change) {
	c.vhost = v
	v.broker.recordChange(c)
}

// unlock gives up mu and tells what has changed.
func (v *VirtualHost) unlockAndNotify() {
	v.mu.Unlock()
	v.broker.notifyReaders()
}

func newVirtualHost(b *Broker, name string) *VirtualHost {
	v := &VirtualHost{
		broker: b, name: name,
		exchanges: make(map[string]*declaredExchange, 8),
		queues:    make(map[string]*declaredQueue),
	}
	v.replies.vhost = v
	v.defaultExchange = newDeclaredExchange("", Direct, defaultMatcher{v})
	v.exchanges[""] = v.defaultExchange
	for _, x := range []struct {
		name string
		kind ExchangeType
	}{
		{"amq.direct", Direct}, {"amq.fanout", Fanout}, {"amq.topic", Topic},
		{"amq.headers", Headers}, {"amq.match", Headers},
	} {
		v.exchanges[x.name] = newDeclaredExchange(x.name, x.kind, route.NewMatcher(string(x.kind), route.HashOn{}))
	}
	return v
}

// Name is the name of the virtual host.
func (v *VirtualHost) Name() string { return v.name }

// Session opens a session: what a connection is over AMQP. It owns the
// exclusive queues that its channels declare.
func (v *VirtualHost) Session() (*Session, error) { return newSession(v, "") }

// SessionFor opens a session for a client that has logged in: it may do what
// the user's permissions allow at any moment, see [VirtualHost.PermissionsSet].
// It fails with 530 if the user has none here, or if as many are connected as
// [VirtualHostLimits] allow.
func (v *VirtualHost) SessionFor(user string) (*Session, error) {
	if user == "" {
		return nil, v.errNoAccess(user)
	}
	return newSession(v, user)
}

func (v *VirtualHost) errNoAccess(user string) error {
	return failure(wire.ConnectionOpenID, wire.CodeNotAllowed, "access to vhost '%s' refused for user '%s'", v.name, user)
}

// Channel opens a channel in a session of its own, which ends with it.
func (v *VirtualHost) Channel() (*Channel, error) {
	s, err := newSession(v, "")
	if err != nil {
		return nil, err
	}
	ch, err := s.Channel()
	if err != nil {
		s.Close()
		return nil, err
	}
	ch.ownsSession = true
	return ch, nil
}

// LimitsSet bounds the virtual host from now on; what is there stays.
func (v *VirtualHost) LimitsSet(l VirtualHostLimits) {
	v.mu.Lock()
	v.limits = l
	v.recordChange(change{kind: limitsSet})
	v.unlockAndNotify()
}

// Limits are those that LimitsSet has set last.
func (v *VirtualHost) Limits() VirtualHostLimits {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.limits
}

// queue finds a queue by name.
func (v *VirtualHost) queue(name string) *declaredQueue {
	v.mu.RLock()
	q := v.queues[name]
	v.mu.RUnlock()
	return q
}

// queueFor finds a queue for an operation of s (nil: the broker's own), which
// an exclusive queue allows its owner only.
func (v *VirtualHost) findQueue(m wire.MethodID, s *Session, name string) (*declaredQueue, error) {
	q := v.queue(name)
	if q == nil {
		return nil, v.errNoQueue(m, name)
	}
	return q, v.checkOwner(m, q, s)
}

// checkOwner refuses an exclusive queue to everybody but its owner.
func (v *VirtualHost) checkOwner(m wire.MethodID, q *declaredQueue, s *Session) error {
	if q.exclusive && q.owner != s {
		return v.errLocked(m, q.Name)
	}
	return nil
}

func (v *VirtualHost) errLocked(m wire.MethodID, name string) error {
	return failure(m, wire.CodeResourceLocked, "cannot obtain exclusive access to locked queue '%s' in vhost '%s'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", name, v.name)
}

func (v *VirtualHost) errNoQueue(m wire.MethodID, name string) error {
	return failure(m, wire.CodeNotFound, "no queue '%s' in vhost '%s'", name, v.name)
}

func (v *VirtualHost) errNoExchange(m wire.MethodID, name string) error {
	return failure(m, wire.CodeNotFound, "no exchange '%s' in vhost '%s'", name, v.name)
}

// exchange finds an exchange by name.
func (v *VirtualHost) exchange(name string) *declaredExchange {
	v.mu.RLock()
	x := v.exchanges[name]
	v.mu.RUnlock()
	return x
}

// exchangeFor finds the exchange that a message is published to.
func (v *VirtualHost) findPublishExchange(name string) (*declaredExchange, error) {
	x := v.exchange(name)
	if x == nil {
		if err := checkName(wire.BasicPublishID, "exchange name", name); err != nil {
			return nil, err
		}
		return nil, v.errNoExchange(wire.BasicPublishID, name)
	}
	if x.internal {
		return nil, failure(wire.BasicPublishID, wire.CodeAccessRefused, "cannot publish to internal exchange '%s' in vhost '%s'", name, v.name)
	}
	return x, nil
}

// removeExchange takes x and its bindings out. The caller holds mu.
func (v *VirtualHost) removeExchange(x *declaredExchange) {
	delete(v.exchanges, x.Name)
	x.deleted.Store(true)
	x.Gate.Close()
	for b := range x.Bindings() {
		route.Unlink(b)
	}
	for b := range x.Inbound() {
		v.removeBinding(b)
	}
	v.recordChange(change{kind: exchangeDeleted, exchange: x})
}

// removeBinding takes b out on both sides, and with the last one of an
// auto-delete exchange the exchange; mu is held.
func (v *VirtualHost) removeBinding(b *route.Binding) {
	route.Unbind(b)
	v.recordChange(change{kind: unbound, binding: b})
	x := v.exchanges[b.Source.Name]
	if x != nil && &x.Exchange == b.Source && x.autoDelete && !x.InUse() {
		v.removeExchange(x)
	}
}

// removeQueue deletes q if the condition holds, or fails with the engine's error
// that says why it does not.
func (v *VirtualHost) removeQueue(q *declaredQueue, c queue.Condition) (ready int, err error) {
	v.mu.Lock()
	defer v.unlockAndNotify()
	if v.queues[q.Name] != q {
		return 0, nil // somebody else was faster
	}
	if ready, err = q.Close(ErrConsumerCancelled, c); err != nil {
		return 0, err
	}
	delete(v.queues, q.Name)
	for b := range q.Inbound() {
		v.removeBinding(b)
	}
	if q.owner != nil {
		q.owner.removeExclusive(q)
	}
	counts := q.Counts() // its last deliveries may be settled at the same time
	v.counts.Add(&counts)
	v.recordChange(change{kind: queueDeleted, queue: q})
	return ready, nil
}

// consumerLeft deletes an auto-delete queue whose last consumer has gone.
func (v *VirtualHost) consumerLeft(q *declaredQueue, last bool) {
	if last && q.autoDelete {
		v.removeQueue(q, queue.IfUnused)
	}
}

// close ends all queues. What is registered later finds the vhost closed.
func (v *VirtualHost) close(err error) {
	v.replies.close() // first: calls fail because of the end, not of what it drops
	v.mu.Lock()
	v.closed = true
	queues := v.queues
	v.queues = make(map[string]*declaredQueue)
	for _, x := range v.exchanges {
		x.Gate.Close()
	}
	v.mu.Unlock()
	for _, q := range queues {
		q.Close(err, queue.Always)
	}
}

// host is what queues and walks need of a virtual host.
type host VirtualHost

// FindExchange finds an exchange by name; mu is held.
func (h *host) FindExchange(name string) *route.Exchange {
	if x := h.exchanges[name]; x != nil {
		return &x.Exchange
	}
	return nil
}

// Expired deletes a queue that nobody has used for as long as it may stay.
func (h *host) Expired(q *queue.Queue) {
	v := (*VirtualHost)(h)
	if d := v.queue(q.Name); d != nil && &d.Queue.Queue == q {
		v.removeQueue(d, queue.IfExpired)
	}
}

// policiesFor is what a new object is to follow. The caller holds mu.
func (v *VirtualHost) policiesFor(name string, kind argument.Kinds) (f appliedPolicies) {
	for i, list := range v.policies {
		f[i] = list.find(name, kind)
	}
	return f
}
