package warren

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/queue"
	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/tasks"
	"github.com/warrenmq/warren/internal/wire"
)

// HandlerFunc serves one request. The returned message is the reply. It gets the
// request's CorrelationId unless it has one. A returned error is sent as a reply,
// too: the caller gets it as [*RemoteError].
//
// In process, ctx has the values, the deadline and the cancellation of the caller's
// context. It also ends when the requester goes away, when the broker closes, and
// when the handler returns.
//
// To have a third party answer, a handler publishes req.Message with the same
// ReplyTo and CorrelationId and returns [ErrNoReply].
type HandlerFunc func(ctx context.Context, req *Request) (Message, error)

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
	// Codec is the codec of [HandleFor]. Nil: [JSON].
	Codec Codec
}

const defaultConcurrency = 256

// Handler serves a queue, see [Broker.Handle]. It has one goroutine for each request
// that it serves. Up to 16 idle goroutines wait for more requests.
type Handler struct {
	vhost   *VirtualHost
	queue   *declaredQueue
	pool    *queue.Pool
	serve   HandlerFunc
	workers tasks.Group
}

// handleOptions merges several options into one.
func handleOptions(opts []HandleOptions) (all HandleOptions) {
	for i := range opts {
		o := &opts[i]
		if o.Concurrency != 0 {
			all.Concurrency = o.Concurrency
		}
		if o.Codec != nil {
			all.Codec = o.Codec
		}
	}
	return all
}

// Handle serves a queue: it calls h for each request, up to
// [HandleOptions].Concurrency at the same time, and sends what h returns to the
// request's ReplyTo. It declares the queue if it does not exist: transient and
// auto-delete, so that calls fail with [ErrNoRoute] when the last handler has gone.
//
// The request is acknowledged after its reply has been sent. If h panics, the caller
// gets a [*RemoteError]. It fails with 406 for a nil h and, like [Channel.Consume],
// if the queue cannot be consumed from.
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
	handler := &Handler{vhost: v, serve: h}
	for {
		err := handler.register(name, o.Concurrency)
		if !isNotFound(err) {
			return handler, err
		}
		// The queue does not exist, so declare it. It may be gone again before the
		// next attempt, if another handler has declared it and is being closed.
		q, err := v.declareQueue(nil, name, QueueOptions{AutoDelete: true})
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
	h.queue = q
	h.pool = queue.NewPool(q.engine(), names.New("amq.ctag-"), concurrency, (*workers)(h))
	v.pools.add(h.pool)
	if err := v.consumeError(q, h.pool.Join()); err != nil {
		v.pools.remove(h.pool)
		return err
	}
	return nil
}

// Queue returns the name of the queue that the handler serves.
func (h *Handler) Queue() string { return h.queue.Name() }

// Close takes no more requests and waits for those that are being served. Other
// requests stay in the queue for other handlers, or are dropped with the queue if it
// is deleted. The handler's own function must not call Close; it can call Stop.
func (h *Handler) Close() error {
	h.Stop()
	return h.workers.Wait(context.Background())
}

// Stop takes no more requests, as Close does, but does not wait.
func (h *Handler) Stop() {
	h.vhost.removeAutoDeleteQueue(h.queue, h.pool.Stop())
}

// workers implements the starting of workers for the handler's pool.
type workers Handler

// Start starts a worker that serves it first.
func (w *workers) Start(it message.Item) {
	h := (*Handler)(w)
	h.workers.Add()
	h.vhost.broker.tasks.Add()
	go h.work(it)
}

// Ended removes the pool from those that Shutdown waits for.
func (w *workers) Ended() { w.vhost.pools.remove(w.pool) }

// work serves requests until the pool has enough idle workers.
func (h *Handler) work(it message.Item) {
	defer h.vhost.broker.tasks.Done()
	defer h.workers.Done()
	defer func() {
		if it.Exchange != nil {
			h.replyToGoexit(&it)
		}
	}()
	var made contexts
	for ok := true; ok; {
		stay := h.serveOne(&it, made.next())
		it = message.Item{}
		if !stay {
			return
		}
		it, ok = h.pool.Next()
	}
}

