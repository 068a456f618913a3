package link

import (
	"context"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// Far is another broker as publishes and subscriptions use it. Its methods wait for a
// connection until ctx ends. What the other broker refuses fails with a *warren.Error.
type Far interface {
	// Publish publishes a message and waits for the confirm. A message that nothing has
	// taken fails with a *warren.Return, without its Message.
	Publish(ctx context.Context, p *Outgoing) error
	// QueueDeclare is queue.declare.
	QueueDeclare(ctx context.Context, q *QueueDeclare) error
	// QueueBind is queue.bind.
	QueueBind(ctx context.Context, queue, key, exchange string, args wire.Table) error
	// ExchangeDeclare is exchange.declare.
	ExchangeDeclare(ctx context.Context, x *ExchangeDeclare) error
	// Consume reads a queue until s.Ended is closed, from one connection after the
	// other. It returns when the first consumer has begun. If it fails, it reads nothing.
	// In either case it closes s.Over.
	Consume(ctx context.Context, s *Source) error
}

// Outgoing is a message for another broker.
type Outgoing struct {
	Exchange, RoutingKey string
	Mandatory, Immediate bool
	*message.Properties  // checked, with the body
}

// QueueDeclare are the arguments of queue.declare.
type QueueDeclare struct {
	Name                                    string
	Passive, Durable, Exclusive, AutoDelete bool
	Arguments                               wire.Table
}

// ExchangeDeclare are the arguments of exchange.declare.
type ExchangeDeclare struct {
	Name, Kind                             string
	Passive, Durable, AutoDelete, Internal bool
	Arguments                              wire.Table
}

// Source is a queue of another broker that is read for a function here.
type Source struct {
	Queue    string
	Prefetch int  // zero: no limit
	Own      bool // the queue is exclusive, and ends with the source

	// Declare declares what the source needs. It is called for each connection before the
	// queue is read. The queue may be exclusive: all is declared on the connection that
	// reads it, unless that is lost meanwhile.
	Declare func(ctx context.Context) error
	// Deliver takes a message.
	Deliver func(a *Arrival)
	// Withdraw gives up what was delivered, as far as the function has not begun it.
	Withdraw func()
	// Deleted says that the queue was deleted: there is no more to read.
	Deleted func()

	Stopping <-chan struct{} // closed: no more is wanted, and the function may still run
	Ended    chan struct{}   // closed by the reader of the messages: the function does not run any more
	Over     chan struct{}   // closed by the other broker: what became of each message was told
}

// Arrival is a message of a queue of another broker, which keeps it until it is settled.
type Arrival struct {
	Exchange, RoutingKey string
	Redelivered          bool
	*message.Properties                     // with the body
	Settle               func(message.Fate) // see message.Forwarded
	// Gone ends when the message cannot be settled any more, because it is in its queue
	// again.
	Gone context.Context
}
