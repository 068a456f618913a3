package message

import "context"

// Fate is what has become of a message.
type Fate uint8

// Fates.
const (
	Acked    Fate = iota // it was served
	Rejected             // it could not be served, and is not to come again
	Dropped              // nobody has served it
)

// Forwarded is the content of a message of another broker, which keeps it until it is
// settled here.
type Forwarded struct {
	Content
	// Settle is told once. It may be called with the lock of a queue held: it must not
	// block and must not call the broker.
	Settle func(Fate)
	// Gone ends when the message is in its queue again. Nil: it does not.
	Gone context.Context
	// Redelivered says that the other broker has delivered it before.
	Redelivered bool
	// Origin is what is known of a request. Nil: nothing.
	Origin *Origin
}

// Origin is what another broker knows of a message.
type Origin struct {
	// Context ends when the requester goes away. Nil: it has the reply address, and ends
	// with that.
	Context     context.Context
	Exchange    string // where it was published
	RoutingKey  string
	Redelivered bool
	// Answer sends an answer to the requester, whose correlation id it gets. It does not
	// block.
	Answer func(p *Properties)
	// IsWaiting asks whether somebody still waits at the requester's address. It may
	// block.
	IsWaiting func() bool
}

// Lost says that the queue has lost the message.
func (f *Forwarded) Lost(int) { f.Settle(Dropped) }

// OriginOf returns the origin of a message of another broker, or nil.
func OriginOf(c Content) *Origin {
	if f, ok := c.(*Forwarded); ok {
		return f.Origin
	}
	return nil
}
