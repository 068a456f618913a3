package warren

import (
	"context"
	"fmt"
	"iter"
)

// ManyCaller sends a request to many servers. [Broker] and [VirtualHost] are
// ManyCallers. A connection to a remote broker can be one, too, but knows neither the
// queues nor how many there are.
type ManyCaller interface {
	CallMany(ctx context.Context, exchange, key string, msg Message, opts ...CallManyOptions) iter.Seq2[Answer, error]
}

// Answer is what one of the queues of [Broker.CallMany] has answered.
type Answer struct {
	Message        // the reply
	Queue   string // whose server has sent it; empty: it is not known, see [ManyCaller]
}

// AnswerError is why one of the queues of [Broker.CallMany] has not answered.
type AnswerError struct {
	Queue string // empty: it is not known
	Err   error
}

// Error returns the queue, if it is known, and the text of Err.
func (e *AnswerError) Error() string {
	if e.Queue == "" {
		return fmt.Sprintf("warren: no answer: %v", e.Err)
	}
	return fmt.Sprintf("warren: no answer from queue '%s': %v", e.Queue, e.Err)
}

// Unwrap returns Err.
func (e *AnswerError) Unwrap() error { return e.Err }

// CallManyOptions say how a request is sent to many, and when it is enough. The zero
// value waits for all. If several are given to one CallMany, the last one that sets a
// field determines it.
type CallManyOptions struct {
	// Count is after how many answers the loop ends; errors do not count. The handlers
	// that have not answered by then are told to stop. Zero or less: after all.
	Count int
	// RequireConsumer makes each queue fail with [ErrNoConsumers] at once unless a consumer
	// has room for the request.
	RequireConsumer bool
	// Properties are the properties of the request of [CallManyFor], as
	// [CallOptions].Properties.
	Properties Message
	// Codec is the codec of [CallManyFor]. Nil: [JSON].
	Codec Codec
}

// callManyOptions merges several options into one.
func callManyOptions(opts []CallManyOptions) (all CallManyOptions) {
	for i := range opts {
		o := &opts[i]
		if o.Count != 0 {
			all.Count = o.Count
		}
		all.RequireConsumer = all.RequireConsumer || o.RequireConsumer
		if !o.Properties.properties().Plain() {
			all.Properties = o.Properties
		}
		if o.Codec != nil {
			all.Codec = o.Codec
		}
	}
	return all
}

// CallMany sends a request to all queues that an exchange routes it to, and returns the
// answers as they come: one of each queue. Which of the servers of a queue answers is the
// queue's choice, as with [Broker.Call]; to ask each server, each has a queue of its own
// bound to the exchange, a [Fanout] for example.
//
// A queue that has no answer yields an [*AnswerError], which tells the queue, as the
// Answer beside it does, and why: a [*RemoteError] of its handler, [ErrRequestDropped],
// [ErrNoConsumers], [ErrNacked], [ErrNoRoute] if it was deleted meanwhile, [ErrClosed]
// when the broker closes. When ctx ends, all that have not answered yield ctx's error.
// Then, or after the last queue, or after [CallManyOptions].Count answers, the loop is
// over. Only if nothing could be sent, the loop yields one error that is no *AnswerError:
// [ErrNoRoute] if there is no queue, ctx's error if ctx has ended before, or what
// [Channel.Publish] fails with. An exchange that would delay the message fails with 406.
//
// The request is sent when the loop begins, again by each loop. To leave the loop is to
// give up the rest: the contexts of the handlers end, and later replies are dropped.
//
// Each queue gets a copy of the request with a ReplyTo of its own, and with a
// CorrelationId of its own unless msg has one. Deliveries of such a copy are as those of a
// Call in all other respects, so that two replies to it are one answer.
func (b *Broker) CallMany(ctx context.Context, exchange, key string, msg Message, opts ...CallManyOptions) iter.Seq2[Answer, error] {
	return b.root.CallMany(ctx, exchange, key, msg, opts...)
}

// CallMany sends a request to many queues of this virtual host. See [Broker.CallMany].
func (v *VirtualHost) CallMany(ctx context.Context, exchange, key string, msg Message, opts ...CallManyOptions) iter.Seq2[Answer, error] {
	o := callManyOptions(opts)
	return func(yield func(Answer, error) bool) {
		ctx, msg, end := ctx, msg, func(error) {}
		if t := v.broker.options.Tracer; t != nil {
			op := &Operation{Kind: OperationCall, VirtualHost: v.name, Exchange: exchange, RoutingKey: key, Message: &msg}
			ctx, end = op.begin(ctx, t)
		}
		if v.elsewhere != nil {
			err := errUnfinished // unless the loop goes to its end
			defer func() { end(err) }()
			err = v.callManyElsewhere(ctx, exchange, key, &msg, &o, yield)
			return
		}
		g := &gathering{vhost: v, ctx: ctx, count: o.Count}
		defer func() {
			g.end()
			end(g.err)
		}()
		if g.err = g.send(exchange, key, &msg, o.RequireConsumer); g.err != nil {
			yield(Answer{}, g.err)
			return
		}
		g.yieldAll(yield)
	}
}

// AnswerOf is an [Answer] with the value that [CallManyFor] has decoded from it.
type AnswerOf[R any] struct {
	Answer
	Value R
}

// CallManyFor is CallMany with values instead of bodies, as [CallFor] is for a Call. An
// answer that cannot be decoded yields an [*AnswerError] beside the Answer.
func CallManyFor[R any](ctx context.Context, c ManyCaller, exchange, key string, request any, opts ...CallManyOptions) iter.Seq2[AnswerOf[R], error] {
	return func(yield func(AnswerOf[R], error) bool) {
		o := callManyOptions(opts)
		codec, msg := codecOrJSON(o.Codec), o.Properties
		var err error
		if msg.Body, err = codec.Marshal(request); err != nil {
			yield(AnswerOf[R]{}, fmt.Errorf("warren: encode the request to exchange '%s': %w", exchange, err))
			return
		}
		if msg.ContentType == "" {
			msg.ContentType = codec.ContentType()
		}
		for answer, err := range c.CallMany(ctx, exchange, key, msg, opts...) {
			one := AnswerOf[R]{Answer: answer}
			if err == nil {
				if wrong := codec.Unmarshal(answer.Body, &one.Value); wrong != nil {
					err = &AnswerError{answer.Queue, fmt.Errorf("decode the reply: %w", wrong)}
				}
			}
			if !yield(one, err) {
				return
			}
		}
	}
}
