package warren

import "time"

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

// ChannelCounts count messages. Those up to Returned are counted while somebody
// watches, see [Broker.Watch], the others always.
type ChannelCounts struct {
	Published  uint64
	Unroutable uint64 // of Published, those that no queue took and that were dropped
	Returned   uint64 // of Published, those that were returned

	Delivered      uint64 // to consumers, including redeliveries
	DeliveredNoAck uint64 // of Delivered, those that need no ack
	Redelivered    uint64 // of Delivered and Got
	Got            uint64 // by Get
	GotNoAck       uint64 // of Got, those that need no ack
	Acked          uint64 // by an ack
}

// Sessions returns the sessions of all virtual hosts, the oldest first.
func (b *Broker) Sessions() []SessionInfo { panic("TODO") }

// Channels returns the channels of all sessions, by the age of their sessions, then by
// number.
func (b *Broker) Channels() []ChannelInfo { panic("TODO") }

// SessionClose closes a session from outside, as Close does. A client of the listener
// is told connection.close with 320 and the text "CONNECTION_FORCED - " and reason. It
// fails with 404 if there is no session with this ID.
func (b *Broker) SessionClose(id, reason string) error { panic("TODO") }

// ChannelClose closes a channel from outside. A client of the listener is told
// channel.close with 320 and the text "CONNECTION_FORCED - " and reason; who uses the
// channel in this program gets an [ErrClosed] that is also an [*Error] with 320. It
// fails with 404 if there is no such session or channel.
func (b *Broker) ChannelClose(session string, number uint64, reason string) error { panic("TODO") }

// ConsumerCancel ends a consumer from outside, as the deletion of its queue does: a
// client of the listener is told basic.cancel, and readers in this program get
// [ErrConsumerCancelled]. Unsettled messages stay with the channel. It fails with 404 if
// there is no such session, channel or consumer.
func (b *Broker) ConsumerCancel(session string, channel uint64, tag string) error { panic("TODO") }
