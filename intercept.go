package warren

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// CallFunc sends a request and waits for the answer: it has the signature of
// [Caller].Call.
type CallFunc func(ctx context.Context, queue string, msg Message, opts ...CallOptions) (Message, error)

// PublishFunc publishes a message on a channel: it has the signature of
// [Channel.Publish], and the channel.
type PublishFunc func(ctx context.Context, ch *Channel, exchange, key string, msg Message, o PublishOptions) error

// Interceptors stand around what the program does with messages, as middleware of
// net/http stands around an http.Handler. Each is given the next function and returns
// the one that takes its place. The first of a list is the outermost: it is the first
// that sees a message, and the last that sees the result. Those of [Options] are
// outside of those of [HandleOptions] and [ConsumeOptions]. Package
// warren/intercept has some.
//
// A list is put together once: for each handler and each ConsumeFunc when it begins, for
// the calls of a virtual host and the publishes of a broker before the first one. What an
// interceptor does meanwhile must not use the broker. The functions that interceptors
// return are called by many goroutines at once, with no lock held.
//
// An interceptor may change what it passes on, but not the message's Headers or Body
// themselves, which others may have. It may call next more than once, or never: its own
// result then counts. If it panics, a Call or Publish panics, and a handler or a function
// of ConsumeFunc fails as if it had panicked itself. Interceptors are outside of what
// [Options].Tracer is told of a Call or Publish, so that each try of a repeated call is an
// operation of its own, and inside of OperationProcess. Nil functions are left out.
type Interceptors struct {
	// Call is for [Broker.Call], [VirtualHost.Call] and what is built on them, such as
	// [CallFor]. It is not for those whose answers are a loop, such as [Broker.CallMany]
	// and [Broker.CallStream].
	Call []func(CallFunc) CallFunc
	// Handle is for handlers, of calls from inside and from outside of the process. A
	// handler of a stream of items returns when the stream has ended. Its items cannot be
	// taken back: if it is called again, it fails.
	Handle []func(HandlerFunc) HandlerFunc
	// Publish is for [Channel.Publish] and [Channel.PublishConfirm]. In a transaction it
	// is for the Publish, not for the commit. What an interceptor publishes itself is
	// intercepted, too. What clients of the listener publish is not, and neither are
	// requests and replies.
	//
	// An interceptor passes on the PublishOptions that it was given, or a changed copy of
	// them: they know whether the message is a Publish or a PublishConfirm. A
	// PublishConfirm whose interceptors return nil without a Confirmation, because next
	// was not called, gives one that is acked and has no DeliveryTag.
	Publish []func(PublishFunc) PublishFunc
	// Consume is for the functions of [Channel.ConsumeFunc], [Broker.Subscribe] and
	// [Broker.Work]. A subscription repeats after what the outermost has returned.
	Consume []func(DeliveryFunc) DeliveryFunc
}

// intercepted are the functions that interceptors stand around.
type intercepted interface {
	CallFunc | HandlerFunc | PublishFunc | DeliveryFunc
}

// chain puts interceptors around a function.
func chain[F intercepted](with []func(F) F, inner F) F {
	for _, w := range slices.Backward(with) {
		if w == nil {
			continue
		}
		if f := w(inner); f != nil {
			inner = f
		}
	}
	return inner
}

// chained is a function with its interceptors, which are put around it before it is
// called for the first time. If one of them panics then, the next call tries again.
type chained[F intercepted] struct {
	f  atomic.Pointer[F]
	mu sync.Mutex // held while f is made, and never else
}

// make returns the function. inner is the one that interceptors stand around.
func (c *chained[F]) make(with []func(F) F, inner F) *F {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.f.Load(); f != nil {
		return f
	}
	f := chain(with, inner)
	c.f.Store(&f)
	return &f
}

// copied returns the lists of i, which the user may change. An empty one is nil.
func (i Interceptors) copied() Interceptors {
	return Interceptors{copyList(i.Call), copyList(i.Handle), copyList(i.Publish), copyList(i.Consume)}
}

func copyList[F any](list []F) []F { return append([]F(nil), list...) }
