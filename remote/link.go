package remote

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/warrenmq/warren"
)

// Local is a broker in this process: a [*warren.Broker] or a [*warren.VirtualHost].
type Local interface {
	warren.Caller
	warren.StreamCaller
	warren.StreamResponder
	Channel() (*warren.Channel, error)
}

var (
	_ Local = (*warren.Broker)(nil)
	_ Local = (*warren.VirtualHost)(nil)
)

// LinkOptions say how [Link] connects and what passes the link.
type LinkOptions struct {
	Options

	// Pull moves messages from elsewhere to here, Push from here to elsewhere.
	Pull, Push []LinkRule
	// Import are queues of handlers elsewhere that can be called here, Export queues of
	// handlers here that can be called elsewhere. The link serves a queue of the same name
	// on the other side: calls, streams, errors and deadlines pass it. If there is no such
	// handler, a caller gets [warren.ErrBusy]. When a caller gives up, the handler knows as
	// early as with [Dial].
	Import, Export []string

	// Name is the name of the broker here in [PassedHeader]. All links of a broker must
	// use the same. Empty: the broker has one, which is new whenever it is made.
	Name string
	// Elsewhere is the name of the broker elsewhere. Empty: what it says of itself, or
	// its address in the first URL.
	Elsewhere string
}

// LinkRule moves messages from a queue to the other side, where each is published with
// the properties and the body that it had. It is acknowledged when the other side has
// confirmed it: so none is lost, and when the link or one side dies, some may come
// twice.
type LinkRule struct {
	// Queue is where the messages come from. It is declared, durable, if there is none.
	Queue string
	// Exchange and Key: Queue is bound to the exchange with this binding key, so that what
	// is published there waits in Queue for the link. The exchange is declared, a durable
	// topic exchange, if there is none. Empty: Queue is as it is.
	Exchange, Key string
	// ToQueue is where they go. It is declared, durable, if there is none. If it is deleted
	// later, the messages stay where they are until the link has declared it again.
	ToQueue string
	// ToExchange is where they go if ToQueue is empty, with their routing keys. It is
	// declared, a durable topic exchange, if there is none. What it does not route is
	// dropped, as always. If both are empty, they go to the exchange of the name of
	// Exchange, or without Exchange to the queue of the name of Queue.
	ToExchange string
	// Prefetch is how many messages are on their way at the same time. Zero: 100.
	Prefetch int
	// RejectLoops rejects a message that has gone round in a loop, so that it goes where
	// the dead letters of Queue go. Otherwise it is dropped.
	RejectLoops bool
}

// Linked is a link between a broker here and one elsewhere, see [Link].
type Linked struct {
	local   Local
	options LinkOptions
	urls    []string
	here    string    // the name of the broker here
	brokers []*Broker // the connections
	workers []*linkWorker

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	reading context.Context // ends with Shutdown
	stop    context.CancelFunc
	gone    sync.WaitGroup
}

// Link connects a broker in this process with one elsewhere: messages and calls pass in
// both directions, as the options say. It connects as [Dial] does, and works until it is
// closed; what fails later begins again after a wait, see [Options].Delay.
//
// It fails if no broker of urls answers, or if one of the rules cannot begin. Close the
// link before the broker in this process.
func Link(ctx context.Context, local Local, urls []string, options LinkOptions) (*Linked, error) {
	options.Options = options.withDefaults()
	l := &Linked{local: local, options: options, urls: urls}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.reading, l.stop = context.WithCancel(l.ctx)
	err := l.begin(ctx)
	for _, w := range l.workers {
		if err == nil {
			err = w.awaitBegin(ctx)
		}
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// begin connects and begins all rules.
func (l *Linked) begin(ctx context.Context) error {
	o := &l.options
	ch, err := l.local.Channel()
	if err != nil {
		return err
	}
	l.here = cmp.Or(o.Name, ch.Link().Identity())
	ch.Close()
	if len(o.Pull) > 0 {
		// A broker may block a connection that publishes. One that only consumes goes on.
		b, err := l.dial(ctx)
		if err != nil {
			return err
		}
		for _, r := range o.Pull {
			m := &mover{linkWorker: l.worker(LinkPull, r.Queue), rule: r.withDefaults(), far: b}
			m.begin(m.work)
		}
	}
	if len(o.Push)+len(o.Import)+len(o.Export) == 0 {
		return nil
	}
	b, err := l.dial(ctx)
	if err != nil {
		return err
	}
	for _, r := range o.Push {
		m := &mover{linkWorker: l.worker(LinkPush, r.Queue), rule: r.withDefaults(), far: b}
		m.begin(m.work)
	}
	for _, q := range o.Import {
		c := &forwarder{linkWorker: l.worker(LinkImport, q), far: b, from: l.local, to: b}
		c.begin(c.work)
	}
	for _, q := range o.Export {
		c := &forwarder{linkWorker: l.worker(LinkExport, q), far: b, from: b, to: l.local}
		c.begin(c.work)
	}
	return nil
}

func (l *Linked) dial(ctx context.Context) (*Broker, error) {
	b, err := Dial(ctx, l.urls, &l.options.Options)
	if err == nil {
		l.brokers = append(l.brokers, b)
	}
	return b, err
}

// Close ends the link at once. Messages on their way come again, to the next link. Calls
// on their way fail.
func (l *Linked) Close() error {
	l.cancel()
	var errs []error
	for _, b := range l.brokers {
		errs = append(errs, b.Close())
	}
	l.gone.Wait()
	return errors.Join(errs...)
}

// Shutdown takes nothing more, waits until all that is on its way has arrived, and closes
// the link. If ctx ends first, it closes the link and returns ctx's error.
func (l *Linked) Shutdown(ctx context.Context) error {
	l.stop()
	arrived := make(chan struct{})
	go func() {
		l.gone.Wait()
		close(arrived)
	}()
	var errs []error
	select {
	case <-arrived:
		for _, b := range l.brokers {
			errs = append(errs, b.Shutdown(ctx))
		}
	case <-ctx.Done():
		errs = append(errs, ctx.Err())
	}
	errs = append(errs, l.Close())
	<-arrived
	return errors.Join(errs...)
}
