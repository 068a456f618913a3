package warren

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/warrenmq/warren/internal/wire"
)

// HandleOptions say how a queue is served. Of several in one Handle, the last
// one counts that sets a field.
type HandleOptions struct {
	// Concurrency is how many requests are served at a time; the others wait in
	// the queue. Zero: 256. A negative one is refused with 406.
	Concurrency int
	// Codec is that of [HandleFor]. Nil: [JSON].
	Codec Codec
}

const (
	defaultConcurrency = 256
	// maxIdleWorkers is how many goroutines of a handler stay when there is
	// nothing to do: starting one costs more than a request.
	maxIdleWorkers = 16
)

// Handler serves a queue, see [Broker.Handle]. It has a goroutine for each
// request that it serves; up to 16 wait for the next ones.
type Handler struct {
	vhost    *VirtualHost
	queue    *queue
	consumer *consumer
	serve    HandlerFunc

	requests chan item // to idle workers; sent to with queue.mu held, never blocks
	workers  tasks

	// Guarded by queue.mu.
	idling int           // workers that wait, or are about to, for requests
	closed bool          // requests is closed
	calm   chan struct{} // closed when no request is left; made by who waits
}

// handleOptions are several as one.
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

func (v *VirtualHost) handle(name string, h HandlerFunc, opts []HandleOptions) (*Handler, error) {
	if h == nil {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a handler must have a function")
	}
	o := handleOptions(opts)
	if o.Concurrency < 0 {
		return nil, failure(wire.BasicConsumeID, wire.CodePreconditionFailed, "a handler's concurrency of %d is negative", o.Concurrency)
	}
	def(&o.Concurrency, defaultConcurrency)
	if err := v.broker.accepting(); err != nil {
		return nil, err
	}
	if err := checkName(wire.BasicConsumeID, "queue name", name); err != nil {
		return nil, err
	}
	handler := &Handler{vhost: v, serve: h, requests: make(chan item, maxIdleWorkers)}
	for {
		err := handler.register(name, o.Concurrency)
		if !isNotFound(err) {
			return handler, err
		}
		// Not there: make it. It may go again before the next try, if it was
		// just made by a handler that is being closed.
		q, err := v.declareQueue(nil, name, QueueOptions{AutoDelete: true})
		if err == nil {
			name = q.Name // the broker may have chosen or cleaned it
		} else {
			if !errors.Is(err, ErrPreconditionFailed) || v.queue(name) == nil {
				return nil, err
			} // somebody else has declared it meanwhile, differently
		}
	}
}

// register makes the handler a consumer of the queue.
func (h *Handler) register(name string, concurrency int) error {
	q, err := h.vhost.queueFor(wire.BasicConsumeID, nil, name)
	if err != nil {
		return err
	}
	h.queue = q
	h.consumer = newConsumer(q, generateName("amq.ctag-"), &ConsumeOptions{}, concurrency, 0)
	h.consumer.sink = h
	return q.addConsumer(h.consumer)
}

// handlers are those that serve queues of the vhost.
func (v *VirtualHost) handlers() (list []*Handler) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	for _, q := range v.queues {
		q.mu.Lock()
		for _, c := range q.consumers {
			if h, ok := c.sink.(*Handler); ok {
				list = append(list, h)
			}
		}
		q.mu.Unlock()
	}
	return list
}

// Queue is the name of the queue that the handler serves.
func (h *Handler) Queue() string { return h.queue.name }

// Close takes no more requests and waits for those that are being served; the
// others stay in the queue for other handlers, or are dropped with it if
// nobody is left. It must not be called by the handler's own function, which
// can use Stop.
func (h *Handler) Close() error {
	h.Stop()
	return h.workers.wait(context.Background())
}

// Stop takes no more requests, as Close does, but does not wait.
func (h *Handler) Stop() {
	q := h.queue
	q.mu.Lock()
	autoDelete := q.remove(h.consumer)
	h.close()
	q.dispatch() // it may have been the active consumer
	q.unlock()
	if autoDelete {
		q.vhost.removeIfUnused(q)
	}
}

// close lets idle workers go; queue.mu is held.
func (h *Handler) close() {
	if !h.closed {
		h.closed = true
		close(h.requests)
		if h.consumer.out > 0 {
			h.vhost.broker.leaving.add(h)
		}
	}
}

func (h *Handler) cancelled(error) *mailbox {
	h.close()
	h.settled()
	return nil
}

// deliver gives a request to an idle worker or to a new one.
func (h *Handler) deliver(it item) *mailbox {
	if h.idling > 0 {
		h.idling--
		h.requests <- it // done has seen to it that there is room
		return nil
	}
	h.workers.add()
	h.vhost.broker.tasks.add()
	go h.work(it)
	return nil
}

// work serves requests until there are enough other workers for what comes.
func (h *Handler) work(it item) {
	defer h.vhost.broker.tasks.finish()
	defer h.workers.finish()
	defer func() {
		if it.exchange != nil {
			h.exited(&it)
		}
	}()
	var made contexts
	for ok := true; ok; {
		stay := h.answer(&it, made.next())
		it = item{}
		if !stay {
			return
		}
		it, ok = <-h.requests
	}
}

