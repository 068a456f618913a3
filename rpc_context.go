package warren

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/link"
)

// served is a request with the context of its handler, which it is itself. That is the
// caller's context, which also ends with the requester, the broker and the handler. The
// liveContext that it needs for this is made when the handler first uses Done or Err.
//
// It is one allocation for each request, so it has nothing but what most requests need.
type served struct {
	Request

	caller  context.Context // of an in-process Call; otherwise nil
	handler *Handler
	terms   *terms // of the request; nil: none
	live    atomic.Pointer[liveContext]
}

func (s *served) parent() context.Context {
	if s.terms.isDurable() {
		if s.caller != nil {
			return context.WithoutCancel(s.caller)
		}
		return context.Background()
	}
	if s.caller != nil {
		return s.caller
	}
	r := s.handler.vhost.replies.find(s.ReplyTo)
	switch {
	case r.consumer != nil:
		return r.consumer.context()
	case r.caller != nil: // somebody has passed the request of a Call on
		return r.caller
	case isReplyAddress(s.ReplyTo): // the requester has gone
		return &s.handler.ended
	}
	return context.Background()
}

// ensureLive returns the live context, and makes it if necessary.
func (s *served) ensureLive() *liveContext {
	if l := s.live.Load(); l != nil {
		return l
	}
	var ctx context.Context
	var cancel context.CancelFunc
	if d, ok := s.Deadline(); ok && s.terms != nil {
		ctx, cancel = context.WithDeadline(s.parent(), d)
	} else {
		ctx, cancel = context.WithCancel(s.parent())
	}
	l := &liveContext{Context: ctx, cancel: cancel, stop: context.AfterFunc(s.handler.vhost.broker.handlersCtx, cancel)}
	if !s.live.CompareAndSwap(nil, l) {
		l.stopAndCancel()
		return s.live.Load()
	}
	return l
}

// finish ends the context after the handler has returned. A context that was not
// used before is replaced by one that has ended.
func (s *served) finish() {
	if !s.live.CompareAndSwap(nil, &s.handler.ended) {
		s.live.Load().stopAndCancel()
	}
}

// Deadline returns the caller's deadline, or that of the request's terms.
func (s *served) Deadline() (d time.Time, ok bool) {
	if s.caller != nil {
		d, ok = s.caller.Deadline()
	}
	return s.terms.earlier(d, ok)
}

// Done returns a channel that is closed when the request's work should stop.
func (s *served) Done() <-chan struct{} { return s.ensureLive().Done() }

// Err returns why the context has ended, or nil.
func (s *served) Err() error { return s.ensureLive().Err() }

// Value returns the value of the caller's context. It is there for good:
// context.WithoutCancel is for work that goes on after the handler has returned.
func (s *served) Value(key any) any {
	switch key.(type) {
	case handlerKey:
		return s.handler
	case requestKey:
		return &s.Request
	case liveKey:
		return s.ensureLive()
	case link.CancelKey:
		return s.ensureLive().cancel
	}
	if l := s.live.Load(); l != nil && l != &s.handler.ended {
		return l.Value(key)
	}
	if s.caller != nil {
		return s.caller.Value(key)
	}
	return nil
}

// String returns a description for printing.
func (s *served) String() string { return "warren.Handler(" + s.handler.queue.Name() + ")" }

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
