package warren

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/names"
	"github.com/warrenmq/warren/internal/table"
)

// workers implements queue.PoolHost for a handler.
type workers Handler

// Start starts a worker that serves it first.
func (w *workers) Start(it message.Item) {
	h := (*Handler)(w)
	h.workers.Add()
	h.vhost.broker.tasks.Add()
	go h.work(it)
}

// Joined notes that the handler has begun. Its queue does not change any more.
func (w *workers) Joined() {
	w.vhost.pools.add(w.pool)
	w.vhost.recordChange(change{kind: handlerStarted, queue: w.queue, tag: w.tag})
}

// Ended notes that the handler has ended.
func (w *workers) Ended(reason error) {
	w.reason = reason
	w.vhost.pools.remove(w.pool)
	if reason == ErrConsumerCancelled {
		reason = errQueueDeleted
	}
	w.vhost.recordChange(change{kind: handlerEnded, queue: w.queue, tag: w.tag, reason: reason})
	close(w.done)
}

// work serves requests until the pool has enough idle workers.
func (h *Handler) work(it message.Item) {
	defer h.vhost.broker.tasks.Done()
	defer h.workers.Done()
	defer h.tellEnd()
	defer func() {
		if it.Exchange != nil {
			h.settleGoexit(&it)
		}
	}()
	for ok := true; ok; {
		stay := h.serveOne(&it)
		it = message.Item{}
		if !stay {
			return
		}
		it, ok = h.pool.Next()
	}
}

// tellEnd tells the readers of changes if the handler has ended: perhaps it was the
// last worker.
func (h *Handler) tellEnd() {
	select {
	case <-h.done:
		h.vhost.broker.notifyReaders()
	default:
	}
}

// serveOne serves one request, sends the reply, settles the request and then wakes
// the caller. stay says that the worker should wait for another request.
func (h *Handler) serveOne(it *message.Item) (stay bool) {
	c := callOf(it.Content)
	if c != nil && c.caller.Err() != nil {
		// The caller has gone, so no answer is needed.
		h.vhost.replies.droppedGone.Add(1)
		return h.pool.Skip(it)
	}
	s := h.request(it, c)
	if s.terms.areOver() {
		return h.dropOverdue(it, c, s)
	}
	var reply Message
	var err error
	if h.vhost.broker.options.Tracer == nil {
		err = h.runTimed(s, &reply)
	} else {
		err = h.runTraced(s, &reply)
	}
	return h.finish(it, c, s, &reply, err, true)
}

// request returns the request that the function sees. c is the item's content if it
// is the request of a Call.
func (h *Handler) request(it *message.Item, c *call) *served {
	var s *served
	if c != nil && !c.isShared() && !it.Redelivered {
		s = &c.served // nobody else has it, so it need not be copied
	} else {
		s = &served{}
		s.Message = Message(it.Shown())
		if c != nil {
			s.caller = c.caller
		}
	}
	s.Exchange, s.RoutingKey, s.Redelivered = *it.Exchange, it.Key, it.Redelivered
	if f, ok := it.Content.(*message.Forwarded); ok && f.Origin != nil {
		s.caller = f.Origin.Context
		s.Exchange, s.RoutingKey, s.Redelivered = f.Origin.Exchange, f.Origin.RoutingKey, s.Redelivered || f.Redelivered
	}
	s.handler = h
	if len(s.Headers) > 0 {
		s.terms = termsOf(s.Headers)
	}
	return s
}

// runTimed is run that takes the time, of some requests, while somebody watches.
func (h *Handler) runTimed(s *served, reply *Message) error {
	if !h.vhost.broker.watchers.any() {
		return h.run(s, reply)
	}
	weight := h.figures.weight()
	if weight == 0 {
		return h.run(s, reply)
	}
	clock := &h.vhost.broker.queues.Clock
	began := clock.Now()
	err := h.run(s, reply)
	h.figures.time(time.Duration(clock.Now()-began), weight)
	return err
}

