package warren

import (
	"context"
	"time"

	"github.com/warrenmq/warren/internal/table"
)

// Caller sends requests. [Broker] and [VirtualHost] are Callers. A connection to a
// remote broker can be one, too.
type Caller interface {
	Call(ctx context.Context, queue string, msg Message, opts ...CallOptions) (Message, error)
}

// Call sends a request to a queue and waits for the answer. The package
// documentation says what the request carries.
//
// The request is published to the default exchange with queue as routing key. Call
// fails at once with [ErrNoRoute] if there is no such queue. It fails with ctx's
// error when ctx ends, with [*RemoteError] when the handler fails, with
// [ErrRequestDropped] when the request is lost with its queue, and with [ErrClosed]
// when the broker closes. A request without CorrelationId gets one. The broker sets
// ReplyTo. A request that is refused, or that waits for memory, fails as in
// [Channel.Publish].
func (b *Broker) Call(ctx context.Context, queue string, msg Message, opts ...CallOptions) (reply Message, err error) {
	err = b.root.callAny(ctx, queue, &msg, opts, &reply)
	return reply, err
}

// Call sends a request to a queue of this virtual host. See [Broker.Call].
func (v *VirtualHost) Call(ctx context.Context, queue string, msg Message, opts ...CallOptions) (reply Message, err error) {
	err = v.callAny(ctx, queue, &msg, opts, &reply)
	return reply, err
}

// callAny is Call. Messages go by pointers from here on, because they are large.
func (v *VirtualHost) callAny(ctx context.Context, queue string, msg *Message, opts []CallOptions, reply *Message) (err error) {
	if o := &v.broker.options; o.Intercept.Call != nil {
		*reply, err = v.callIntercepted(ctx, queue, *msg, opts)
		return err
	} else if o.Tracer != nil {
		*reply, err = v.callTraced(ctx, queue, *msg, opts)
		return err
	}
	return v.call(ctx, queue, msg, opts, reply)
}

// callIntercepted is Call with interceptors.
func (v *VirtualHost) callIntercepted(ctx context.Context, queue string, msg Message, opts []CallOptions) (Message, error) {
	var own []CallOptions // so that those of a Call without interceptors need not be on the heap
	if len(opts) > 0 {
		own = append(own, opts...)
	}
	f := v.calls.f.Load()
	if f == nil {
		f = v.makeCalls()
	}
	return (*f)(ctx, queue, msg, own...)
}

// call publishes a request with a new reply address as ReplyTo, and waits for the
// first reply to that address.
func (v *VirtualHost) call(ctx context.Context, queue string, msg *Message, opts []CallOptions, reply *Message) error {
	var p publishing
	p.Mandatory = true
	exchange, served := "", ctx
	if len(opts) > 0 {
		o := callOptions(opts)
		exchange, p.Immediate = o.Exchange, o.RequireConsumer
		if o.Durable {
			served = makeDurable(ctx, msg)
		}
	}
	headers, err := v.prepareCall(ctx, &p, exchange, queue, msg)
	if err != nil {
		return err
	}
	slot, round, address, err := v.replies.takeSlot(DirectReplyTo, holder{caller: ctx})
	if err != nil {
		p.release(&v.broker.queues)
		return err
	}
	c := slot.newCall(served, round, msg)
	c.ReplyTo = address
	if c.CorrelationId == "" {
		c.CorrelationId = address[len(DirectReplyTo)+1:]
	}
	c.setHeaders(msg.Headers, headers)
	p.Content = c
	if v.broker.disk != nil {
		err = v.admitToDisk(ctx, &p, nil, nil)
	}
	if err == nil {
		err = v.sendCall(&p, c)
	}
	p.release(&v.broker.queues)
	if err != nil && slot.claim(round) {
		v.replies.freeSlot(slot)
		return err
	} // else the request was sent, or has an answer already
	err = v.awaitReply(ctx, slot, round, reply)
	if v.elsewhere != nil {
		v.elsewhere.Forget(address)
	}
	return err
}

