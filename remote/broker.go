package remote

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren"
)

// Errors of calls and handlers of a Broker.
var (
	// ErrConnection: there is no connection. Nobody has got the request.
	ErrConnection error = unsent("remote: not connected")
	// ErrBlocked: the context has ended while the broker took no messages, because its
	// memory or its disk is short. Nobody has got the request.
	ErrBlocked error = unsent("remote: the broker takes no messages: its memory or its disk is short")
	// ErrConnectionLost: the connection was lost after the request had been sent. It may
	// have been served or not.
	ErrConnectionLost = errors.New("remote: the connection was lost")
)

// unsent is an error of which it is known that nobody has got the message.
type unsent string

func (u unsent) Error() string { return string(u) }

// Unsent is for [warren.Repeatable].
func (unsent) Unsent() bool { return true }

// served is the virtual host of the local broker in which handlers are.
const served = "served"

// Broker is a broker elsewhere. Calls and handlers run in a broker in this process that
// has no queues for requests: those go out by a bridge, which is a connection, and what
// comes in goes to the handlers. Events and jobs go the same way; what a subscription has
// got from the broker elsewhere waits here in a queue of its own.
type Broker struct {
	urls     []string
	options  Options
	local    *warren.Broker
	handled  *warren.VirtualHost // has the handlers
	ctx      context.Context     // ends with Close
	cancel   context.CancelFunc
	gone     sync.WaitGroup // see start
	draining chan struct{}  // closed by Shutdown: handlers get nothing new
	drain    func()         // closes draining
	declared declared
	mostBody atomic.Int64 // octets of a body that the broker takes; zero: it has not said so

	mu sync.Mutex
	// Guarded by mu.
	bridge   *bridge       // nil: there is no connection
	changed  chan struct{} // closed when bridge or state changes
	closed   bool          // Close was called
	state    State
	readers  map[*stateReader]struct{}
	handlers map[*handler]struct{} // that are being served
}

// Dial connects to the first broker of urls that answers, and again, to any of them, when
// the connection is lost. It tries each URL once. If none answers, the error has a
// [*DialError] for each. ctx is for the first connection only.
func Dial(ctx context.Context, urls []string, options *Options) (*Broker, error) {
	if len(urls) == 0 {
		return nil, errors.New("remote: no URL of a broker")
	}
	o := options.withDefaults()
	b := &Broker{
		urls: slices.Clone(urls), options: o, changed: make(chan struct{}), draining: make(chan struct{}),
		readers: make(map[*stateReader]struct{}), handlers: make(map[*handler]struct{}),
		local: warren.New(&warren.Options{Logger: o.Logger, Intercept: o.Intercept, Tracer: o.Tracer}),
	}
	b.drain = sync.OnceFunc(func() { close(b.draining) })
	var err error
	if b.handled, err = b.local.VirtualHostDeclare(served); err != nil {
		return nil, err
	}
	b.local.Link().ComeFromElsewhere(served)
	b.local.Link().GoElsewhere(warren.DefaultVirtualHost, (*outgoing)(b))
	b.ctx, b.cancel = context.WithCancel(context.Background())
	first, n, err := b.dialAny(ctx, 0)
	if err != nil {
		b.cancel()
		b.local.Close()
		return nil, err
	}
	b.become(first, &State{Kind: Connected, URL: shown(urls[n])})
	b.start(func() { b.run(first, n) })
	return b, nil
}

// start runs f in a goroutine that Close waits for. It reports false if the Broker is
// closed.
func (b *Broker) start(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.gone.Go(f)
	}
	return !b.closed
}

