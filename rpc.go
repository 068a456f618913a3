package warren

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// Request is what a handler gets: a message with the way it came. It must not
// be changed, and it is the handler's until it returns: then the broker uses
// it for another request. To keep what is in it, copy req.Message; the body
// and headers that a copy points to stay as they are.
type Request struct {
	Message
	Exchange    string // it was published to
	RoutingKey  string // it was published with
	Redelivered bool   // a handler or consumer has had it before and did not settle it

	caller context.Context // of an in-process Call; else nil
	slot   *replySlot      // of an in-process Call; else nil
	turn   uint64          // the call's, in its slot
	copies atomic.Int32    // queues that still have the request of a Call
	parent *Request        // the one that a queue lost when this became its dead letter
	shared bool            // it went to more than one queue
}

// HandlerFunc serves one request. Its reply goes to the requester, with the
// request's CorrelationId unless it has one of its own. An error is a reply,
// too: the caller gets it as [*RemoteError].
//
// In process, ctx has the values, the deadline and the cancellation of the
// caller's context. It ends as well when the requester goes away and when the
// broker closes, and at the latest when the handler has returned.
//
// A handler that passes the request on, to have a third party answer it,
// publishes req.Message with its ReplyTo and CorrelationId as they are and
// returns [ErrNoReply].
type HandlerFunc func(ctx context.Context, req *Request) (Message, error)

// Caller sends requests. [Broker] and [VirtualHost] are Callers, and so can be
// a connection to a remote broker.
type Caller interface {
	Call(ctx context.Context, queue string, msg Message, opts ...CallOptions) (Message, error)
}

// Responder answers requests by handlers. [Broker] and [VirtualHost] are
// Responders, and so can be a connection to a remote broker.
type Responder interface {
	Handle(queue string, h HandlerFunc, opts ...HandleOptions) (*Handler, error)
}

// CallOptions say how a request is sent. The zero value sends it to a queue,
// where it waits for a handler. Of several in one Call, the last one counts that
// sets a field.
type CallOptions struct {
	// Exchange is where the request is published, with the queue argument of
	// Call as routing key; the first reply is the answer. Empty: the default
	// exchange.
	Exchange string
	// RequireConsumer makes the call fail with [ErrNoConsumers] at once unless
	// a consumer has room for the request now.
	RequireConsumer bool
	// Codec is that of [CallFor]. Nil: [JSON].
	Codec Codec
}

// callOptions are several as one.
func callOptions(opts []CallOptions) (all CallOptions) {
	for i := range opts {
		o := &opts[i]
		if o.Exchange != "" {
			all.Exchange = o.Exchange
		}
		all.RequireConsumer = all.RequireConsumer || o.RequireConsumer
		if o.Codec != nil {
			all.Codec = o.Codec
		}
	}
	return all
}

// call publishes a request with an address of its own as ReplyTo and waits for
// what comes there: the reply.
func (v *VirtualHost) call(ctx context.Context, queue string, msg *Message, opts []CallOptions, reply *Message) error {
	var o CallOptions
	if len(opts) > 0 {
		o = callOptions(opts)
	}
	p := publishing{options: PublishOptions{Mandatory: true, Immediate: o.RequireConsumer}}
	headers, err := v.prepareCall(ctx, &p, queue, msg, &o)
	if err != nil {
		return err
	}
	slot, turn, address, err := v.replies.open(DirectReplyTo, nil, ctx)
	if err != nil {
		return err
	}
	req := slot.newRequest(ctx, turn, msg)
	req.ReplyTo = address
	if req.CorrelationId == "" {
		req.CorrelationId = address[len(DirectReplyTo)+1:]
	}
	req.Headers = headers
	p.content = req
	if err := v.sendCall(&p, req); err != nil && slot.claim(turn) {
		v.replies.release(slot)
		return err
	} // else it is on its way, or has an answer all the same
	return v.await(ctx, slot, turn, reply)
}

// newRequest makes the request of a call, if need be: the last one's that was
// answered by a handler serves again.
func (s *replySlot) newRequest(ctx context.Context, turn uint64, msg *Message) *Request {
	req := s.request
	s.request = nil
	if req == nil {
		req = &Request{}
	}
	req.Message = *msg
	req.caller, req.slot, req.turn, req.shared = ctx, s, turn, false
	return req
}

