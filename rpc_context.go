package warren

import (
	"context"
	"sync/atomic"
	"time"
)

// requestContext is the context of a handler: that of the caller, which ends
// as well with the requester, the broker and the handler. A handler that does
// not look at it costs nothing but this; the first look makes a liveContext.
type requestContext struct {
	caller  context.Context // of an in-process Call; else nil
	replyTo string          // where another requester is
	handler *Handler
	live    atomic.Pointer[liveContext]
}

// contexts are those of a worker's requests to come: making several at a time
// costs less.
type contexts []requestContext

func (c *contexts) next() *requestContext {
	if len(*c) == 0 {
		*c = make(contexts, 8)
	}
	ctx := &(*c)[0]
	*c = (*c)[1:]
	return ctx
}

func (c *requestContext) parent() context.Context {
	if c.caller != nil {
		return c.caller
	}
	r := c.handler.vhost.replies.find(c.replyTo)
	switch {
	case r.consumer != nil:
		return r.consumer.context()
	case r.caller != nil: // somebody has passed the request on
		return r.caller
	case isReplyAddress(c.replyTo): // the requester has gone
		return &c.handler.vhost.broker.endedContext
	}
	return context.Background()
}

// watch makes the live context.
func (c *requestContext) ensureLive() *liveContext {
	if l := c.live.Load(); l != nil {
		return l
	}
	ctx, cancel := context.WithCancel(c.parent())
	l := &liveContext{ctx, cancel, context.AfterFunc(c.handler.vhost.broker.handlersCtx, cancel)}
	if !c.live.CompareAndSwap(nil, l) {
		l.stopAndCancel()
		return c.live.Load()
	}
	return l
}

// finish ends the context after the handler has returned. Who has not looked
// until then finds one that has ended.
func (c *requestContext) finish() {
	if !c.live.CompareAndSwap(nil, &c.handler.vhost.broker.endedContext) {
		c.live.Load().stopAndCancel()
	}
}

// Deadline is the caller's.
func (c *requestContext) Deadline() (time.Time, bool) {
	if c.caller == nil {
		return time.Time{}, false
	}
	return c.caller.Deadline()
}

// Done is closed when the handler's work is not wanted any more.
func (c *requestContext) Done() <-chan struct{} { return c.ensureLive().Done() }

// Err tells why.
func (c *requestContext) Err() error { return c.ensureLive().Err() }

// Value finds what the caller's context has.
func (c *requestContext) Value(key any) any {
	if key == (handlerKey{}) {
		return c.handler
	}
	if l := c.live.Load(); l != nil {
		return l.Value(key)
	}
	if c.caller != nil {
		return c.caller.Value(key)
	}
	return nil
}

// String tells what the context is, for those who print it.
func (c *requestContext) String() string { return "warren.Handler(" + c.handler.queue.Name + ")" }
