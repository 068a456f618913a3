package warren

import (
	"context"
	"sync"
	"sync/atomic"

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
	clients int // sessions of users; guarded by the broker's lock

	routings sync.Pool // of *routing

	unroutable atomic.Uint64
	returned   atomic.Uint64

	mu sync.RWMutex
	// Guarded by mu.
	exchanges map[string]*exchange
	queues    map[string]*queue
	fallback  *exchange // the default exchange, also in exchanges
	closed    bool
	limits    VirtualHostLimits
	counts    QueueCounts // of deleted queues
	notes     []note      // for the log, once mu is free

	// Guarded by mu.
	policies   [2]policyList // by their kind
	policyTurn uint64        // number of their last change
}

// note is a line for the log.
type note struct{ text, kind, name string }

// note keeps a line for unlock: a logger is the host's code and must not run
// under a lock of the broker.
func (v *VirtualHost) note(text, kind, name string) {
	if v.broker.debug() {
		v.notes = append(v.notes, note{text, kind, name})
	}
}

// unlock gives up mu and logs what has changed.
func (v *VirtualHost) unlock() {
	notes := v.notes
	v.notes = nil
	v.mu.Unlock()
	for _, n := range notes {
		v.broker.log.Debug(n.text, "vhost", v.name, n.kind, n.name)
	}
}

func newVirtualHost(b *Broker, name string) *VirtualHost {
	v := &VirtualHost{
		broker: b, name: name,
		exchanges: make(map[string]*exchange, 8),
		queues:    make(map[string]*queue),
	}
	v.replies.vhost = v
	v.fallback = &exchange{name: "", kind: Direct, durable: true, matcher: defaultMatcher{v}}
	v.exchanges[""] = v.fallback
	for _, x := range []struct {
		name string
		kind ExchangeType
	}{
		{"amq.direct", Direct}, {"amq.fanout", Fanout}, {"amq.topic", Topic},
		{"amq.headers", Headers}, {"amq.match", Headers},
	} {
		v.exchanges[x.name] = &exchange{name: x.name, kind: x.kind, durable: true, matcher: newMatcher(x.kind, nil)}
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
		return nil, v.noAccess(user)
	}
	return newSession(v, user)
}

func (v *VirtualHost) noAccess(user string) error {
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

// queue finds a queue by name.
func (v *VirtualHost) queue(name string) *queue {
	v.mu.RLock()
	q := v.queues[name]
	v.mu.RUnlock()
	return q
}

// queueFor finds a queue for an operation of s (nil: the broker's own), which
// an exclusive queue allows its owner only.
func (v *VirtualHost) queueFor(m wire.MethodID, s *Session, name string) (*queue, error) {
	q := v.queue(name)
	if q == nil {
		return nil, v.noQueue(m, name)
	}
	return q, q.checkOwner(m, s)
}

func (v *VirtualHost) locked(m wire.MethodID, name string) error {
	return failure(m, wire.CodeResourceLocked, "cannot obtain exclusive access to locked queue '%s' in vhost '%s'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.", name, v.name)
}

func (v *VirtualHost) noQueue(m wire.MethodID, name string) error {
	return failure(m, wire.CodeNotFound, "no queue '%s' in vhost '%s'", name, v.name)
}

func (v *VirtualHost) noExchange(m wire.MethodID, name string) error {
	return failure(m, wire.CodeNotFound, "no exchange '%s' in vhost '%s'", name, v.name)
}

// exchangeFor finds the exchange that a message is published to.
func (v *VirtualHost) exchangeFor(name string) (*exchange, error) {
	v.mu.RLock()
	x := v.exchanges[name]
	v.mu.RUnlock()
	if x == nil {
		if err := checkName(wire.BasicPublishID, "exchange name", name); err != nil {
			return nil, err
		}
		return nil, v.noExchange(wire.BasicPublishID, name)
	}
	if x.internal {
		return nil, failure(wire.BasicPublishID, wire.CodeAccessRefused, "cannot publish to internal exchange '%s' in vhost '%s'", name, v.name)
	}
	return x, nil
}

// close ends all queues. What is registered later finds the vhost closed.
func (v *VirtualHost) close(err error) {
	v.replies.close() // first: calls fail because of the end, not of what it drops
	v.mu.Lock()
	v.closed = true
	queues := v.queues
	v.queues = make(map[string]*queue)
	for _, x := range v.exchanges {
		x.gate.close()
	}
	v.mu.Unlock()
	for _, q := range queues {
		q.close(err, nil)
	}
}

// Call sends a request to a queue of this virtual host. See [Broker.Call].
func (v *VirtualHost) Call(ctx context.Context, queue string, msg Message, opts ...CallOptions) (reply Message, err error) {
	err = v.call(ctx, queue, &msg, opts, &reply)
	return reply, err
}

// Handle serves a queue of this virtual host. See [Broker.Handle].
func (v *VirtualHost) Handle(queue string, h HandlerFunc, opts ...HandleOptions) (*Handler, error) {
	return v.handle(queue, h, opts)
}
