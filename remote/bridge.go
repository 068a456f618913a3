package remote

import (
	"context"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/link"
)

// bridge is a connection to the broker elsewhere. Messages cross it in both directions,
// and their addresses change on the way: over there all that is here has one address, and
// the correlation id tells who is meant.
type bridge struct {
	broker  *Broker
	conn    *amqp091.Connection
	ch      *amqp091.Channel        // of requests, answers and items
	answers <-chan amqp091.Delivery // what comes to the bridge's address
	asks    *side                   // where callers are: servers elsewhere have its address
	serves  *side                   // where handlers are: callers elsewhere have its address
	user    string                  // that it has logged in as; empty: not known
	ctx     context.Context         // ends with the bridge
	cancel  context.CancelFunc

	// What amqp091-go tells. It is heard from before the first request on.
	closed   <-chan *amqp091.Error // the connection
	chClosed <-chan *amqp091.Error // ch
	returns  <-chan amqp091.Return
	said     <-chan amqp091.Blocking

	topology topology
	outlets  [outlets]outlet

	immediate bool // the broker elsewhere knows immediate

	mu sync.Mutex
	// Guarded by mu.
	asked   map[string]*talk // requests of callers here, by the correlation id over there
	callers map[string]*talk // the same, by the caller's address
	served  map[string]*talk // requests that are served here, by the correlation id here
	byThere map[end]*talk    // the same, by the other end
	young   []*talk          // requests that are served here whose callers may cancel and do not know whom to tell
	number  uint64
	blocked *flow // nil: the broker takes messages
	lost    error // why the bridge has ended
}

// talk is a request with its answers, or a stream.
type talk struct {
	began       time.Time
	stream      bool
	deadline    time.Time // of the caller here; zero: none
	answered    bool
	over        bool   // the caller of a stream has gone
	exchange    string // that a request went to
	here, there end
	fail        func(error) // of a caller here
	cancel      func()      // of a handler here: the requester has gone
}

// end is how one end of a talk is spoken to. A handler of a plain request has no address.
type end struct{ address, correlation string }

// newBridge opens what a bridge needs on both sides.
func newBridge(b *Broker, conn *amqp091.Connection, user string) (*bridge, error) {
	br := &bridge{
		broker: b, conn: conn, user: user,
		immediate: conn.Properties["product"] != "RabbitMQ", // which closes the connection
		asked:     make(map[string]*talk), callers: make(map[string]*talk),
		served: make(map[string]*talk), byThere: make(map[end]*talk),
		topology: topology{turn: make(chan struct{}, 1)}, outlets: newOutlets(),
	}
	br.ctx, br.cancel = context.WithCancel(context.Background())
	br.closed = conn.NotifyClose(make(chan *amqp091.Error, 1))
	br.said = conn.NotifyBlocked(make(chan amqp091.Blocking, 10))
	var err error
	if br.ch, err = conn.Channel(); err != nil {
		return nil, err
	}
	br.chClosed = br.ch.NotifyClose(make(chan *amqp091.Error, 1))
	br.returns = br.ch.NotifyReturn(make(chan amqp091.Return, 100))
	if br.asks, err = newSide(br, b.local); err != nil {
		return nil, err
	}
	if br.serves, err = newSide(br, b.handled); err != nil {
		return nil, err
	}
	br.answers, err = br.ch.Consume(replyTo, "", true, false, false, false, nil)
	return br, err
}

// run passes messages on until the connection ends.
func (br *bridge) run(ctx context.Context) error {
	var pumps sync.WaitGroup
	pumps.Go(func() {
		for d := range br.answers {
			br.answered(&d)
		}
	})
	pumps.Go(func() {
		for r := range br.returns {
			br.returned(&r)
		}
	})
	pumps.Go(br.watch)
	pumps.Go(func() { br.hear(br.said) })
	pumps.Go(br.asks.run)
	pumps.Go(br.serves.run)
	var reason error = ErrConnectionLost
	select {
	case e := <-br.closed:
		if e != nil {
			reason = e
		}
	case e := <-br.chClosed:
		if e != nil {
			reason = e
		}
	case <-ctx.Done():
	}
	br.conn.Close()
	br.end(reason)
	pumps.Wait()
	return reason
}

// end fails what is in flight.
func (br *bridge) end(reason error) {
	br.mu.Lock()
	br.lost = reason
	asked, served := br.asked, br.served
	br.asked, br.callers, br.served, br.byThere, br.young = nil, nil, nil, nil, nil
	br.mu.Unlock()
	br.cancel()
	for _, t := range asked {
		t.fail(lostError{reason})
	}
	for _, t := range served {
		if t.there.address != "" {
			t.cancel() // another handler gets the request
		}
	}
	br.asks.close()
	br.serves.close()
}

// lostError is ErrConnectionLost with its reason.
type lostError struct{ reason error }

func (e lostError) Error() string {
	if e.reason == ErrConnectionLost { // nobody has said why
		return e.reason.Error()
	}
	return ErrConnectionLost.Error() + ": " + e.reason.Error()
}
func (e lostError) Unwrap() []error { return []error{ErrConnectionLost, e.reason} }

var _ link.Sink = (*side)(nil)
