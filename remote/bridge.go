package remote

import (
	"context"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
)

// bridge is a connection to the broker elsewhere. Messages cross it in both directions,
// and their addresses change on the way: over there all callers that are here have one
// address, and all handlers another, and the correlation id tells who is meant. With one
// address for both, a handler could not be told from its caller if both are here.
type bridge struct {
	broker   *Broker
	conn     *amqp091.Connection
	gatherer *gatherer
	ch       *amqp091.Channel        // of requests, and what else callers here say
	back     *amqp091.Channel        // of what handlers here answer
	answers  <-chan amqp091.Delivery // what comes to the callers' address
	words    <-chan amqp091.Delivery // what comes to the handlers' address
	returns  <-chan amqp091.Return   // requests that no queue has taken

	// Why it has ended, and whether the broker takes messages. All are closed with the
	// connection.
	closed, channelClosed, backClosed <-chan *amqp091.Error
	blockings                         <-chan amqp091.Blocking

	asks   *side  // where callers are: servers elsewhere have its address
	serves *side  // where handlers are: callers elsewhere have its address
	user   string // that it has logged in as; empty: not known

	rabbit      bool // the broker elsewhere is RabbitMQ: it does not know immediate, and see maxUnseen
	durableOnly bool // it takes only queues that are durable or exclusive

	missing []declaration   // owned by newBridge, and then by run
	ended   chan struct{}   // closed by the first end
	ctx     context.Context // ends then
	cancel  context.CancelFunc
	sending chan struct{} // has room for one: who has put something in sends a request

	topology topology
	outlets  [outlets]outlet

	mu sync.Mutex
	// Guarded by mu.
	asked   map[string]*talk // requests of callers here, by the correlation id over there
	callers map[string]*talk // the same, by the caller's address
	served  map[string]*talk // requests that are served here, by the correlation id here
	streams map[end]*talk    // those of served that ask for a stream, by the other end
	greets  bool             // before long somebody tells callers who serves them
	number  uint64

	answering int           // requests that were answered, and not yet acknowledged
	quiet     chan struct{} // closed when there are none, and no more to come; nil: there may be

	lost error // what calls fail with, since the bridge has ended; does not change any more
}

// talk is a request with its answers, or a stream.
type talk struct {
	began   time.Time
	stream  bool
	request request      // of a caller here
	context *lateContext // of a handler here: ends when the requester has gone

	// Guarded by the bridge's mu.
	here, there end
	unknown     bool // the caller elsewhere would like to know who serves it
	answered    bool
	sent        bool   // it may be served. Before, who sends tells the caller
	at          uint64 // octets that were to be written before: see gatherer
	over        bool   // the caller of a stream has gone
	looks       int    // at the queue
	misses      int    // of these, the last that have found nobody who serves it
	unseen      int    // of these, the last that have found it empty, while nobody is known to serve the request
}

// request is the request of a caller here.
type request struct {
	ctx       context.Context
	entry     *message.Entry
	immediate bool
	durable   bool        // it waits for a handler as long as its queue is there
	fail      func(error) // ends the call
}

// queue is the queue that the request is called by; empty: it goes to an exchange.
func (r *request) queue() string {
	if *r.entry.Exchange != "" {
		return ""
	}
	return r.entry.Key
}

// isLate reports whether the caller's time is over, which the handler knows, too.
func (r *request) isLate() bool {
	d, ok := r.ctx.Deadline()
	return ok && !time.Now().Before(d)
}

// end is how one end of a talk is spoken to. A handler of a plain request has no address.
type end struct{ address, correlation string }

