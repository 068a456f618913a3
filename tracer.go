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
	Queue       string // that the message comes from, or the request of an OperationReply; empty for what else is sent
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

// begin tells a tracer of an operation. The function that it returns can be called.
func (op *Operation) begin(ctx context.Context, t Tracer) (context.Context, func(error)) {
	ctx, end := t.Start(ctx, op)
	if end == nil {
		end = func(error) {}
	}
	return ctx, end
}