// run calls the function, turns a panic into an error and ends the context. What the
// function returns goes to reply, because to return such a large value costs more than
// all else here.
func (h *Handler) run(s *served, reply *Message) (err error) {
	defer func() {
		s.finish()
		if p := recover(); p != nil {
			err = h.failures().recovered(p)
			h.panicked(p)
		}
	}()
	*reply, err = h.serve(s, &s.Request)
	return err
}

// runTraced runs a handler with a tracer. The tracer's context takes the place of the
// caller's, from which it is made.
func (h *Handler) runTraced(s *served, reply *Message) (err error) {
	op := &Operation{
		Kind: OperationProcess, VirtualHost: h.vhost.name, Exchange: s.Exchange, RoutingKey: s.RoutingKey, Queue: h.queue.Name(),
		Redelivered: s.Redelivered, Message: &s.Message,
	}
	ctx, end := op.begin(s.parent(), h.vhost.broker.options.Tracer)
	s.caller = ctx
	err = errUnfinished
	defer func() {
		failed := err
		if errors.Is(err, ErrNoReply) {
			failed = withoutNoReply(err) // to send no reply is no failure
		}
		end(failed)
	}()
	return h.runTimed(s, reply)
}

// settleGoexit ends a request whose function has ended the worker's goroutine by
// runtime.Goexit, as a test's FailNow does.
func (h *Handler) settleGoexit(it *message.Item) {
	c := callOf(it.Content)
	s := &served{Request: Request{Message: Message(it.Shown())}}
	h.panicked(errGoexit)
	h.finish(it, c, s, &Message{}, goexitError(), false)
}

// panicked tells the readers of changes that the function has panicked with p.
func (h *Handler) panicked(p any) {
	b := h.vhost.broker
	if b.changes.wanted(handlerPanicked) {
		text := names.Shorten(strings.ToValidUTF8(fmt.Sprint(p), "\uFFFD"))
		b.announce(change{kind: handlerPanicked, vhost: h.vhost, queue: h.queue, tag: h.tag, reason: errors.New(text)})
	}
}

// finish sends the reply, settles the request and wakes the caller. stay and canStay
// are as in Pool.Done.
func (h *Handler) finish(it *message.Item, c *call, s *served, reply *Message, err error, canStay bool) (stay bool) {
	if err != nil && s.terms.isDurable() && h.vhost.broker.handlersCtx.Err() != nil {
		return h.pool.Done(it, requeued, canStay) // the broker's end is no answer: the next one serves it
	}
	slot, err := h.sendReply(it, c, s, reply, err)
	f := acked
	if err != nil { // nobody has been told
		f = h.failures().settle(err, h.options.Requeue)
	}
	if c == nil {
		f = tellFate(it.Content, f)
	}
	stay = h.pool.Done(it, f, canStay)
	if slot != nil {
		slot.tell()
	}
	return stay
}

// tellFate tells another broker what has become of its message. It returns what becomes
// of it here.
func tellFate(c message.Content, f fate) fate {
	m, ok := c.(*message.Forwarded)
	if !ok {
		return f
	}
	tell := m.Settle
	if m.Origin != nil {
		tell = m.Origin.Served
	}
	switch f {
	case acked:
		tell(message.Acked)
	case dropped:
		tell(message.Rejected)
	case requeued:
		tell(message.Dropped)
		return acked // it comes again from there, perhaps to somebody else
	}
	return f
}

// sendReply sends the reply or the error to the requester. If it returns a slot, the
// caller must call its tell. It returns the error that nobody has been told of.
func (h *Handler) sendReply(it *message.Item, c *call, s *served, reply *Message, err error) (slot *replySlot, untold error) {
	if err != nil && errors.Is(err, ErrNoReply) {
		if err = withoutNoReply(err); err != nil {
			h.figures.fail(err)
		}
		return nil, err
	}
	if err == nil {
		err = remoteError(reply.Headers) // the reply may carry an error in its headers
	}
	if s.ReplyTo == "" {
		if err != nil {
			h.figures.fail(err)
		}
		return nil, err
	}
	if reply.ReplyTo == s.ReplyTo {
		reply.ReplyTo = ""
	}
	if err == nil {
		err = h.checkReply(reply)
	}
	if err != nil {
		h.figures.fail(err)
		if s.terms.isDurable() && isReplyAddress(s.ReplyTo) && !h.isWaiting(it, s) {
			return nil, err // nobody has gone on waiting
		}
		err = asRemoteError(err)
		*reply = Message{Headers: endHeader(reply.Headers)}
	}
	if reply.CorrelationId == "" {
		reply.CorrelationId = s.CorrelationId
	}
	if h.vhost.broker.options.Tracer != nil && (err == nil || c == nil) { // a call gets an error without headers
		end := h.traceReply(s, reply)
		slot, untold = h.passReply(it, c, s, reply, err)
		end(untold)
		return slot, untold
	}
	return h.passReply(it, c, s, reply, err)
}