// newBridge opens what a bridge needs on both sides.
func newBridge(b *Broker, conn *amqp091.Connection, g *gatherer, user string) (*bridge, error) {
	br := &bridge{
		broker: b, conn: conn, gatherer: g, user: user, ended: make(chan struct{}), sending: make(chan struct{}, 1),
		rabbit:      isRabbitMQ(conn.Properties),
		durableOnly: isDurableOnly(conn.Properties),
		asked:       make(map[string]*talk), callers: make(map[string]*talk),
		served: make(map[string]*talk), streams: make(map[end]*talk),
		topology: topology{turn: make(chan struct{}, 1)}, outlets: newOutlets(),
	}
	br.ctx, br.cancel = context.WithCancel(context.Background())
	br.closed = conn.NotifyClose(make(chan *amqp091.Error, 1))
	br.blockings = conn.NotifyBlocked(make(chan amqp091.Blocking, 8))
	var err error
	if br.ch, err = conn.Channel(); err != nil {
		return nil, err
	}
	br.channelClosed = br.ch.NotifyClose(make(chan *amqp091.Error, 1))
	br.returns = br.ch.NotifyReturn(make(chan amqp091.Return, 100))
	if br.back, err = conn.Channel(); err != nil {
		return nil, err
	}
	br.backClosed = br.back.NotifyClose(make(chan *amqp091.Error, 1))
	if br.asks, err = newSide(br, b.local); err != nil {
		return nil, err
	}
	if br.serves, err = newSide(br, b.handled); err != nil {
		br.asks.close()
		return nil, err
	}
	if br.answers, err = br.ch.Consume(replyTo, "", true, false, false, false, nil); err != nil {
		br.end(err)
		return nil, err
	}
	if br.words, err = br.back.Consume(replyTo, "", true, false, false, false, nil); err != nil {
		br.end(err)
		return nil, err
	}
	br.missing = br.declareAgain(b.ctx, b.declared.noted(""))
	return br, nil
}

// How long the broker elsewhere may take to answer connection.close.
const (
	closeTimeout        = 5 * time.Second
	blockedCloseTimeout = 500 * time.Millisecond // it does not read
)

// run passes messages on until the connection ends.
func (br *bridge) run(ctx context.Context) error {
	var pumps sync.WaitGroup
	pumps.Go(func() {
		for d := range br.answers {
			br.answered(&d)
		}
	})
	pumps.Go(func() {
		for d := range br.words {
			br.told(&d)
		}
	})
	pumps.Go(func() {
		for r := range br.returns {
			br.returned(&r)
		}
	})
	pumps.Go(br.watch)
	pumps.Go(br.lookout)
	pumps.Go(br.asks.run)
	pumps.Go(br.serves.run)
	missingCtx, cancel := context.WithCancel(ctx)
	pumps.Go(func() { br.declareMissing(missingCtx) })
	var reason error = ErrConnectionLost
	select {
	case e := <-br.closed:
		if e != nil {
			reason = e
		}
	case e := <-br.channelClosed:
		if e != nil {
			reason = e
		}
	case e := <-br.backClosed:
		if e != nil {
			reason = e
		}
	case <-br.ended:
		reason = br.reason()
	case <-ctx.Done():
		reason = warren.ErrClosed
	}
	cancel()
	br.noteLimits(reason)
	timeout := closeTimeout
	if br.broker.State().Kind == Blocked {
		timeout = blockedCloseTimeout
	}
	br.conn.CloseDeadline(time.Now().Add(timeout))
	br.end(reason)
	pumps.Wait()
	return reason
}

// end fails what is in flight, and lets nothing more be sent. Only the first end has an
// effect.
func (br *bridge) end(reason error) {
	br.mu.Lock()
	first := br.lost == nil
	if first {
		br.lost = reason
		if reason != warren.ErrClosed {
			br.lost = lostError{reason}
		}
	}
	sent := make(map[*talk]uint64)
	for _, t := range br.asked {
		if t.sent {
			sent[t] = t.at
		}
	}
	served := br.served
	br.asked, br.callers, br.served, br.streams = nil, nil, nil, nil
	br.mu.Unlock()
	br.cancel()
	if reason != warren.ErrClosed {
		br.gatherer.Close() // so that it is known what has gone out
	}
	for t, at := range sent {
		if err := br.checkBody(len(t.request.entry.Body)); err != nil {
			t.request.fail(err) // it may be why
			continue
		}
		if reason == warren.ErrClosed || !br.gatherer.hasNone(at) || !br.broker.start(func() { br.broker.sendAgain(t) }) {
			t.request.fail(br.lost)
		}
	}
	for _, t := range served {
		if t.there.address != "" {
			t.context.end() // another handler gets the request
		}
	}
	if first {
		close(br.ended)
		br.asks.close()
		br.serves.close()
	}
}

// isEnded reports whether nothing may be sent any more.
func (br *bridge) isEnded() bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	return br.lost != nil
}

// reason returns why the bridge has ended.
func (br *bridge) reason() error {
	br.mu.Lock()
	defer br.mu.Unlock()
	if l, ok := br.lost.(lostError); ok {
		return l.reason
	}
	return br.lost
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
