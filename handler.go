package warren

import (
	"context"
	"errors"

	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/tasks"
	"github.com/warrenmq/warren/internal/wire"
)

// Responder serves queues with handlers. [Broker] and [VirtualHost] are Responders.
// A connection to a remote broker can be one, too.
type Responder interface {
	Handle(queue string, h HandlerFunc, opts ...HandleOptions) (*Handler, error)
}

// HandleOptions say how a queue is served. If several are given to one Handle, the
// last one that sets a field determines it.
type HandleOptions struct {
	// Concurrency is how many requests are served at the same time. More requests
	// wait in the queue. Zero: 256. A negative value fails with 406.
	Concurrency int
	// Requeue decides about a message whose handler has failed with err and that has
	// no requester: true puts it back into its queue, where it is ready again at
	// once; [QueueOptions].DeliveryLimit bounds how often. Nil: such a message is
	// rejected.
	Requeue func(err error) bool
	// ExposeErrors sends the whole text of an error to requesters outside of this
	// process, too. Without it they get the code and text of a [*RemoteError] that the
	// handler returned, a short text for any other, and the rest is logged.
	ExposeErrors bool
	// Codec is the codec of [HandleFor]. Nil: [JSON].
	Codec Codec
	// Durable declares the queue durable and not auto-delete, so that in a broker from
	// [Open] it keeps persistent requests, see [CallOptions].Durable, while it has no
	// handler, and over a restart. If there is another queue of the name that is not
	// durable, Handle fails with 406.
	Durable bool
	// Intercept are the interceptors of this handler, inside of those of
	// [Options].Intercept. The first is the outermost.
	Intercept []func(HandlerFunc) HandlerFunc
}

const defaultConcurrency = 256

// Handler serves a queue, see [Broker.Handle]. It has one goroutine for each request
// that it serves. Up to 16 idle goroutines wait for more requests.
type Handler struct {
	vhost   *VirtualHost
	queue   *declaredQueue
	tag     string // of its consumer
	pool    *queue.Pool
	serve   HandlerFunc
	options HandleOptions
	workers tasks.Group
	figures handlerFigures
	ended   liveContext // replaces the context of a request whose function returned without looking at it
	done    chan struct{}
	reason  error // why it has ended; written before done is closed
}

// handleOptions merges several options into one.
func handleOptions(opts []HandleOptions) (all HandleOptions) {
	for i := range opts {
		o := &opts[i]
		if o.Concurrency != 0 {
			all.Concurrency = o.Concurrency
		}
		if o.Requeue != nil {
			all.Requeue = o.Requeue
		}
		all.ExposeErrors = all.ExposeErrors || o.ExposeErrors
		all.Durable = all.Durable || o.Durable
		if o.Codec != nil {
			all.Codec = o.Codec
		}
		if o.Intercept != nil {
			all.Intercept = o.Intercept
		}
	}
	return all
}

// Handle serves a queue: it calls h for each request, up to
// [HandleOptions].Concurrency at the same time, and sends what h returns to the
// request's ReplyTo. It declares the queue if it does not exist: transient and
// auto-delete, so that calls fail with [ErrNoRoute] when the last handler has gone, unless
// [HandleOptions].Durable is set.
//
// The request is acknowledged after its reply has been sent, also if the reply is an
// error. It fails with 406 for a nil h and, like [Channel.Consume], if the queue
// cannot be consumed from.
func (b *Broker) Handle(queue string, h HandlerFunc, opts ...HandleOptions) (*Handler, error) {
	return b.root.handle(queue, h, opts)
}

// Handle serves a queue of this virtual host. See [Broker.Handle].
func (v *VirtualHost) Handle(queue string, h HandlerFunc, opts ...HandleOptions) (*Handler, error) {
	return v.handle(queue, h, opts)
}

func (v *VirtualHost) handle(name string, h HandlerFunc, opts []HandleOptions) (*Handler, error) {
	if h == nil {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a handler must have a function")
	}
	o := handleOptions(opts)
	if o.Concurrency < 0 {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a handler's concurrency of %d is negative", o.Concurrency)
	}
	setDefault(&o.Concurrency, defaultConcurrency)
	if err := v.broker.checkOpen(); err != nil {
		return nil, err
	}
	if err := checkName(wire.BasicConsumeID, "queue name", name); err != nil {
		return nil, err
	}
	h = chain(v.broker.options.Intercept.Handle, chain(o.Intercept, h))
	handler := &Handler{vhost: v, serve: h, options: o, ended: newEndedContext(), done: make(chan struct{})}
	for {
		err := handler.register(name, o.Concurrency)
		if err == nil {
			return handler, nil
		}
		if !isNotFound(err) {
			return nil, err
		}
		// The queue does not exist, so declare it. It may be gone again before the
		// next attempt, if another handler has declared it and is being closed.
		q, err := v.declareQueue(nil, name, QueueOptions{Durable: o.Durable, AutoDelete: !o.Durable})
		if err == nil {
			name = q.Name // the broker may have chosen or changed the name
		} else {
			if !errors.Is(err, ErrPreconditionFailed) || v.queue(name) == nil {
				return nil, err
			} // somebody else has declared the queue with other properties
		}
	}
}

// register makes the handler a consumer of the queue.
func (h *Handler) register(name string, concurrency int) error {
	v := h.vhost
	q, err := v.findQueue(wire.BasicConsumeID, nil, name)
	if err != nil {
		return err
	}
	if h.options.Durable && !q.durable {
		return failure(wire.QueueDeclareID, wire.CodePreconditionFailed, "inequivalent arg 'durable' for queue '%s' in vhost '%s': received 'true' but current is 'false'", q.Name(), v.name).
			withHint("delete the queue, or handle it without Durable")
	}
	h.queue, h.tag = q, names.New("amq.ctag-")
	h.pool = queue.NewPool(q.engine(), h.tag, concurrency, (*workers)(h))
	if err := v.consumeError(q, h.pool.Join()); err != nil {
		return err
	}
	v.broker.notifyReaders()
	return nil
}

// Queue returns the name of the queue that the handler serves.
func (h *Handler) Queue() string { return h.queue.Name() }

// Done returns a channel that is closed when the handler takes no more requests and
// none is being served. Err then tells why.
func (h *Handler) Done() <-chan struct{} { return h.done }

// Err returns nil until Done is closed, and then why the handler has ended:
// [ErrClosed] after Stop, Close and the end of the broker or virtual host, or
// [ErrConsumerCancelled] when its queue was deleted.
func (h *Handler) Err() error {
	select {
	case <-h.done:
		return h.reason
	default:
		return nil
	}
}

// Close takes no more requests and waits for those that are being served. Other
// requests stay in the queue for other handlers, or are dropped with the queue if it
// is deleted. The handler's own function must not call Close; it can call Stop.
func (h *Handler) Close() error {
	h.Stop()
	return h.workers.Wait(context.Background())
}

// Stop takes no more requests, as Close does, but does not wait.
func (h *Handler) Stop() {
	h.vhost.removeAutoDeleteQueue(h.queue, h.pool.Stop(ErrClosed))
	h.vhost.broker.notifyReaders()
}