// answer serves one request, hands the reply over, settles the request and
// then wakes the caller. It reports whether the worker is to wait for another.
func (h *Handler) answer(it *item, ctx *requestContext) (stay bool) {
	req := it.request()
	// The Request of a Call is there already, for the only one who can have it.
	own := req != nil && !req.shared && !it.redelivered
	if !own {
		req = newRequest(it)
	}
	req.Exchange, req.RoutingKey, req.Redelivered = it.exchange.name, it.key, it.redelivered
	if req.caller != nil && req.caller.Err() != nil {
		// Its caller has gone: nobody wants the answer.
		h.vhost.replies.droppedGone.Add(1)
		return h.done(it, true)
	}
	ctx.caller, ctx.replyTo, ctx.handler = req.caller, req.ReplyTo, h
	reply, err := h.run(ctx, req)
	slot := h.reply(req, &reply, err)
	stay = h.done(it, true)
	if slot != nil {
		if own {
			slot.reuse(req)
		}
		slot.signal <- struct{}{}
	}
	return stay
}

// exited answers a request whose function has ended the goroutine, and the
// worker with it: runtime.Goexit, as a test's FailNow does.
func (h *Handler) exited(it *item) {
	slot := h.reply(newRequest(it), &Message{}, &RemoteError{Code: CodePanic, Text: "the handler called runtime.Goexit"})
	h.done(it, false)
	if slot != nil {
		slot.signal <- struct{}{}
	}
}

// newRequest makes the Request of a message that came by itself, or more than
// once.
func newRequest(it *item) *Request {
	r := &Request{Message: it.message()}
	if call := it.request(); call != nil {
		r.caller, r.slot, r.turn = call.caller, call.slot, call.turn
	}
	return r
}

// run calls the function, turns a panic into an error and ends the context.
func (h *Handler) run(ctx *requestContext, req *Request) (reply Message, err error) {
	defer func() {
		ctx.finish()
		if p := recover(); p != nil {
			h.vhost.broker.log.Error("handler panicked", "vhost", h.vhost.name, "queue", h.queue.name, "panic", p, "stack", string(debug.Stack()))
			err = &RemoteError{Code: CodePanic, Text: fmt.Sprint(p)}
		}
	}()
	return h.serve(ctx, req)
}

// reply hands the answer over. The slot it returns, if any, is to be signalled.
func (h *Handler) reply(req *Request, reply *Message, err error) *replySlot {
	if err == nil {
		if err = h.checkReply(reply); err == nil {
			err = remoteError(reply) // it may say so itself
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
	t := &h.vhost.replies
	if req.slot != nil {
		if !req.slot.claim(req.turn) {
			t.droppedGone.Add(1)
			return nil
		}
		req.slot.reply, req.slot.err = *reply, err
		t.delivered.Add(1)
		return req.slot
	}
	if req.ReplyTo == "" {
		return nil
	}
	if err != nil {
		reply.Headers = errorHeaders(err.(*RemoteError))
	}
	h.publishReply(req.ReplyTo, reply)
	return nil
}

// checkReply makes the checks of basic.publish: a reply is a message like any
// other.
func (h *Handler) checkReply(reply *Message) error {
	if err := h.vhost.checkSize(len(reply.Body)); err != nil || reply.plain() {
		return err
	}
	if isReplyName(reply.ReplyTo) {
		return errNoReplyConsumer(reply.ReplyTo)
	}
	return reply.check()
}

// publishReply sends a reply the way any server would: through the default
// exchange.
func (h *Handler) publishReply(to string, reply *Message) {
	v := h.vhost
	props := properties(*reply)
	props.Body = nil
	p := publishing{entry: entry{body: reply.Body, key: to, exchange: v.fallback, content: &props}}
	v.route(&p)
}

// done settles the request and reports whether the worker is to wait for
// another: it counts as idle before its caller can send the next one.
func (h *Handler) done(it *item, canStay bool) (stay bool) {
	q := h.queue
	q.mu.Lock()
	// An idle worker, or a request on its way to one, has a place in requests.
	if stay = canStay && !h.closed && h.idling+len(h.requests) < maxIdleWorkers; stay {
		h.idling++
	}
	q.end(it, true)
	q.release(h.consumer, 1)
	h.settled()
	q.unlock()
	return stay
}

// settled tells those who wait for it that no request is left; queue.mu is
// held.
func (h *Handler) settled() {
	if h.closed && h.consumer.out == 0 {
		h.vhost.broker.leaving.remove(h)
	}
	if h.calm != nil && h.calmNow() {
		close(h.calm)
		h.calm = nil
	}
}

func (h *Handler) calmNow() bool {
	return h.consumer.out == 0 && (h.closed || h.queue.store.len() == 0)
}

// waitIdle waits until no request is left to serve, and tells how many
// messages the queue has had until then.
func (h *Handler) waitIdle(ctx context.Context) (had uint64, err error) {
	for {
		h.queue.mu.Lock()
		if h.calmNow() {
			defer h.queue.mu.Unlock()
			return h.queue.counts.Published, nil
		}
		if h.calm == nil {
			h.calm = make(chan struct{})
		}
		calm := h.calm
		h.queue.mu.Unlock()
		select {
		case <-calm:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