// passReply gives a checked reply to the call that waits for it, or publishes it. The
// results are as in sendReply.
func (h *Handler) passReply(it *message.Item, c *call, s *served, reply *Message, err error) (slot *replySlot, untold error) {
	if c != nil {
		return h.replyToCall(c, reply, err), nil
	}
	return nil, h.publishReply(it, &s.Request, reply, err)
}

// isWaiting reports whether somebody waits at the request's reply address.
func (h *Handler) isWaiting(it *message.Item, s *served) bool {
	if o := message.OriginOf(it.Content); o != nil {
		return o.IsWaiting()
	}
	return h.vhost.replies.isWaiting(s.ReplyTo)
}

// traceReply tells the tracer that a reply is sent to a routing key.
func (h *Handler) traceReply(s *served, reply *Message) (end func(error)) {
	ctx := s.caller
	if ctx == nil { // the function has ended its goroutine
		ctx = context.Background()
	}
	sent := *reply // so that a reply need not be on the heap without a tracer
	op := &Operation{
		Kind: OperationReply, VirtualHost: h.vhost.name, RoutingKey: s.ReplyTo, Queue: h.queue.Name(), Message: &sent, Request: &s.Message,
	}
	_, end = op.begin(ctx, h.vhost.broker.options.Tracer)
	reply.Headers = sent.Headers
	return end
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
	if _, err := checkProperties(reply.properties()); err != nil {
		return err
	}
	return new(publishing).setExpiration(&h.vhost.broker.queues, reply.Expiration)
}

// publishReply publishes a reply, or err as one, to the default exchange, as a
// server over AMQP does. It returns err if there is no such requester.
func (h *Handler) publishReply(it *message.Item, req *Request, reply *Message, err error) (untold error) {
	to, v := req.ReplyTo, h.vhost
	if isReplyAddress(to) {
		if v.replies.answerCall(to, reply, err) {
			return nil
		}
	} else if denied := v.checkReplyAccess(it.Content, to); denied != nil {
		h.failures().log(denied)
		return err
	} else if err != nil && v.queue(to) == nil {
		return err
	}
	if err != nil {
		reply.Headers = h.errorHeaders(err.(*RemoteError), reply.Headers)
	}
	if o := message.OriginOf(it.Content); o != nil {
		sent := *reply // only a copy leaves the worker's stack
		if o.Answer(sent.properties()) {
			return nil
		}
		return err
	}
	p := newPublishing(PublishOptions{})
	p.Body, p.Key = reply.Body, to
	if v.prepare(&p, nil, "") != nil || p.setExpiration(&v.broker.queues, reply.Expiration) != nil {
		return err // only for a bad ReplyTo: checkReply has been called
	}
	p.Content = message.NewPublished(reply.properties())
	v.route(&p)
	return nil
}

// errorHeaders returns the headers of a reply that reports err, and what a tracer has
// added to them. It logs what they leave out.
func (h *Handler) errorHeaders(err *RemoteError, traced Table) Table {
	text := err.Text
	if h.options.ExposeErrors {
		text = err.detail()
	} else if err.Err != nil && err.Code != CodePanic { // a panic has been logged
		h.failures().log(err.Err)
	}
	headers := Table{ErrorCodeHeader: err.Code, ErrorTextHeader: text}
	maps.Copy(headers, traced)
	return headers
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
	c.slot.answer.set(reply, err)
	t.delivered.Add(1)
	return c.slot
}

func (h *Handler) failures() failures { return failures{h.vhost, h.queue.Name(), "handler"} }
