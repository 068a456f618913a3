package warren

import (
	"context"
	"sync/atomic"
)

// liveContext is a cancellable context of a handler, made when the handler first
// uses its own.
type liveContext struct {
	context.Context
	cancel context.CancelFunc
	stop   func() bool

	streamed atomic.Bool // a stream of items has been begun in it
}

// newEndedContext makes a context that has ended.
func newEndedContext() liveContext {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return liveContext{Context: ctx, cancel: cancel, stop: func() bool { return false }}
}

func (l *liveContext) stopAndCancel() {
	l.stop()
	l.cancel()
}

// handlerKey is the key of the work that the broker waits for when it drains: a
// handler or a channel with a function.
type handlerKey struct{}

// fromHandler reports whether ctx comes from a handler or a function of ConsumeFunc.
// They may publish and call while the broker drains.
func fromHandler(ctx context.Context) bool { return ctx.Value(handlerKey{}) != nil }
