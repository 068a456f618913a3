package warren

import (
	"context"
	"time"
)

// Caller sends requests. [Broker] and [VirtualHost] are Callers, and so can be
// a connection to a remote broker.
type Caller interface {
	Call(ctx context.Context, queue string, msg Message, opts ...CallOptions) (Message, error)
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

// Call sends a request to a queue and waits for the answer. See the package
// documentation for what travels with it.
//
// The request is published to the default exchange with queue as routing key.
// With nobody bound, it fails at once with [ErrNoRoute]. It ends with ctx's
// error when ctx ends, with [*RemoteError] when the handler failed, with
// [ErrRequestDropped] when the request was lost with its queue, and with
// [ErrClosed] when the broker closes. A request without CorrelationId gets
// one; ReplyTo is set by the broker. A request that is refused, or that waits
// for memory, fails as in [Channel.Publish]. Any number of goroutines may call.
func (b *Broker) Call(ctx context.Context, queue string, msg Message, opts ...CallOptions) (reply Message, err error) {
	err = b.root.call(ctx, queue, &msg, opts, &reply)
	return reply, err
}

// Call sends a request to a queue of this virtual host. See [Broker.Call].
func (v *VirtualHost) Call(ctx context.Context, queue string, msg Message, opts ...CallOptions) (reply Message, err error) {
	err = v.call(ctx, queue, &msg, opts, &reply)
	return reply, err
}

// call publishes a request with an address of its own as ReplyTo and waits for
// what comes there: the reply.
func (v *VirtualHost) call(ctx context.Context, queue string, msg *Message, opts []CallOptions, reply *Message) error {
	var o CallOptions
	if len(opts) > 0 {
		o = callOptions(opts)
	}
	var p publishing
	narrow, err := v.prepareCall(ctx, &p, queue, msg, &o)
	if err != nil {
		return err
	}
	slot, round, address, err := v.replies.takeSlot(DirectReplyTo, nil, ctx)
	if err != nil {
		return err
	}
	c := slot.newCall(ctx, round, msg)
	c.ReplyTo = address
	if c.CorrelationId == "" {
		c.CorrelationId = address[len(DirectReplyTo)+1:]
	}
	c.setHeaders(msg.Headers, narrow)
	p.Content = c
	if err := v.sendCall(&p, c); err != nil && slot.claim(round) {
		v.replies.freeSlot(slot)
		return err
	} // else it is on its way, or has an answer all the same
	return v.awaitReply(ctx, slot, round, reply)
}

// prepareCall makes the checks of basic.publish, and makes msg, which is the
// caller's own copy, what is sent. Narrow is as in checkProperties.
func (v *VirtualHost) prepareCall(ctx context.Context, p *publishing, queue string, msg *Message, o *CallOptions) (narrow bool, err error) {
	p.Mandatory, p.Immediate = true, o.RequireConsumer
	p.Body, p.Key = msg.Body, queue
	if err := v.prepare(p, nil, o.Exchange); err != nil {
		return false, err
	}
	p.Deadline = v.broker.deadlineOf(ctx)
	if props := msg.properties(); !props.Plain() {
		if narrow, err = p.setProperties(v.broker, props); err != nil {
			return false, err
		}
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return narrow, v.admit(ctx, p, nil, nil)
}

// sendCall publishes the request. It counts the queues that may have it: when
// the last of them drops it, the call fails.
func (v *VirtualHost) sendCall(p *publishing, c *call) error {
	if q := v.calledQueue(p, c.slot); q != nil {
		if c.copies.Load() != 1 { // mostly it is, from the call before
			c.copies.Store(1)
		}
		taken, err := q.Push(&p.Publishing)
		if err != nil {
			return ErrNacked
		}
		if taken {
			return nil
		}
		c.slot.recentQueue = nil // it is gone, or has no consumer with room
	}
	w := v.getWalk()
	defer v.putWalk(w)
	v.walk(w, p)
	n := len(w.Queues) + len(w.Replies) + len(w.Delays)
	c.copies.Store(int32(n))
	c.shared = n > 1
	nacked, err := v.deliverRouted(p, w.Queues, w.Replies, w.Delays)
	if nacked {
		return ErrNacked
	}
	return err
}

// calledQueue is the queue that a request goes to without routing, if it does.
// Mostly that is the one which the slot's call before went to.
func (v *VirtualHost) calledQueue(p *publishing, slot *replySlot) *declaredQueue {
	if p.to != v.defaultExchange || p.Extra != nil {
		return nil
	}
	if q := slot.recentQueue; q != nil && q.Name == p.Key {
		return q
	}
	q := v.queue(p.Key)
	if q != nil {
		slot.recentQueue = q
	}
	return q
}

// await waits for the answer and gives the slot back.
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
			<-slot.signal // the answer was faster
		}
	}
	err := slot.err
	if err == nil {
		*reply = slot.reply
	}
	slot.reply.Headers, slot.reply.Body, slot.err = nil, nil, nil
	v.replies.freeSlot(slot)
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
