// Package link has what the listener needs of the broker beyond its public API:
// messages whose properties stay encoded, and deliveries that go directly to a
// connection's buffer, without a goroutine.
package link

import (
	"context"

	"github.com/warrenmq/warren/internal/flow"
	"github.com/warrenmq/warren/internal/like"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// BrokerPort is like ChannelPort, for a *warren.Broker.
type BrokerPort struct{ broker Broker }

// NewBrokerPort makes a port for b.
func NewBrokerPort(b Broker) BrokerPort { return BrokerPort{b} }

// Link returns the broker.
func (p *BrokerPort) Link() Broker { return p.broker }

// ChannelPort gives the listener the Channel of a *warren.Channel, which embeds it.
// Users cannot use it, because its types are in an internal package.
type ChannelPort struct{ channel Channel }

// NewChannelPort makes a port for c.
func NewChannelPort(c Channel) ChannelPort { return ChannelPort{c} }

// Link returns the channel.
func (p *ChannelPort) Link() Channel { return p.channel }

// SessionPort is like ChannelPort, for a *warren.Session.
type SessionPort struct{ session Session }

// NewSessionPort makes a port for s.
func NewSessionPort(s Session) SessionPort { return SessionPort{s} }

// Link returns the session.
func (p *SessionPort) Link() Session { return p.session }

// Broker is the broker as the listener uses it.
type Broker interface {
	// Like returns the rules in which the broker is like another one.
	Like() *like.Rules
	// Identity is a name that no other broker has. It is made at random.
	Identity() string
	// Buffers is what the buffers of all connections hold together.
	Buffers() *Buffers
	// Authenticate checks a user's password. Where that takes long, origins, such as
	// addresses, take turns; the wait ends with ctx.
	Authenticate(ctx context.Context, name, password, origin string) error
	// CountLogin counts a login, which need not have been by password.
	CountLogin(accepted bool)
	// GoElsewhere makes all requests of a virtual host go to another broker. It is called
	// before the virtual host is used.
	GoElsewhere(vhost string, to Elsewhere)
	// ComeFromElsewhere notes that the requests of a virtual host come from another broker,
	// which alone knows the requesters. It is called before the virtual host is used.
	ComeFromElsewhere(vhost string)
	// RaiseAlarm holds publishers back as if memory or the disk were short, until clear is
	// called. It is for tests.
	RaiseAlarm(r Resource) (clear func())
}

// Elsewhere is another broker, which the requests of a virtual host go to.
type Elsewhere interface {
	// Send sends a request: an entry with a local reply address as ReplyTo, to which
	// answers are published. It waits for a connection until ctx ends. What happens
	// to the request later than that is told by fail, at most once.
	Send(ctx context.Context, e *message.Entry, immediate bool, fail func(error)) error
	// Forget says that nobody waits for answers at a local address any more.
	Forget(address string)
	Far
}

// CancelKey is the key of a context.CancelFunc in a handler's context, which ends that.
// Who passes the items of a caller on can so end its wait for more of them.
type CancelKey struct{}

// Channel is a channel of the broker as a connection uses it.
type Channel interface {
	// Publish is basic.publish of a message that the connection has counted, by its
	// account or by Admit. The broker keeps Properties and Body; Exchange and
	// RoutingKey may change after Publish returns.
	Publish(ctx context.Context, p *Publish) (Answer, error)
	// Commit is tx.commit that does not wait for the disk. If synced is not zero,
	// commit-ok is due when this record is on disk: see Await.
	Commit() (synced uint64, err error)
	// Await lets the client's Answered be called when a record is on disk, perhaps at
	// once. The number is that of a publish, or zero for a commit.
	Await(synced, number uint64)
	// Awaits reports whether Answered is still to be called. If not, all of its calls
	// have returned.
	Awaits() bool
	// Admit waits until there is memory for size bytes of a message that begins, and
	// counts them. Reader is the connection's account, of which Take has failed. It
	// fails if the connection must not wait, because it has begun other messages.
	Admit(ctx context.Context, p *Publish, size int64, reader *Account) error
	// Consume is basic.consume. It calls the sink's Consuming before the first
	// Deliver.
	Consume(c *Consume, sink Sink) error
	// Get is basic.get. It calls the sink's Got. Ok is false if the queue is empty;
	// then Got is not called.
	Get(queue string, noAck bool, sink Sink) (ok bool, err error)
	// Recover is basic.recover. It calls done when the messages are back in their
	// queues, before the channel's consumers get any of them. Without requeue it calls
	// wait now and then, with no lock held, to let the connection make room.
	Recover(requeue bool, done, wait func()) error
	// Join makes the channel's deliveries share the room in the connection's buffer. It
	// is called first.
	Join(room *flow.Connection)
	// Serve sets the client. It is called before anything that the client is told of.
	// Number is the channel's number there.
	Serve(number uint16, c Client)
	// Identity is the name of the channel's virtual host, with that of its broker.
	Identity() string
	// ReplyAddress returns the address of the channel's reply consumer; empty: it has none.
	ReplyAddress() string
	// Answer gives an answer to the call that waits for one at an address. It reports false
	// if none does: somebody else may have the address.
	Answer(address string, p *message.Properties) bool
	// MaxMessageSize returns the size of the largest body that Publish takes, in
	// bytes.
	MaxMessageSize() int
	// Returned returns the encoded properties of a message that was returned. Err is
	// a *warren.Return.
	Returned(err error) wire.RawProperties
}

// Answer is what the broker says to a publish.
type Answer struct {
	Number uint64 // of the publish in confirm mode, from 1; zero: there is nothing to confirm
	Synced uint64 // an ack has to wait for this record: see Channel.Await; zero: for nothing
	Nacked bool   // a queue could not keep the message
}

// Client is a channel at the client.
type Client interface {
	// Ended is called, with no lock held, after the broker has closed the channel by
	// itself. Err is for the client.
	Ended(err error)
	// Answered is the answer to successive publishes, or to a commit, after Await: nil
	// if they are on disk. All that were given to Await before have been answered. It
	// is called with a lock of the broker held: it must not block and must not call
	// the broker. It is not called after the channel has been closed.
	Answered(first, last uint64, err error)
}

// Session is a session of the broker as a connection uses it.
type Session interface {
	// Ended sets a function that is called, with no lock held, when the session is
	// closed. The reason is for the client.
	Ended(f func(reason string))
	// Account opens an account for what the connection's reader holds: messages of
	// which it has received a part. The connection calls End.
	Account(a *Account)
	// Waits sets what happens while a method on a channel waits for the disk: it gives up
	// when ctx ends, and calls waits when it lasts long, and again with an empty text. It
	// is called before a channel is opened.
	Waits(ctx context.Context, waits func(why string))
	// Reserve takes bytes of memory for the connection, until the session ends. It
	// fails if there is not so much left.
	Reserve(bytes int64) error
}

// Resource is what an alarm is about: memory.Memory or memory.Disk.
type Resource = memory.Resource

// Account counts against the broker's memory limit.
type Account = memory.Account

// Buffers is what buffers of connections share.
type Buffers = memory.Buffers

// Publish is a message from a client.
type Publish struct {
	Exchange, RoutingKey []byte
	Key                  string // instead of RoutingKey
	Mandatory, Immediate bool
	User                 string             // user that is logged in
	Waits                func(why string)   // called, with no lock held, before a wait, and with an empty text after it
	Properties           wire.RawProperties // checked; nil if none is set
	Body                 []byte
	Content              message.Content // instead of Properties: taken as it is, nothing is checked or replaced
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
	// Consuming says that the consumer is accepted. It is called before the first
	// Deliver.
	Consuming(tag string)
	// Deliver takes a delivery to a consumer.
	Deliver(d Delivery)
	// Got takes the delivery of Get. Left is how many messages stay ready.
	Got(d Delivery, left int)
	// Cancelled says that the broker has cancelled a consumer.
	Cancelled(tag string)
}

// Delivery is a message on its way to a client.
type Delivery struct {
	ConsumerTag string
	Tag         uint64
	Redelivered bool
	Reply       bool // by direct reply-to: no queue keeps it
	Exchange    string
	RoutingKey  string
	Properties  Properties // nil if none is set
	Body        []byte
}

// Properties are the properties of a delivery.
type Properties interface {
	// AppendTo appends the encoded properties to b.
	AppendTo(b []byte) []byte
}

// Cost returns what a message from a client counts against the memory limit at most
// while it is received: its body, and other octets such as its properties.
func Cost(body uint64, other int) int64 { return message.CostOf(int(body), other) }