// serveOne serves one request, sends the reply, settles the request and then wakes
// the caller. stay says that the worker should wait for another request.
func (h *Handler) serveOne(it *message.Item, ctx *requestContext) (stay bool) {
	c, _ := it.Content.(*call)
	var req *Request
	// Only this worker has the Request of the call, so it need not be copied.
	own := c != nil && !c.shared && !it.Redelivered
	if own {
		req = &c.Request
	} else {
		req = &Request{Message: Message(it.Shown())}
	}
	req.Exchange, req.RoutingKey, req.Redelivered = *it.Exchange, it.Key, it.Redelivered
	if c != nil {
		ctx.caller = c.caller
		if c.caller.Err() != nil {
			// The caller has gone, so no answer is needed.
			h.vhost.replies.droppedGone.Add(1)
			return h.pool.Done(it, true)
		}
	}
	ctx.replyTo, ctx.handler = req.ReplyTo, h
	reply, err := h.run(ctx, req)
	slot := h.sendReply(c, req, &reply, err)
	stay = h.pool.Done(it, true)
	if slot != nil {
		if own {
			slot.keepSpare(c)
		}
		slot.signal <- struct{}{}
	}
	return stay
}

// replyToGoexit answers a request whose function has ended the worker's goroutine by
// runtime.Goexit, as a test's FailNow does.
func (h *Handler) replyToGoexit(it *message.Item) {
	c, _ := it.Content.(*call)
	req := &Request{Message: Message(it.Shown())}
	slot := h.sendReply(c, req, &Message{}, &RemoteError{Code: CodePanic, Text: "the handler called runtime.Goexit"})
	h.pool.Done(it, false)
	if slot != nil {
		slot.signal <- struct{}{}
	}
}

// run calls the function, turns a panic into an error and ends the context.
func (h *Handler) run(ctx *requestContext, req *Request) (reply Message, err error) {
	defer func() {
		ctx.finish()
		if p := recover(); p != nil {
			h.vhost.broker.log.Error("handler panicked", "vhost", h.vhost.name, "queue", h.queue.Name(), "panic", p, "stack", string(debug.Stack()))
			err = &RemoteError{Code: CodePanic, Text: fmt.Sprint(p)}
		}
	}()
	return h.serve(ctx, req)
}

// sendReply sends the reply or the error to the requester. If it returns a slot, the
// caller must send its signal.
func (h *Handler) sendReply(c *call, req *Request, reply *Message, err error) *replySlot {
	if err == nil {
		if err = h.checkReply(reply); err == nil {
			err = remoteError(reply.Headers) // the reply may carry an error in its headers
		}
	} else if errors.Is(err, ErrNoReply) {
		return nil
	}
	if err != nil {
		err = asRemoteError(err)
		*reply = Message{}
	}
	if reply.CorrelationId == "" {
		reply.CorrelationId = req.CorrelationId
	}
	if c != nil {
		return h.replyToCall(c, reply, err)
	}
	if req.ReplyTo != "" {
		if err != nil {
			reply.Headers = errorHeaders(err.(*RemoteError))
		}
		h.publishReply(req.ReplyTo, reply)
	}
	return nil
}

// checkReply makes the checks of basic.publish, because a reply is a message like
// any other.
func (h *Handler) checkReply(reply *Message) error {
	if err := h.vhost.checkSize(len(reply.Body)); err != nil || reply.properties().Plain() {
		return err
	}
	if h.vhost.isReplyName(reply.ReplyTo) {
		return errNoReplyConsumer(reply.ReplyTo)
	}
	_, err := checkProperties(reply.properties())
	return err
}

// publishReply publishes a reply to the default exchange, as a server over AMQP
// does.
func (h *Handler) publishReply(to string, reply *Message) {
	var p publishing
	p.Body, p.Key = reply.Body, to
	if err := h.vhost.prepare(&p, nil, ""); err == nil { // checkReply has been called
		p.Content = message.NewPublished(reply.properties())
		h.vhost.route(&p)
	}
}

// replyToCall gives the reply to the call that waits for it. It returns the slot to
// signal, or nil if the call has ended.
func (h *Handler) replyToCall(c *call, reply *Message, err error) *replySlot {
	t := &h.vhost.replies
	if !c.slot.claim(c.round) {
		t.droppedGone.Add(1)
		return nil
	}
	reply.Headers = table.Widen(reply.Headers)
	c.slot.reply, c.slot.err = *reply, err
	t.delivered.Add(1)
	return c.slot
}
