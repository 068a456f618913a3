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
	// Redelivered says that the other broker has delivered it before.
	Redelivered bool
	// Gone ends when the message is in its queue again. Nil: it does not.
	Gone context.Context
	// Origin is what is known of a request. Nil: it is no request.
	Origin *Origin
}

// Origin is what another broker knows of a request.
type Origin struct {
	Context              context.Context // ends when the requester goes away
	Exchange, RoutingKey string          // where it was published
	Requester
}

// Requester is how the handler of a request speaks to who is elsewhere. Its methods are
// called in the handler's goroutine with no lock held, so that they may write to the
// network.
type Requester interface {
	// Answer sends an answer to the requester, whose correlation id it gets. It reports
	// false if there is no way there any more.
	Answer(*Properties) bool
	// Served is Forwarded.Settle, for the handler.
	Served(Fate)
	// IsWaiting asks whether somebody still waits at the requester's address.
	IsWaiting() bool
}

// Lost says that the queue has lost the message.
func (f *Forwarded) Lost(int) { f.Settle(Dropped) }

// OriginOf returns the origin of a request of another broker, or nil.
func OriginOf(c Content) *Origin {
	if f, ok := c.(*Forwarded); ok {
		return f.Origin
	}
	return nil
}
