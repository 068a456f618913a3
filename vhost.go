package warren

import (
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/argument"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/route"
	"github.com/warrenmq/warren/internal/wire"
)

// VirtualHost has exchanges, queues and bindings of its own. Its methods are safe
// for concurrent use.
//
// Changes of the topology lock its mutex. Publishes share it while they look up
// where a message goes.
type VirtualHost struct {
	broker  *Broker
	name    string
	id      uint64 // on disk; it does not change once others know the virtual host
	replies replyTable
	pools   pools // pools of its handlers
	clients int   // number of users' sessions; guarded by broker.mu
	calls   chained[CallFunc]

	elsewhere link.Elsewhere // where its requests go; nil: to its queues
	bridged   bool           // its requests come from another broker

	walks sync.Pool // of *route.Walk

	publisher atomic.Pointer[Channel] // of Publish and Enqueue; nil: none was needed yet

	failed     atomic.Uint64
	unroutable atomic.Uint64
	returned   atomic.Uint64
	received   message.Tally // by exchanges that are deleted, while somebody watched
	confirmed  atomic.Uint64 // to channels that are closed
	toConfirm  atomic.Uint64 // from channels that are closed

	lettersDropped  atomic.Uint64
	warnedOfLetters atomic.Int64 // when it was logged last, on the broker's clock; zero: never

	mu sync.RWMutex
	// Guarded by mu.
	exchanges       map[string]*declaredExchange
	queues          map[string]*declaredQueue
	defaultExchange *declaredExchange // also in exchanges, as ""
	closed          bool
	limits          VirtualHostLimits
	counts          queue.Counts // of deleted queues

	// Guarded by mu.
	policies      [2]policyList // by policyKind, each in order of precedence
	policyChanges uint64        // number of changes so far
}

// recordChange stores a change for unlockAndNotify. mu is held.
func (v *VirtualHost) recordChange(c change) {
	c.vhost = v
	v.broker.recordChange(c)
}

// unlockAndNotify unlocks mu and passes the recorded changes to their readers.
func (v *VirtualHost) unlockAndNotify() {
	v.mu.Unlock()
	v.broker.notifyReaders()
}

// traceID is the number of amq.rabbitmq.trace on disk. Those of the other predeclared
// exchanges are their places in the list of newVirtualHost, from 1 on. All are below
// topology.FirstID, and must stay as they are.
const traceID = 6

func newVirtualHost(b *Broker, name string) *VirtualHost {
	v := &VirtualHost{
		broker: b, name: name,
		exchanges: make(map[string]*declaredExchange, 8),
		queues:    make(map[string]*declaredQueue),
	}
	v.replies.vhost = v
	v.defaultExchange = newDeclaredExchange("", Direct, defaultMatcher{v})
	v.exchanges[""] = v.defaultExchange
	for i, p := range []struct {
		name string
		kind ExchangeType
	}{
		{"amq.direct", Direct}, {"amq.fanout", Fanout}, {"amq.topic", Topic},
		{"amq.headers", Headers}, {"amq.match", Headers},
	} {
		x := newDeclaredExchange(p.name, p.kind, route.NewMatcher(string(p.kind), route.HashOn{}))
		x.id = uint32(1 + i)
		v.exchanges[p.name] = x
	}
	if b.like.Trace { // nothing comes there
		x := newDeclaredExchange("amq.rabbitmq.trace", Topic, route.NewMatcher(string(Topic), route.HashOn{}))
		x.internal, x.id = true, traceID
		v.exchanges[x.Name] = x
	}
	return v
}

// Name returns the name of the virtual host.
func (v *VirtualHost) Name() string { return v.name }

// Session opens a session, which is the counterpart of an AMQP connection. It owns
// the exclusive queues that its channels declare.
func (v *VirtualHost) Session() (*Session, error) { return newSession(v, "") }

// SessionFor opens a session for a client that has logged in. The user's current
// permissions apply at any time, see [VirtualHost.PermissionsSet]. It fails with 530
// if the user has no permissions here, or if [VirtualHostLimits].MaxConnections is
// reached.
func (v *VirtualHost) SessionFor(user string) (*Session, error) {
	if user == "" {
		return nil, v.errNoAccess(user)
	}
	return newSession(v, user)
}

func (v *VirtualHost) errNoAccess(user string) error {
	return failure(wire.ConnectionOpenID, wire.CodeNotAllowed, "access to vhost '%s' refused for user '%s'", v.name, user)
}

// Channel opens a channel in a session of its own, which ends with the channel.
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

// LimitsSet sets the limits of the virtual host. Existing objects stay. In a broker from
// [Open] it returns when the limits are on disk, or cannot get there.
func (v *VirtualHost) LimitsSet(l VirtualHostLimits) {
	v.setLimits(l)
	_ = v.broker.stored(nil) // they come there later
}

func (v *VirtualHost) setLimits(l VirtualHostLimits) {
	v.mu.Lock()
	v.limits = l
	v.recordChange(change{kind: limitsSet})
	v.unlockAndNotify()
}

// Limits returns the limits that LimitsSet has set last.
func (v *VirtualHost) Limits() VirtualHostLimits {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.limits
}