// reuse lets the slot's next call have a request that nobody knows any more.
// The slot is the caller's who claimed it.
func (s *replySlot) reuse(req *Request) {
	req.Headers, req.Body, req.caller = nil, nil, nil
	s.request = req
}

// prepareCall makes the checks of basic.publish and returns the headers to
// send.
func (v *VirtualHost) prepareCall(ctx context.Context, p *publishing, queue string, msg *Message, o *CallOptions) (headers Table, err error) {
	if err := v.checkSize(len(msg.Body)); err != nil {
		return nil, err
	}
	x := v.fallback
	if o.Exchange != "" {
		if x, err = v.exchangeFor(o.Exchange); err != nil {
			return nil, err
		}
	}
	if len(queue) > maxShortString {
		return nil, checkName(wire.BasicPublishID, "routing key", queue)
	}
	p.entry = entry{body: msg.Body, key: queue, exchange: x}
	p.deadline = v.broker.deadlineOf(ctx)
	if !msg.plain() {
		if headers, err = p.checkProperties(v.broker, msg); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A reply address as queue gets no privilege here: a request is no reply.
	return headers, v.admit(ctx, x, "", nil, nil)
}

// sendCall publishes the request. It counts the queues that may have it: when
// the last of them drops it, the call fails.
func (v *VirtualHost) sendCall(p *publishing, req *Request) error {
	if q := v.calledQueue(p, req.slot); q != nil {
		if req.copies.Load() != 1 { // mostly it is, from the call before
			req.copies.Store(1)
		}
		taken, err := q.push(p)
		if err != nil {
			return ErrNacked
		}
		if taken {
			return nil
		}
		req.slot.queue = nil // it is gone, or has no consumer with room
	}
	r := v.startRouting()
	defer v.endRouting(r)
	v.mu.RLock()
	r.route(p)
	v.mu.RUnlock()
	n := len(r.queues) + len(r.replies) + len(r.delays)
	req.copies.Store(int32(n))
	req.shared = n > 1
	nacked, err := v.deliver(p, r.queues, r.replies, r.delays)
	if nacked {
		return ErrNacked
	}
	return err
}

// calledQueue is the queue that a request goes to without routing, if it does.
// Mostly that is the one which the slot's call before went to.
func (v *VirtualHost) calledQueue(p *publishing, slot *replySlot) *queue {
	if p.exchange != v.fallback || p.extra != nil {
		return nil
	}
	if q := slot.queue; q != nil && q.name == p.key {
		return q
	}
	q := v.queue(p.key)
	if q != nil {
		slot.queue = q
	}
	return q
}

// await waits for the answer and gives the slot back.
func (v *VirtualHost) await(ctx context.Context, slot *replySlot, turn uint64, reply *Message) error {
	if done := ctx.Done(); done == nil {
		<-slot.signal
	} else {
		select {
		case <-slot.signal:
		case <-done:
			if slot.claim(turn) {
				v.replies.release(slot)
				return ctx.Err()
			}
			<-slot.signal // the answer was faster
		}
	}
	err := slot.err
	if err == nil {
		*reply = slot.reply
	}
	slot.reply.Headers, slot.reply.Body, slot.err = nil, nil, nil
	v.replies.release(slot)
	if err == nil {
		return nil
	}
	// Not what the queue or the handler made of the same end, who may have
	// been faster.
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return err
}

// dropped says that n of the queues have dropped the request.
func (r *Request) dropped(n int, err error) {
	switch {
	case r.copies.Add(int32(-n)) > 0:
	case r.parent != nil:
		r.parent.dropped(1, err)
	default:
		r.slot.fail(r.turn, err)
	}
}

// derive makes a request of the same call with other properties.
func (r *Request) derive(m *Message) *Request {
	return &Request{Message: *m, caller: r.caller, slot: r.slot, turn: r.turn, parent: r, shared: true}
}

// deadlineOf is ctx's deadline on the broker's clock; zero if it has none.
func (b *Broker) deadlineOf(ctx context.Context) int64 {
	if t, ok := ctx.Deadline(); ok {
		return b.deadlineAt(t)
	}
	return 0
}

// stampExpiration gives a message the time that is left to its caller.
func (r *Request) stampExpiration(m *Message) {
	if m.Expiration == "" {
		if ms, ok := remaining(r.caller); ok {
			m.Expiration = strconv.FormatInt(ms, 10)
		}
	}
}
