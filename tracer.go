package warren

import (
	"context"
	"errors"
)

// Tracer is told of what this program does with messages, so that it can follow them
// from one program to another: see [Options].Tracer. Module warren/otel has one for
// OpenTelemetry. What clients of the listener do is not told: they have their own.
//
// Start is called when an operation begins, with the context that the operation was
// given: of a Publish, a Call or a read, of the caller of a request, or of a channel's
// functions. It returns the context in which the operation goes on, made from that one.
// Handlers, functions of ConsumeFunc and the context of a Call's request get it. end is
// called once, when the operation has ended, with its error or nil. A nil end is not
// called.
//
// Start and end are called by many goroutines at once, in the way of the message, and
// with no lock held. op is the tracer's until end.
type Tracer interface {
	Start(ctx context.Context, op *Operation) (_ context.Context, end func(err error))
}

// OperationKind says what is done with a message.
type OperationKind int

// The kinds of operations.
const (
	// OperationPublish is a Publish or PublishConfirm, until the queues have the message.
	OperationPublish OperationKind = iota + 1
	// OperationCall is a Call, until the answer is there.
	OperationCall
	// OperationReply sends the reply of a handler. An error that the handler returned is
	// the error of its OperationProcess, not of this.
	OperationReply
	// OperationReceive is a message that Next, Deliveries or Get return. It ends at once,
	// because what the program does with the message is not known.
	OperationReceive
	// OperationProcess is the run of a handler, or of a function of ConsumeFunc.
	OperationProcess
)

// Operation is what a [Tracer] is told of an operation.
type Operation struct {
	Kind        OperationKind
	VirtualHost string
	Exchange    string // that the message is published to; empty: the default exchange
	RoutingKey  string
	Queue       string // that the message comes from; empty for what is sent
	ConsumerTag string // of what is received, unless it was got by Get or by a handler
	DeliveryTag uint64 // likewise; zero for a handler
	Redelivered bool   // the message was delivered before and not settled

	// Message is what is sent or was received. Of what is sent, Start may replace Headers
	// by another table. It must change nothing else, and not the table itself: others
	// may have it.
	Message *Message
	// Request is what an OperationReply answers. It is nil for other kinds.
	Request *Message
}

// errUnfinished is what a tracer is told of a function that did not return.
var errUnfinished = errors.New("the function panicked or ended its goroutine")

// tracePublish begins a publish. The message is a copy of the caller's.
func (v *VirtualHost) tracePublish(ctx context.Context, exchange, key string, msg *Message) (context.Context, func(error)) {
	return v.trace(ctx, &Operation{
		Kind: OperationPublish, VirtualHost: v.name, Exchange: exchange, RoutingKey: key, Message: msg,
	})
}

// trace calls the tracer. The functions that it returns can be called.
func (v *VirtualHost) trace(ctx context.Context, op *Operation) (context.Context, func(error)) {
	ctx, end := v.broker.options.Tracer.Start(ctx, op)
	if end == nil {
		end = func(error) {}
	}
	return ctx, end
}

// publishTraced is publish with a tracer.
func (ch *Channel) publishTraced(ctx context.Context, exchange, key string, msg Message, o PublishOptions) error {
	ctx, end := ch.vhost.tracePublish(ctx, exchange, key, &msg)
	err := ch.publish(ctx, exchange, key, &msg, o)
	end(err)
	return err
}

// publishConfirmTraced is publishToConfirm with a tracer. It does not wait for the answer.
func (ch *Channel) publishConfirmTraced(ctx context.Context, exchange, key string, msg Message, o PublishOptions) (*Confirmation, error) {
	ctx, end := ch.vhost.tracePublish(ctx, exchange, key, &msg)
	c, err := ch.publishToConfirm(ctx, exchange, key, &msg, o)
	end(err)
	return c, err
}

// callTraced is call with a tracer.
func (v *VirtualHost) callTraced(ctx context.Context, queue string, msg Message, opts []CallOptions) (reply Message, err error) {
	ctx, end := v.trace(ctx, &Operation{
		Kind: OperationCall, VirtualHost: v.name, Exchange: callOptions(opts).Exchange, RoutingKey: queue, Message: &msg,
	})
	err = v.call(ctx, queue, &msg, opts, &reply)
	end(err)
	return reply, err
}

// traceReceive tells the tracer of a delivery that was read from queue.
func (ch *Channel) traceReceive(ctx context.Context, queue string, d Delivery) {
	_, end := ch.vhost.trace(ctx, &Operation{
		Kind: OperationReceive, VirtualHost: ch.vhost.name, Exchange: d.Exchange, RoutingKey: d.RoutingKey, Queue: queue,
		ConsumerTag: d.ConsumerTag, DeliveryTag: d.DeliveryTag, Redelivered: d.Redelivered, Message: &d.Message,
	})
	end(nil)
}

// callTraced calls the function of ConsumeFunc with a tracer.
func (w *worker) callTraced(d Delivery) (err error) {
	v := w.consumer.ch.vhost
	ctx, end := v.trace(w.ctx, &Operation{
		Kind: OperationProcess, VirtualHost: v.name, Exchange: d.Exchange, RoutingKey: d.RoutingKey, Queue: w.consumer.queue,
		ConsumerTag: d.ConsumerTag, DeliveryTag: d.DeliveryTag, Redelivered: d.Redelivered, Message: &d.Message,
	})
	err = errUnfinished // unless the function returns
	defer func() { end(err) }()
	return w.call(ctx, d)
}

// runTraced runs a handler with a tracer. The tracer's context takes the place of the
// caller's, from which it is made.
func (h *Handler) runTraced(s *served) (reply Message, err error) {
	ctx, end := h.vhost.trace(s.ctx.parent(), &Operation{
		Kind: OperationProcess, VirtualHost: h.vhost.name, Exchange: s.Exchange, RoutingKey: s.RoutingKey, Queue: h.queue.Name(),
		Redelivered: s.Redelivered, Message: &s.Message,
	})
	s.ctx.caller = ctx
	err = errUnfinished
	defer func() {
		failed := err
		if errors.Is(err, ErrNoReply) {
			failed = withoutNoReply(err) // to send no reply is no failure
		}
		end(failed)
	}()
	return h.runTimed(&s.ctx, &s.Request)
}

// traceReply tells the tracer that a reply is sent to a routing key.
func (h *Handler) traceReply(s *served, reply *Message) (end func(error)) {
	ctx := s.ctx.caller
	if ctx == nil { // the function has ended its goroutine
		ctx = context.Background()
	}
	sent := *reply // so that a reply need not be on the heap without a tracer
	_, end = h.vhost.trace(ctx, &Operation{
		Kind: OperationReply, VirtualHost: h.vhost.name, RoutingKey: s.ReplyTo, Message: &sent, Request: &s.Message,
	})
	reply.Headers = sent.Headers
	return end
}
