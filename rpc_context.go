package warren

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/link"
)

// requestContext is the context of a handler. It is the caller's context, which also
// ends with the requester, the broker and the handler. The liveContext that it needs
// for this is made when the handler first uses Done or Err.
type requestContext struct {
	caller  context.Context // of an in-process Call; otherwise nil
	handler *Handler
	request *Request
	terms   *terms // of the request; nil: none
	live    atomic.Pointer[liveContext]
}

func (c *requestContext) parent() context.Context {
	if c.terms.isDurable() {
		if c.caller != nil {
			return context.WithoutCancel(c.caller)
		}
		return context.Background()
	}
	if c.caller != nil {
		return c.caller
	}
	r := c.handler.vhost.replies.find(c.request.ReplyTo)
	switch {
	case r.consumer != nil:
		return r.consumer.context()
	case r.caller != nil: // somebody has passed the request of a Call on
		return r.caller
	case isReplyAddress(c.request.ReplyTo): // the requester has gone
		return &c.handler.vhost.broker.endedContext
	}
	return context.Background()
}

// ensureLive returns the live context, and makes it if necessary.
func (c *requestContext) ensureLive() *liveContext {
	if l := c.live.Load(); l != nil {
		return l
	}
	var ctx context.Context
	var cancel context.CancelFunc
	if d, ok := c.Deadline(); ok && c.terms != nil {
		ctx, cancel = context.WithDeadline(c.parent(), d)
	} else {
		ctx, cancel = context.WithCancel(c.parent())
	}
	l := &liveContext{Context: ctx, cancel: cancel, stop: context.AfterFunc(c.handler.vhost.broker.handlersCtx, cancel)}
	if !c.live.CompareAndSwap(nil, l) {
		l.stopAndCancel()
		return c.live.Load()
	}
	return l
}

// finish ends the context after the handler has returned. A context that was not
// used before is replaced by one that has ended.
func (c *requestContext) finish() {
	if !c.live.CompareAndSwap(nil, &c.handler.vhost.broker.endedContext) {
		c.live.Load().stopAndCancel()
	}
}

// Deadline returns the caller's deadline, or that of the request's terms.
func (c *requestContext) Deadline() (d time.Time, ok bool) {
	if c.caller != nil {
		d, ok = c.caller.Deadline()
	}
	return c.terms.earlier(d, ok)
}

// Done returns a channel that is closed when the request's work should stop.
func (c *requestContext) Done() <-chan struct{} { return c.ensureLive().Done() }

// Err returns why the context has ended, or nil.
func (c *requestContext) Err() error { return c.ensureLive().Err() }

// Value returns the value of the caller's context. It is there for good:
// context.WithoutCancel is for work that goes on after the handler has returned.
func (c *requestContext) Value(key any) any {
	switch key.(type) {
	case handlerKey:
		return c.handler
	case requestKey:
		return c.request
	case liveKey:
		return c.ensureLive()
	case link.CancelKey:
		return c.ensureLive().cancel
	}
	if l := c.live.Load(); l != nil && l != &c.handler.vhost.broker.endedContext {
		return l.Value(key)
	}
	if c.caller != nil {
		return c.caller.Value(key)
	}
	return nil
}

// String returns a description for printing.
func (c *requestContext) String() string { return "warren.Handler(" + c.handler.queue.Name() + ")" }

// RequestFrom returns the request that the handler works on, if ctx is a handler's
// context or made from one. Otherwise it returns nil. A handler of [HandleFor] gets
// headers, exchange, routing key and the rest from it.
func RequestFrom(ctx context.Context) *Request {
	req, _ := ctx.Value(requestKey{}).(*Request)
	return req
}

// requestKey is the key of a handler's request in its context, and liveKey that of the
// *liveContext.
type (
	requestKey struct{}
	liveKey    struct{}
)
