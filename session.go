package warren

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"
)

// Session is what a connection is over AMQP: it has channels and owns the
// exclusive queues that they declare. Its methods are safe for many
// goroutines.
type Session struct {
	vhost *VirtualHost
	id    string

	mu sync.Mutex
	// Guarded by mu.
	channels map[*Channel]struct{}
	opened   uint64              // channels ever
	queues   map[*queue]struct{} // exclusive ones
	closed   bool
	ended    func() // nil: nobody wants to know of the end
}

func newSession(v *VirtualHost) (*Session, error) {
	s := &Session{
		vhost: v, id: uuid.NewString(),
		channels: make(map[*Channel]struct{}), queues: make(map[*queue]struct{}),
	}
	if err := v.broker.addSession(s); err != nil {
		return nil, err
	}
	return s, nil
}

// ID is the session's identifier, unique for ever.
func (s *Session) ID() string { return s.id }

// VirtualHost is the virtual host that the session works in.
func (s *Session) VirtualHost() *VirtualHost { return s.vhost }

// Channel opens a channel (channel.open). It fails with 530 when
// [Options].MaxChannels are open, and with [ErrClosed] after Close.
func (s *Session) Channel() (*Channel, error) {
	if err := s.vhost.broker.accepting(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if limit := s.vhost.broker.options.MaxChannels; limit > 0 && len(s.channels) >= limit {
		return nil, channelOpen.fail(NotAllowed, "number of channels opened (%d) has reached the negotiated channel_max (%d)", len(s.channels), limit)
	}
	s.opened++
	ch := newChannel(s)
	ch.number = s.opened
	s.channels[ch] = struct{}{}
	return ch, nil
}

// Close closes the session's channels and deletes its exclusive queues, as the
// end of a connection does over AMQP. Closing twice does nothing.
func (s *Session) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	channels, queues, ended := s.channels, s.queues, s.ended
	s.channels, s.queues = nil, nil
	s.mu.Unlock()
	for _, ch := range slices.SortedFunc(maps.Keys(channels), func(a, b *Channel) int { return cmp.Compare(a.number, b.number) }) {
		ch.shut()
	}
	for q := range queues {
		s.vhost.removeQueue(q, nil)
	}
	s.vhost.broker.removeSession(s)
	if ended != nil {
		ended()
	}
	return nil
}

// own notes an exclusive queue; false: the session has ended.
func (s *Session) own(q *queue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.queues[q] = struct{}{}
	return true
}

func (s *Session) disown(q *queue) {
	s.mu.Lock()
	delete(s.queues, q)
	s.mu.Unlock()
}

func (s *Session) forget(ch *Channel) {
	s.mu.Lock()
	delete(s.channels, ch)
	s.mu.Unlock()
}
