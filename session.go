package warren

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/wire"
)

// Session is the counterpart of an AMQP connection: it has channels and owns the
// exclusive queues that they declare. Its methods are safe for concurrent use.
type Session struct {
	sessionPort

	vhost    *VirtualHost
	id       string
	since    time.Time
	number   uint64                // counts the broker's sessions
	diskWait *diskWait             // of its connection; nil: it has none. Set before there are channels
	user     *account              // the logged-in user; nil: this program
	grant    atomic.Pointer[grant] // permissions of the user; nil: everything is allowed
	held     atomic.Int64          // bytes that transactions of its channels hold

	mu sync.Mutex
	// Guarded by mu.
	channels map[*Channel]struct{}
	opened   uint64                      // number of channels ever opened
	past     ChannelCounts               // of channels that are closed
	queues   map[*declaredQueue]struct{} // the exclusive queues
	closed   bool
	topology memory.Reservation
	onEnd    func(reason string) // called after the end of the session; may be nil
}

// diskWait is what a connection has to do with the waits of its channels.
type diskWait struct {
	ctx   context.Context  // ends with the connection
	waits func(why string) // is told of a wait that lasts long, and of its end, by an empty text
}

// sessionPort is like brokerPort.
type sessionPort = link.SessionPort

// sessionLink is a session as a connection uses it. It implements link.Session.
type sessionLink Session

// newSession makes a session of a user. An empty name stands for this program.
func newSession(v *VirtualHost, user string) (*Session, error) {
	return openSession(v, user, stateOpen)
}

// openSession is newSession that succeeds up to a state of the broker.
func openSession(v *VirtualHost, user string, latest brokerState) (*Session, error) {
	s := &Session{
		vhost: v, id: uuid.NewString(), since: time.Now(),
		channels: make(map[*Channel]struct{}), queues: make(map[*declaredQueue]struct{}),
	}
	s.sessionPort = link.NewSessionPort((*sessionLink)(s))
	if err := v.broker.reserve(&s.topology, wire.ConnectionOpenID, sessionHeld); err != nil {
		return nil, err
	}
	if err := v.broker.addSession(s, user, latest); err != nil {
		s.topology.Release()
		return nil, err
	}
	v.broker.notifyReaders()
	return s, nil
}

// ID returns the session's identifier, which is a UUID.
func (s *Session) ID() string { return s.id }

// User returns the name of the logged-in user. It is empty for sessions of this
// program.
func (s *Session) User() string {
	if s.user == nil {
		return ""
	}
	return s.user.name
}

// VirtualHost returns the virtual host of the session.
func (s *Session) VirtualHost() *VirtualHost { return s.vhost }

// isRemote reports whether the session is a connection of the listener.
func (s *Session) isRemote() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.onEnd != nil
}

// Channel opens a channel (channel.open). It fails with 530 if [Options].MaxChannels
// channels are open, and with [ErrClosed] after Close.
func (s *Session) Channel() (*Channel, error) {
	if err := s.vhost.broker.checkOpen(); err != nil {
		return nil, err
	}
	ch, err := s.openChannel()
	if err == nil && !s.isRemote() { // Serve gives others their number
		ch.opened(ch.number, nil)
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
	ch := newChannel(s)
	if err := s.vhost.broker.reserve(&ch.held, wire.ChannelOpenID, channelHeld); err != nil {
		return nil, err
	}
	s.opened++
	ch.number, ch.shownNumber = s.opened, s.opened
	s.channels[ch] = struct{}{}
	return ch, nil
}

// Close closes the session's channels and deletes its exclusive queues, like the end
// of an AMQP connection. A second Close does nothing.
func (s *Session) Close() error {
	s.end(shutdownReason)
	return nil
}

// shutdownReason is what clients are told when the broker closes.
const shutdownReason = "broker forced connection closure with reason 'shutdown'"

// end closes the session for the given reason.
func (s *Session) end(reason string) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	channels, queues, onEnd := s.channels, s.queues, s.onEnd
	s.channels, s.queues = nil, nil
	s.topology.Release()
	s.mu.Unlock()
	for _, ch := range slices.SortedFunc(maps.Keys(channels), func(a, b *Channel) int { return cmp.Compare(a.number, b.number) }) {
		ch.end(ErrClosed)
	}
	for q := range queues {
		s.vhost.removeQueue(q, queue.Always)
	}
	s.vhost.broker.removeSession(s)
	c := change{kind: sessionClosed, vhost: s.vhost, session: s, user: s.User()}
	if reason != shutdownReason || s.vhost.broker.state.Load() == stateClosed {
		c.reason = errors.New(reason)
	}
	s.vhost.broker.announce(c)
	if onEnd != nil {
		onEnd(reason)
	}
}

// addExclusive adds q to the session's exclusive queues. It reports false if the
// session is closed.
func (s *Session) addExclusive(q *declaredQueue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.queues[q] = struct{}{}
	return true
}

// removeExclusive removes a deleted queue from the session's exclusive queues.
func (s *Session) removeExclusive(q *declaredQueue) {
	s.mu.Lock()
	delete(s.queues, q)
	s.mu.Unlock()
}

// removeChannel removes a closed channel from the session.
func (s *Session) removeChannel(ch *Channel) {
	counts := ch.takeCounts()
	s.mu.Lock()
	s.past.add(&counts)
	delete(s.channels, ch)
	s.mu.Unlock()
}

// checkAccess fails with 403 if the session's user lacks a permission. It always
// succeeds for a nil session, which is the broker itself, and for a session of this
// program.
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

// checkQueueAccess is checkAccess for a queue.
func (s *Session) checkQueueAccess(m wire.MethodID, what permission, name string) error {
	return s.checkAccess(m, what, "queue", name)
}

// checkExchangeAccess is checkAccess for an exchange.
func (s *Session) checkExchangeAccess(m wire.MethodID, what permission, name string) error {
	if name == "" {
		name = defaultExchangeName
	}
	return s.checkAccess(m, what, "exchange", name)
}

// checkBindAccess checks the permissions for bind and unbind. kind is the kind of
// the destination. The default exchange is not checked here, because nobody may bind
// to it.
func (s *Session) checkBindAccess(m wire.MethodID, kind, destination, source string) error {
	if source == "" {
		return nil
	}
	if err := s.checkAccess(m, toWrite, kind, destination); err != nil {
		return err
	}
	return s.checkExchangeAccess(m, toRead, source)
}

// checkAlternateAccess checks the permissions for a new exchange with an alternate
// exchange.
func (s *Session) checkAlternateAccess(exchange, alternate string) error {
	if err := s.checkExchangeAccess(wire.ExchangeDeclareID, toRead, exchange); err != nil {
		return err
	}
	return s.checkExchangeAccess(wire.ExchangeDeclareID, toWrite, alternate)
}

// checkDeadLetterAccess checks the permissions for a new queue with a dead-letter
// exchange.
func (s *Session) checkDeadLetterAccess(queue, exchange string) error {
	if err := s.checkQueueAccess(wire.QueueDeclareID, toRead, queue); err != nil {
		return err
	}
	return s.checkExchangeAccess(wire.QueueDeclareID, toWrite, exchange)
}
