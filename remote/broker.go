package remote

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// Errors of calls and handlers of a Broker.
var (
	// ErrConnection: there is no connection. Nobody has got the request.
	ErrConnection = errors.New("remote: not connected")
	// ErrConnectionLost: the connection was lost after the request had been sent. It may
	// have been served or not.
	ErrConnectionLost = errors.New("remote: the connection was lost")
)

// served is the virtual host of the local broker in which handlers are.
const served = "served"

// Broker is a broker elsewhere. Calls and handlers run in a broker in this process that
// has no queues for requests: those go out by a bridge, which is a connection, and what
// comes in goes to the handlers. Events and jobs go the same way; what a subscription has
// got from the broker elsewhere waits here in a queue of its own.
type Broker struct {
	urls    []string
	options Options
	local   *warren.Broker
	handled *warren.VirtualHost // has the handlers
	ctx     context.Context     // ends with Close
	cancel  context.CancelFunc
	gone    sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	bridge  *bridge       // nil: there is no connection
	changed chan struct{} // closed when bridge changes
	err     error         // why there is no connection
}

// Dial connects to the first broker of urls that answers, and again, to any of them, when
// the connection is lost. It fails if none answers.
func Dial(ctx context.Context, urls []string, options *Options) (*Broker, error) {
	if len(urls) == 0 {
		return nil, errors.New("remote: no URL of a broker")
	}
	o := options.withDefaults()
	b := &Broker{
		urls: urls, options: o, changed: make(chan struct{}),
		local: warren.New(&warren.Options{Logger: o.Logger, Intercept: o.Intercept, Tracer: o.Tracer}),
	}
	var err error
	if b.handled, err = b.local.VirtualHostDeclare(served); err != nil {
		return nil, err
	}
	b.local.Link().ComeFromElsewhere(served)
	b.local.Link().GoElsewhere(warren.DefaultVirtualHost, (*outgoing)(b))
	b.ctx, b.cancel = context.WithCancel(context.Background())
	first, err := b.dialAny(ctx)
	if err != nil {
		b.cancel()
		b.local.Close()
		return nil, err
	}
	b.gone.Go(func() { b.run(first) })
	b.setBridge(first, nil)
	return b, nil
}

// Close ends the connection. Calls in flight fail with [warren.ErrClosed]; requests that
// are being served come again to other handlers.
func (b *Broker) Close() error {
	b.cancel()
	err := b.local.Close()
	b.gone.Wait()
	return err
}

// dialAny tries each URL once.
func (b *Broker) dialAny(ctx context.Context) (*bridge, error) {
	var errs []error
	for _, url := range b.urls {
		if err := ctx.Err(); err != nil {
			return nil, errors.Join(append(errs, err)...)
		}
		conn, err := amqp091.DialConfig(url, amqp091.Config{Heartbeat: b.options.Heartbeat, Dial: b.options.Dial})
		if err == nil {
			var br *bridge
			if br, err = newBridge(b, conn, userOf(url)); err == nil {
				return br, nil
			}
			conn.Close()
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// userOf is the name that a URL logs in with.
func userOf(url string) string {
	u, err := amqp091.ParseURI(url)
	if err != nil {
		return ""
	}
	return u.Username
}

// run connects again whenever the connection is lost.
func (b *Broker) run(br *bridge) {
	for {
		reason := br.run(b.ctx)
		if b.ctx.Err() != nil {
			return
		}
		b.options.Logger.Warn("the connection to the broker was lost", "error", reason)
		b.setBridge(nil, reason)
		for delay := b.options.Delay; ; delay = min(2*delay, b.options.MaxDelay) {
			select {
			case <-time.After(delay):
			case <-b.ctx.Done():
				return
			}
			var err error
			if br, err = b.dialAny(b.ctx); err == nil {
				break
			}
			b.options.Logger.Warn("no broker answers", "error", err)
			b.setBridge(nil, err)
		}
		b.options.Logger.Info("connected to the broker again")
		b.setBridge(br, nil)
	}
}

// setBridge notes that there is a connection, or why there is none. Handlers serve the
// new one.
func (b *Broker) setBridge(br *bridge, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bridge, b.err = br, err
	close(b.changed)
	b.changed = make(chan struct{})
}

// connected returns the bridge. It waits for one until ctx ends.
func (b *Broker) connected(ctx context.Context) (*bridge, error) {
	for {
		b.mu.Lock()
		br, changed, err := b.bridge, b.changed, b.err
		b.mu.Unlock()
		if br != nil {
			return br, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), ErrConnection, err)
		case <-b.ctx.Done():
			return nil, warren.ErrClosed
		}
	}
}

// Call is [warren.Broker.Call] of a handler elsewhere.
func (b *Broker) Call(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
	return b.local.Call(ctx, queue, msg, opts...)
}

// CallStream is [warren.Broker.CallStream] of a handler elsewhere.
func (b *Broker) CallStream(ctx context.Context, queue string, msg warren.Message, in iter.Seq2[warren.Message, error], opts ...warren.CallOptions) iter.Seq2[warren.Message, error] {
	return b.local.CallStream(ctx, queue, msg, in, opts...)
}