// makeCalls returns Call with its interceptors, before it is called for the first time.
func (v *VirtualHost) makeCalls() *CallFunc {
	// A method value would copy the message once more.
	next := func(ctx context.Context, queue string, msg Message, opts ...CallOptions) (reply Message, err error) {
		if v.broker.options.Tracer != nil {
			return v.callTraced(ctx, queue, msg, opts)
		}
		err = v.call(ctx, queue, &msg, opts, &reply)
		return reply, err
	}
	return v.calls.make(v.broker.options.Intercept.Call, next)
}

// callTraced is call with a tracer.
func (v *VirtualHost) callTraced(ctx context.Context, queue string, msg Message, opts []CallOptions) (reply Message, err error) {
	op := &Operation{
		Kind: OperationCall, VirtualHost: v.name, Exchange: callOptions(opts).Exchange, RoutingKey: queue, Message: &msg,
	}
	ctx, end := op.begin(ctx, v.broker.options.Tracer)
	err = v.call(ctx, queue, &msg, opts, &reply)
	end(err)
	return reply, err
}

// prepareCall makes the checks of basic.publish. It completes msg, which is a copy
// of the caller's message. The result is as in setProperties.
func (v *VirtualHost) prepareCall(ctx context.Context, p *publishing, exchange, key string, msg *Message) (headers table.Checked, err error) {
	p.Body, p.Key = msg.Body, key
	to := exchange
	if v.elsewhere != nil {
		to = ""
	}
	if err := v.prepare(p, nil, to); err != nil {
		return headers, err
	}
	if v.elsewhere != nil {
		name := exchange // which is there, if anywhere
		p.Exchange = &name
	}
	p.Deadline = v.broker.deadlineOf(ctx)
	if props := msg.properties(); !props.Plain() {
		if headers, err = p.setProperties(&v.broker.queues, props); err != nil {
			return headers, err
		}
	}
	if err := ctx.Err(); err != nil {
		return headers, err
	}
	if v.broker.admitsAny() || v.broker.admits(p) {
		return headers, nil
	}
	return headers, v.admit(ctx, p, nil)
}

// sendCall publishes the request. It counts the queues that have it: when the last
// of them drops it, the call fails.
func (v *VirtualHost) sendCall(p *publishing, c *call) error {
	if v.elsewhere != nil {
		return v.sendElsewhere(p, c)
	}
	if q := v.calledQueue(p, c.slot); q != nil {
		taken, err := q.Push(&p.Publishing)
		if err != nil {
			return nackedBy(err)
		}
		if taken {
			p.countPassed(1)
			return nil
		}
		c.slot.recentQueue = nil // the queue is deleted, or no consumer has room
	}
	w := v.getWalk()
	defer v.putWalk(w)
	v.walk(w, p)
	queues, replies := w.Queues(), w.Replies()
	n := len(queues) + len(replies) + len(w.Delays)
	c.share(n)
	nacked, err := v.deliverRouted(p, queues, replies, w.Delays)
	if nacked {
		return ErrNacked
	}
	return err
}

// calledQueue returns the queue that a request goes to without routing, or nil.
// Usually it is the queue of the slot's previous call.
func (v *VirtualHost) calledQueue(p *publishing, slot *replySlot) *declaredQueue {
	if p.to != v.defaultExchange || p.Extra != nil {
		return nil
	}
	if q := slot.recentQueue; q != nil && q.Name() == p.Key {
		return q
	}
	q := v.queue(p.Key)
	if q != nil {
		slot.recentQueue = q
	}
	return q
}

// awaitReply waits for the answer and frees the slot.
func (v *VirtualHost) awaitReply(ctx context.Context, slot *replySlot, round uint64, reply *Message) error {
	if done := ctx.Done(); done == nil {
		<-slot.signal
	} else {
		select {
		case <-slot.signal:
		case <-done:
			if slot.claim(round) {
				v.replies.freeSlot(slot)
				return ctx.Err()
			}
			<-slot.signal // the answer came first
		}
	}
	err := slot.answer.take(reply)
	v.replies.freeSlot(slot)
	if err == nil {
		return nil
	}
	*reply = Message{} // it has told of the error only
	return callError(ctx, err)
}

// callError returns the error of a call that was answered with err. If the context has
// ended, that is its error: the queue or the handler may have seen the same end first.
func callError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return receivedError(err)
}