// queue returns the queue with the name, or nil.
func (v *VirtualHost) queue(name string) *declaredQueue {
	v.mu.RLock()
	q := v.queues[name]
	v.mu.RUnlock()
	return q
}

// findQueue returns a queue for an operation of s. It fails with 404 if there is
// none, and with 405 if the queue is exclusive to another session. s is nil for the
// broker's own operations.
func (v *VirtualHost) findQueue(m wire.MethodID, s *Session, name string) (*declaredQueue, error) {
	q := v.queue(name)
	if q == nil {
		return nil, v.errNoQueue(m, name)
	}
	return q, v.checkOwner(m, q, s)
}

// checkOwner fails with 405 if q is exclusive and s is not its owner.
func (v *VirtualHost) checkOwner(m wire.MethodID, q *declaredQueue, s *Session) error {
	if q.exclusive && q.owner != s {
		return v.errLocked(m, q.Name())
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

// errExclusive says that a queue has an exclusive consumer.
func (v *VirtualHost) errExclusive(m wire.MethodID, queue string) error {
	return failure(m, wire.CodeAccessRefused, "queue '%s' in vhost '%s' in exclusive use", queue, v.name)
}

// errNotForStreams says that streams do not support an operation, in RabbitMQ's
// words.
func (v *VirtualHost) errNotForStreams(m wire.MethodID, what, queue string) error {
	return failure(m, wire.CodeNotImplemented, "%s not supported by stream queues queue '%s' in vhost '%s'", what, queue, v.name)
}

// checkNewName refuses a name that a new exchange or queue may not have. what is
// "exchange" or "queue".
func (v *VirtualHost) checkNewName(m wire.MethodID, what, name string) error {
	r := v.broker.like
	if p := r.ReservedPrefix(name); p != "" {
		return failure(m, wire.CodeAccessRefused, "%s name '%s' contains reserved prefix '%s*'", what, name, p)
	}
	if !r.IsPrintable(name) {
		return failure(m, wire.CodePreconditionFailed, "%s name %q isn't valid: only printable ASCII is", what, name)
	}
	return nil
}

// exchange returns the exchange with the name, or nil.
func (v *VirtualHost) exchange(name string) *declaredExchange {
	v.mu.RLock()
	x := v.exchanges[name]
	v.mu.RUnlock()
	return x
}

// lookUpPublishExchange returns an exchange to publish to. It fails with 404 if there
// is none, and with 403 if the exchange is internal.
func (v *VirtualHost) lookUpPublishExchange(name string) (*declaredExchange, error) {
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

// close closes the vhost and all its queues. Later declarations fail with ErrClosed.
func (v *VirtualHost) close(err error) {
	v.replies.close() // first, so that calls fail with ErrClosed, not because their requests are dropped
	v.mu.Lock()
	v.closed = true
	queues := v.queues
	v.queues = make(map[string]*declaredQueue)
	var gates []*route.Gate
	for _, x := range v.exchanges {
		if x.Gate != nil {
			gates = append(gates, x.Gate)
		}
		x.held.Release()
		for b := range x.Bindings() {
			b.Held.Release()
		}
	}
	v.mu.Unlock()
	condition := queue.Always
	if (*host)(v).Over() {
		condition = queue.Ends
	} else {
		v.broker.churn.queuesDeleted.Add(uint64(len(queues)))
	}
	for _, g := range gates {
		g.Close(condition == queue.Ends)
	}
	for _, q := range queues {
		rest, _, _ := q.Close(err, condition)
		rest.Drop()
	}
}

// host implements what queues and walks need of a virtual host.
type host VirtualHost

// FindExchange returns the exchange with the name, or nil. mu is held.
func (h *host) FindExchange(name string) *route.Exchange {
	if x := h.exchanges[name]; x != nil {
		return &x.Exchange
	}
	return nil
}

// RLock and RUnlock lock the topology for reading.
func (h *host) RLock()   { h.mu.RLock() }
func (h *host) RUnlock() { h.mu.RUnlock() }

// Over reports whether the broker is closed.
func (h *host) Over() bool { return h.broker.state.Load() == stateClosed }

// Expired deletes a queue whose x-expires is over.
func (h *host) Expired(q *queue.Queue) {
	v := (*VirtualHost)(h)
	if d := v.queue(q.Name()); d != nil && d.engine() == q {
		v.removeQueue(d, queue.IfExpired)
	}
}

// defaultMatcher matches for the default exchange: each queue is bound by its name,
// and each requester by its direct reply-to address.
type defaultMatcher struct{ vhost *VirtualHost }

func (defaultMatcher) Add(*route.Binding) {}

func (defaultMatcher) Remove(*route.Binding) {}

func (defaultMatcher) Exact(string) ([]*route.Queue, bool) { return nil, false }

func (m defaultMatcher) Match(w *route.Walk, key string, _ message.Content) {
	if q := m.vhost.queues[key]; q != nil {
		w.AddQueue(&q.Queue)
	} else if isReplyAddress(key) {
		w.AddReply(key)
	}
}

// policiesFor returns the policies that apply to a new object. mu is held.
func (v *VirtualHost) policiesFor(name string, kind argument.Kinds) (f appliedPolicies) {
	for i, list := range v.policies {
		f[i] = list.find(name, kind)
	}
	return f
}
