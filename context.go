package warren

import "context"

// liveContext is a context that somebody looks at.
type liveContext struct {
	context.Context
	cancel context.CancelFunc
	stop   func() bool
}

// newFinished makes a context that has ended.
func newEndedContext() liveContext {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return liveContext{ctx, cancel, func() bool { return false }}
}

func (l *liveContext) stopAndCancel() {
	l.stop()
	l.cancel()
}

// handlerKey finds the Handler in a context.
type handlerKey struct{}

// fromHandler reports whether ctx came from a handler, whose work is finished
// even when the broker takes no more.
func fromHandler(ctx context.Context) bool { return ctx.Value(handlerKey{}) != nil }
