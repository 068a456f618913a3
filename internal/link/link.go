// Package link is what the listener needs of the broker beyond its public API:
// messages whose properties stay encoded, and deliveries that go straight to a
// connection's buffer, with no goroutine between.
package link

import (
	"context"

	"github.com/warrenmq/warren/internal/wire"
)

// ChannelPort is where the listener finds the Channel of a *warren.Channel,
// which embeds it. In this package the method is in no user's way.
type ChannelPort struct{ channel Channel }

// NewChannelPort makes the port of c.
func NewChannelPort(c Channel) ChannelPort { return ChannelPort{c} }

// Link is the channel as a connection uses it.
func (p *ChannelPort) Link() Channel { return p.channel }

// SessionPort is a ChannelPort for sessions.
type SessionPort struct{ session Session }

// NewSessionPort makes the port of s.
func NewSessionPort(s Session) SessionPort { return SessionPort{s} }

// Link is the session as a connection uses it.
func (p *SessionPort) Link() Session { return p.session }

// Channel is a channel of the broker as a connection uses it.
type Channel interface {
	// Publish is basic.publish. The message keeps Properties and Body; Exchange
	// and RoutingKey need only last until it returns. The number is that of
	// the publish in confirm mode, from 1, and zero if there is none to answer.
	// nacked means that a queue could not keep the message.
	Publish(ctx context.Context, p *Publish) (number uint64, nacked bool, err error)
	// Consume is basic.consume. The sink gets what Consuming says first.
	Consume(c *Consume, sink Sink) error
	// Get is basic.get. The sink's Got is called, or ok is false.
	Get(queue string, noAck bool, sink Sink) (ok bool, err error)
	// Recover is basic.recover. It calls done when the messages are back in their
	// queues, and before the channel's consumers get any of them.
	Recover(requeue bool, done func()) error
	// Stall keeps deliveries back, or lets them go on: the connection's buffer
	// is full, or has room again. It may be called by a Sink to keep them back.
	Stall(stalled bool)
	// Ended has f called, with no lock held, after the broker has closed the
	// channel by itself, with the error that the client is told; number is the
	// client's for the channel.
	Ended(number uint16, f func(err error))
	// MaxMessageSize is the largest body that Publish takes.
	MaxMessageSize() int
	// Returned gives the properties of a message that was not taken as they
	// travel. Its argument is the *warren.Return.
	Returned(err error) wire.RawProperties
}

// Session is a session of the broker as a connection uses it.
type Session interface {
	// Ended has f called, with no lock held, when the session is closed, with
	// the reason that a client is told.
	Ended(f func(reason string))
}

// Publish is a message from a client.
type Publish struct {
	Exchange, RoutingKey []byte
	Mandatory, Immediate bool
	User                 string             // who is logged in
	Waits                func()             // called, with no lock held, if the message must wait for memory
	Properties           wire.RawProperties // checked; nil if none is set
	Body                 []byte
}

// Consume are the arguments of basic.consume.
type Consume struct {
	Queue, Tag       string
	NoAck, Exclusive bool
	Arguments        wire.Table
}

// Sink takes a channel's messages. Its methods are called with locks of the
// broker held: they must not block and must not call the broker.
type Sink interface {
	// Consuming says that the consumer is accepted. No delivery comes before.
	Consuming(tag string)
	// Deliver takes a delivery of a consumer.
	Deliver(d Delivery)
	// Got takes the delivery of Get; left is how many messages stay ready.
	Got(d Delivery, left int)
	// Cancelled says that the broker has cancelled a consumer.
	Cancelled(tag string)
}

// Delivery is a message on its way to a client.
type Delivery struct {
	ConsumerTag string
	Tag         uint64
	Redelivered bool
	Reply       bool // by direct reply-to: no queue would keep it
	Exchange    string
	RoutingKey  string
	Properties  Properties // nil if none is set
	Body        []byte
}

// Properties append themselves as they travel.
type Properties interface {
	AppendTo(b []byte) []byte
}
