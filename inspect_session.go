package warren

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// SessionInfo shows a session at one moment. Sessions of the listener are the
// connections of its clients; amqp.Server.Connections says more about these.
type SessionInfo struct {
	ID          string
	VirtualHost string
	User        string // empty: the session is of this program
	Remote      bool   // it is a connection of the listener
	Opened      time.Time
	Channels    int
	Queues      int // exclusive queues that it owns

	ChannelCounts // of all its channels, including closed ones
}

// ChannelInfo shows a channel at one moment.
type ChannelInfo struct {
	Session     string // the ID of its session
	Number      uint64 // over AMQP the client's number, else a count from 1
	VirtualHost string
	User        string // empty: of this program
	Remote      bool   // of the listener

	Confirms        bool // it is in confirm mode
	Transactional   bool // it is in transaction mode
	Stopped         bool // [Channel.Flow] keeps deliveries back
	Prefetch        int  // limit for later consumers; zero: none
	Consumers       int  // including a reply consumer
	Unacked         int  // deliveries that are not settled
	Unconfirmed     int  // publishes that wait for the disk before they are confirmed
	Uncommitted     int  // publishes in the current transaction
	UncommittedAcks int  // settled deliveries in the current transaction

	ChannelCounts
}

// Sessions returns the sessions of all virtual hosts, the oldest first.
func (b *Broker) Sessions() []SessionInfo {
	sessions := b.sessionList(func(*Session) bool { return true })
	list := make([]SessionInfo, len(sessions))
	for i, s := range sessions {
		s.mu.Lock()
		list[i] = SessionInfo{
			ID: s.id, VirtualHost: s.vhost.name, User: s.User(), Remote: s.onEnd != nil, Opened: s.since,
			Channels: len(s.channels), Queues: len(s.queues), ChannelCounts: s.past,
		}
		s.mu.Unlock()
		for _, ch := range s.channelList() {
			counts := ch.counts()
			list[i].ChannelCounts.add(&counts)
		}
	}
	return list
}

// sessionList returns the sessions for which f returns true, the oldest first.
func (b *Broker) sessionList(f func(*Session) bool) []*Session {
	b.mu.Lock()
	list := b.sessionsWhere(f)
	b.mu.Unlock()
	slices.SortFunc(list, func(x, y *Session) int {
		return cmp.Compare(x.number, y.number)
	})
	return list
}

// channelList returns the session's channels, by number.
func (s *Session) channelList() []*Channel {
	s.mu.Lock()
	list := slices.Collect(maps.Keys(s.channels))
	s.mu.Unlock()
	slices.SortFunc(list, func(x, y *Channel) int { return cmp.Compare(x.number, y.number) })
	return list
}

// Channels returns the channels of all sessions, by the age of their sessions, then by
// number.
func (b *Broker) Channels() []ChannelInfo {
	var list []ChannelInfo
	for _, s := range b.sessionList(func(*Session) bool { return true }) {
		remote := s.isRemote()
		for _, ch := range s.channelList() {
			info := ch.info()
			info.Session, info.VirtualHost, info.User, info.Remote = s.id, s.vhost.name, s.User(), remote
			list = append(list, info)
		}
	}
	return list
}

// info returns what users see of the channel itself.
func (ch *Channel) info() ChannelInfo {
	counts := ch.counts()
	ch.mu.Lock()
	defer ch.mu.Unlock()
	mode := ch.mode.Load()
	info := ChannelInfo{
		Number: ch.shownNumber, Confirms: mode == modeConfirm, Transactional: mode == modeTx,
		Stopped: ch.flow.Paused(), Prefetch: ch.prefetch, Consumers: len(ch.consumers),
		Unacked: ch.unacked.Len() + len(ch.tx.settled), Uncommitted: len(ch.tx.publishes), UncommittedAcks: len(ch.tx.settled),
		ChannelCounts: counts,
	}
	if ch.line != nil {
		info.Unconfirmed = ch.line.Len()
	}
	return info
}

// SessionClose closes a session from outside, as Close does. A client of the listener
// is told connection.close with 320 and the text "CONNECTION_FORCED - " and reason. It
// fails with 404 if there is no session with this ID.
func (b *Broker) SessionClose(id, reason string) error {
	s, err := b.findSession(id)
	if err == nil {
		s.end(reason)
	}
	return err
}

// findSession returns the session with an ID.
func (b *Broker) findSession(id string) (*Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.sessions {
		if s.id == id {
			return s, nil
		}
	}
	return nil, errNotThere("session", id)
}

// findChannel returns a channel of the session with an ID.
func (b *Broker) findChannel(session string, number uint64) (*Channel, error) {
	s, err := b.findSession(session)
	if err != nil {
		return nil, err
	}
	for _, ch := range s.channelList() {
		ch.mu.Lock()
		shown := ch.shownNumber
		ch.mu.Unlock()
		if shown == number {
			return ch, nil
		}
	}
	return nil, errNotThere("channel", strconv.FormatUint(number, 10))
}

func errNotThere(kind, name string) error {
	return &Error{Code: wire.CodeNotFound, Text: fmt.Sprintf("NOT_FOUND - no %s '%s'", kind, name)}
}

// ChannelClose closes a channel from outside. A client of the listener is told
// channel.close with 406, as at a consumer timeout, and the text "PRECONDITION_FAILED - "
// and reason; who uses the channel in this program gets an [ErrClosed] that is also an
// [*Error] with 406. It fails with 404 if there is no such session or channel.
func (b *Broker) ChannelClose(session string, number uint64, reason string) error {
	ch, err := b.findChannel(session, number)
	if err != nil {
		return err
	}
	ch.mu.Lock()
	client := ch.client
	ch.mu.Unlock()
	ch.endOutside(fmt.Errorf("%w: %w", ErrClosed, failure(0, wire.CodePreconditionFailed, "%s", reason)), client)
	return nil
}

// ConsumerCancel ends a consumer from outside, as the deletion of its queue does: a
// client of the listener is told basic.cancel, and readers in this program get
// [ErrConsumerCancelled]. Unsettled messages stay with the channel. It fails with 404 if
// there is no such session, channel or consumer.
func (b *Broker) ConsumerCancel(session string, channel uint64, tag string) error {
	ch, err := b.findChannel(session, channel)
	if err != nil {
		return err
	}
	ch.mu.Lock()
	c := ch.consumers[tag]
	ch.mu.Unlock()
	if c == nil {
		return errNotThere("consumer", tag)
	}
	if c.end(ErrConsumerCancelled, true) && c.sink != nil {
		c.sink.Cancelled(c.tag)
	}
	return nil
}
