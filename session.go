package warren

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/wire"
)

// Session is what a connection is over AMQP: it has channels and owns the
// exclusive queues that they declare. Its methods are safe for many
// goroutines.
type Session struct {
	sessionPort

	vhost *VirtualHost
	id    string
	user  *account              // who is logged in; nil: this process
	grant atomic.Pointer[grant] // what the user may do; nil: everything

	mu sync.Mutex
	// Guarded by mu.
	channels map[*Channel]struct{}
	opened   uint64                      // channels ever
	queues   map[*declaredQueue]struct{} // exclusive ones
	closed   bool
	onEnd    func(reason string) // nil: nobody wants to know of the end
}

// newSession makes a session of a user; an empty name is this process.
func newSession(v *VirtualHost, user string) (*Session, error) {
	s := &Session{
		vhost: v, id: uuid.NewString(),
		channels: make(map[*Channel]struct{}), queues: make(map[*declaredQueue]struct{}),
	}
	s.sessionPort = link.NewSessionPort((*sessionLink)(s))
	if err := v.broker.addSession(s, user); err != nil {
		return nil, err
	}
	v.broker.announce(change{kind: sessionOpened, vhost: v, session: s, user: user})
	return s, nil
}

// ID is the session's identifier, unique for ever.
func (s *Session) ID() string { return s.id }

// User is the name of the user who is logged in, empty for sessions of this
// process.
func (s *Session) User() string {
	if s.user == nil {
		return ""
	}
	return s.user.name
}

// VirtualHost is the virtual host that the session works in.
func (s *Session) VirtualHost() *VirtualHost { return s.vhost }

// Channel opens a channel (channel.open). It fails with 530 when
// [Options].MaxChannels are open, and with [ErrClosed] after Close.
func (s *Session) Channel() (*Channel, error) {
	if err := s.vhost.broker.checkOpen(); err != nil {
		return nil, err
	}
	ch, err := s.openChannel()
	if err == nil {
		s.vhost.broker.announce(change{kind: channelOpened, vhost: s.vhost, session: s, channel: ch})
	}
	return ch, err
}

func (s *Session) openChannel() (*Channel, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if limit := s.vhost.broker.options.MaxChannels; limit > 0 && len(s.channels) >= limit {
		return nil, failure(wire.ChannelOpenID, wire.CodeNotAllowed, "number of channels opened (%d) has reached the negotiated channel_max (%d)", len(s.channels), limit)
	}
	s.opened++
	ch := newChannel(s)
	ch.number, ch.shownNumber = s.opened, s.opened
	s.channels[ch] = struct{}{}
	return ch, nil
}

// Close closes the session's channels and deletes its exclusive queues, as the
// end of a connection does over AMQP. Closing twice does nothing.
func (s *Session) Close() error {
	s.end(shutdownReason)
	return nil
}

// shutdownReason is what the clients of a broker that closes are told.
const shutdownReason = "broker forced connection closure with reason 'shutdown'"

// end is Close with a reason.
func (s *Session) end(reason string) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	channels, queues, onEnd := s.channels, s.queues, s.onEnd
	s.channels, s.queues = nil, nil
	s.mu.Unlock()
	for _, ch := range slices.SortedFunc(maps.Keys(channels), func(a, b *Channel) int { return cmp.Compare(a.number, b.number) }) {
		ch.end(ErrClosed)
	}
	for q := range queues {
		s.vhost.removeQueue(q, queue.Always)
	}
	s.vhost.broker.removeSession(s)
	s.vhost.broker.announce(change{kind: sessionClosed, vhost: s.vhost, session: s, user: s.User()})
	if onEnd != nil {
		onEnd(reason)
	}
}

// adopt notes an exclusive queue; false: the session has ended.
func (s *Session) addExclusive(q *declaredQueue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.queues[q] = struct{}{}
	return true
}

// orphan is adopt undone: the queue is deleted.
func (s *Session) removeExclusive(q *declaredQueue) {
	s.mu.Lock()
	delete(s.queues, q)
	s.mu.Unlock()
}

// disown takes a channel out that is closed.
func (s *Session) removeChannel(ch *Channel) {
	s.mu.Lock()
	delete(s.channels, ch)
	s.mu.Unlock()
}

// may refuses an operation that the session's user is not allowed. A nil
// session is the broker itself, one without a user this process: both may do
// everything.
func (s *Session) checkAccess(m wire.MethodID, what permission, kind, name string) error {
	if s == nil {
		return nil
	}
	g := s.grant.Load()
	if g == nil || g.allows(what, name) {
		return nil
	}
	return failure(m, wire.CodeAccessRefused, "%s access to %s '%s' in vhost '%s' refused for user '%s'", what, kind, name, s.vhost.name, g.user)
}

// mayQueue is may for a queue.
func (s *Session) checkQueueAccess(m wire.MethodID, what permission, name string) error {
	return s.checkAccess(m, what, "queue", name)
}

// mayExchange is may for an exchange.
func (s *Session) checkExchangeAccess(m wire.MethodID, what permission, name string) error {
	if name == "" {
		name = defaultExchangeName
	}
	return s.checkAccess(m, what, "exchange", name)
}

// mayBind is what bind and unbind need; kind is the destination's. The default
// exchange is left to the rules of binding, which nobody may break.
func (s *Session) checkBindAccess(m wire.MethodID, kind, destination, source string) error {
	if source == "" {
		return nil
	}
	if err := s.checkAccess(m, toWrite, kind, destination); err != nil {
		return err
	}
	return s.checkExchangeAccess(m, toRead, source)
}

// mayForward is what a new exchange with an alternate one needs.
func (s *Session) checkAlternateAccess(exchange, alternate string) error {
	if err := s.checkExchangeAccess(wire.ExchangeDeclareID, toRead, exchange); err != nil {
		return err
	}
	return s.checkExchangeAccess(wire.ExchangeDeclareID, toWrite, alternate)
}

// mayDeadLetter is what a new queue with a dead-letter exchange needs.
func (s *Session) checkDeadLetterAccess(queue, exchange string) error {
	if err := s.checkQueueAccess(wire.QueueDeclareID, toRead, queue); err != nil {
		return err
	}
	return s.checkExchangeAccess(wire.QueueDeclareID, toWrite, exchange)
}