// run connects again whenever the connection is lost. n is the number of its URL.
func (b *Broker) run(br *bridge, n int) {
	var delay time.Duration
	for {
		since := time.Now()
		reason := b.watch(br)
		if time.Since(since) > 2*delay {
			delay = 0
		}
		s := State{Kind: Lost, URL: shown(b.urls[n]), Reason: reason}
		for {
			delay = min(max(b.options.Delay, 2*delay), b.options.MaxDelay)
			s.Wait = delay - time.Duration(b.options.Jitter*rand.Float64()*float64(delay))
			if !b.become(nil, &s) {
				return
			}
			select {
			case <-time.After(s.Wait):
			case <-b.ctx.Done():
				return
			}
			var err error
			if br, n, err = b.dialAny(b.ctx, n+1); err == nil {
				break
			}
			s = State{Kind: Unreachable, Reason: err}
		}
		b.become(br, &State{Kind: Connected, URL: shown(b.urls[n])})
	}
}

// watch passes messages on until the connection ends.
func (b *Broker) watch(br *bridge) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		for w := range br.blockings {
			s := State{Kind: Unblocked}
			if w.Active {
				s = State{Kind: Blocked, Text: w.Reason}
			}
			b.become(br, &s)
		}
	})
	return br.run(b.ctx)
}

// become notes a state, and the bridge to use in it; nil: there is none. It reports false
// if the Broker is closed.
func (b *Broker) become(br *bridge, s *State) bool {
	b.mu.Lock()
	ok := !b.closed
	if ok {
		b.bridge = br
		b.setState(s)
	}
	b.mu.Unlock()
	if ok {
		b.logState(s)
	}
	return ok
}

// connected returns the bridge, when messages may be sent. It waits for that until ctx
// ends, and for a connection no longer than Options.Wait.
func (b *Broker) connected(ctx context.Context) (*bridge, error) {
	var late <-chan time.Time // of a wait for a connection
	for {
		b.mu.Lock()
		br, changed, s, closed := b.bridge, b.changed, b.state, b.closed
		b.mu.Unlock()
		switch {
		case closed:
			return nil, warren.ErrClosed
		case br != nil && s.Kind != Blocked:
			return br, nil
		case br != nil:
			late = nil
		case b.options.Wait < 0:
			return nil, s.failure()
		case late == nil:
			t := time.NewTimer(b.options.Wait)
			defer t.Stop()
			late = t.C
		}
		select {
		case <-changed:
		case <-late:
			return nil, s.failure()
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", s.failure(), ctx.Err())
		case <-b.ctx.Done():
			return nil, warren.ErrClosed
		}
	}
}

// failure is why nothing can be sent in a state.
func (s *State) failure() error {
	switch {
	case s.Kind == Blocked:
		return fmt.Errorf("%w (%s)", ErrBlocked, s.Text)
	case s.Reason != nil:
		return fmt.Errorf("%w: %w", ErrConnection, s.Reason)
	}
	return ErrConnection
}

// on runs f with a bridge, and with the next one if the bridge has ended before f did
// anything.
func (b *Broker) on(ctx context.Context, f func(*bridge) error) error {
	for {
		br, err := b.connected(ctx)
		if err != nil {
			return err
		}
		if err = f(br); err != errEnded {
			return err
		}
		b.forgetBridge(br)
	}
}

// forgetBridge lets others wait for another bridge.
func (b *Broker) forgetBridge(br *bridge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bridge == br {
		b.bridge = nil
	}
}

// Call is [warren.Broker.Call] of a handler elsewhere. It waits while there is no
// connection, see [Options].Wait, and fails with [ErrConnection], [ErrBlocked] or
// [ErrConnectionLost], of which only the last is not [warren.Repeatable].
func (b *Broker) Call(ctx context.Context, queue string, msg warren.Message, opts ...warren.CallOptions) (warren.Message, error) {
	return b.local.Call(ctx, queue, msg, opts...)
}

// CallStream is [warren.Broker.CallStream] of a handler elsewhere.
func (b *Broker) CallStream(ctx context.Context, queue string, msg warren.Message, in iter.Seq2[warren.Message, error], opts ...warren.CallOptions) iter.Seq2[warren.Message, error] {
	return b.local.CallStream(ctx, queue, msg, in, opts...)
}
