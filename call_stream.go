package warren

import (
	"context"
	"iter"
	"time"
)

// StreamCaller sends requests that are answered by any number of items. [Broker] and
// [VirtualHost] are StreamCallers.
type StreamCaller interface {
	CallStream(ctx context.Context, queue string, msg Message, in iter.Seq2[Message, error], opts ...CallOptions) iter.Seq2[Message, error]
}

const (
	defaultWindow = 256
	maxWindow     = 1 << 16
)

// CallStream sends a request to a queue whose handler answers with any number of items,
// and returns these: see [Broker.HandleStream]. A handler of [Broker.Handle], or a server
// over AMQP that knows nothing of streams, answers with one.
//
// Each loop over the result is a call of its own: the request is published when the loop
// begins. To leave the loop is to cancel the call: the handler's context ends. If the call
// fails, the last pair has the error, after the items that came before it, and no message.
// The errors are those of Call, [ErrServerLost] and [ErrBrokenStream].
//
// in are items that the caller sends to the handler; nil: none. It runs in a goroutine of
// its own, beside the loop, as far as the handler reads. If the call ends first, it is
// told to stop by its yield, and CallStream does not wait for it; Close does. An error
// that it yields goes to the handler instead of an item, and ends in, but not the call. A
// panic of in becomes one of the loop.
//
// The handler is at most [CallOptions].Window items ahead of the loop. An item's
// CorrelationId and ReplyTo are not sent.
func (b *Broker) CallStream(ctx context.Context, queue string, msg Message, in iter.Seq2[Message, error], opts ...CallOptions) iter.Seq2[Message, error] {
	return b.root.CallStream(ctx, queue, msg, in, opts...)
}

// CallStream sends a request to a queue of this virtual host. See [Broker.CallStream].
func (v *VirtualHost) CallStream(ctx context.Context, queue string, msg Message, in iter.Seq2[Message, error], opts ...CallOptions) iter.Seq2[Message, error] {
	o := callOptions(opts)
	return func(yield func(Message, error) bool) {
		msg, ctx, end := msg, ctx, func(error) {}
		if v.broker.options.Tracer != nil {
			op := &Operation{Kind: OperationCall, VirtualHost: v.name, Exchange: o.Exchange, RoutingKey: queue, Message: &msg}
			ctx, end = op.begin(ctx, v.broker.options.Tracer)
		}
		err := errUnfinished // unless the loop goes to its end
		defer func() { end(err) }()
		more := true
		err = v.callStream(ctx, queue, &msg, in, &o, func(m Message) bool {
			more = yield(m, nil)
			return more
		})
		if err != nil && more {
			yield(Message{}, err)
		}
	}
}

// callStream sends the request and calls yield for each item, until it returns false.
func (v *VirtualHost) callStream(ctx context.Context, queue string, msg *Message, in iter.Seq2[Message, error], o *CallOptions, yield func(Message) bool) error {
	c := &streamCall{done: make(chan struct{})}
	window := defaultWindow
	if o.Window > 0 {
		window = min(o.Window, maxWindow)
	}
	c.init(v, uint64(window))
	c.in.granted = uint64(window)
	headers := Table{StreamHeader: int64(window)}
	if in != nil {
		headers[StreamInHeader] = true
	}
	msg.Headers = withHeaders(msg.Headers, headers)
	caller := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := c.begin(ctx, queue, msg, o); err != nil {
		return err
	}
	defer c.end()
	if in != nil {
		v.broker.tasks.Add()
		go c.feed(in)
	}
	done := caller.Done()
	for {
		m, ok := c.next(done)
		if !ok {
			break
		}
		if err := caller.Err(); err != nil {
			return err
		}
		if !yield(m) {
			return nil
		}
	}
	return c.failure(caller)
}

// failure returns why a call fails whose items have ended, or nil. As for a Call, the end
// of the caller's context counts first.
func (c *streamCall) failure(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := c.in.reason()
	if d, ok := ctx.Deadline(); ok && err != nil && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return err
}
