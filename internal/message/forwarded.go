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
	// Served is Settle for a handler, which calls it in its goroutine with no lock held, so
	// that it may write to the network. Nil: Settle.
	Served func(Fate)
	// Answer sends the answer to a request there, in the goroutine of the handler, with no
	// lock held. It reports false if there is no way there any more. Nil: the answer is
	// published to the request's ReplyTo, which is an address in this process.
	Answer func(Properties) bool
	// Gone ends when the message is in its queue again. Nil: it does not.
	Gone context.Context
	// Redelivered says that the other broker has delivered it before.
	Redelivered bool
}

// Lost says that the queue has lost the message.
func (f *Forwarded) Lost(int) { f.Settle(Dropped) }
