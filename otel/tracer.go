package otel

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/warrenmq/warren"
)

// ScopeName is the name of the instrumentation scope of all spans.
const ScopeName = "github.com/warrenmq/warren/otel"

// Options configure a tracer. The zero value is right for most programs.
type Options struct {
	// TracerProvider makes the spans. Nil: the global one, which may be set later.
	TracerProvider trace.TracerProvider

	// Propagator writes the context into headers of messages, and reads it. Nil: W3C
	// trace context and baggage.
	Propagator propagation.TextMapPropagator

	// Attributes are added to all spans, for example the server's address.
	Attributes []attribute.KeyValue

	// Filter says which operations are spans. The others still pass the context on. Nil:
	// all of them.
	Filter func(*warren.Operation) bool
}

// tracer implements warren.Tracer.
type tracer struct {
	Options
	spans trace.Tracer
}

// NewTracer returns a tracer for the Tracer of [warren.Options]. Nil options stand for
// the zero Options.
func NewTracer(o *Options) warren.Tracer {
	t := &tracer{}
	if o != nil {
		t.Options = *o
	}
	if t.Propagator == nil {
		t.Propagator = w3c()
	}
	provider := t.TracerProvider
	if provider == nil {
		provider = otel.GetTracerProvider()
	}
	t.spans = provider.Tracer(ScopeName, trace.WithSchemaURL(semconv.SchemaURL))
	return t
}

// Start implements warren.Tracer.
func (t *tracer) Start(ctx context.Context, op *warren.Operation) (context.Context, func(error)) {
	sends := op.Kind == warren.OperationPublish || op.Kind == warren.OperationCall || op.Kind == warren.OperationReply
	if t.Filter != nil && !t.Filter(op) {
		return t.passOn(ctx, op, sends), nil
	}
	ctx, links := t.origin(ctx, op)
	name, kind, operation := describe(op)
	options := []trace.SpanStartOption{
		trace.WithSpanKind(kind), trace.WithAttributes(attributes(op, operation)...), trace.WithLinks(links...),
	}
	if len(t.Attributes) > 0 {
		options = append(options, trace.WithAttributes(t.Attributes...))
	}
	ctx, span := t.spans.Start(ctx, name, options...)
	if sends {
		op.Message.Headers = inject(ctx, t.Propagator, op.Message.Headers)
	}
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, errorText(op, err))
			span.SetAttributes(errorType(err))
		}
		span.End()
	}
}

// passOn passes the context on without a span: from ctx to a message that is sent, and
// from a message to the function that works on it.
func (t *tracer) passOn(ctx context.Context, op *warren.Operation, sends bool) context.Context {
	switch {
	case sends:
		op.Message.Headers = inject(ctx, t.Propagator, op.Message.Headers)
	case op.Kind == warren.OperationProcess && !hasSpan(ctx):
		return t.Propagator.Extract(ctx, Headers(op.Message.Headers))
	}
	return ctx
}

// origin returns the context in which the span of an operation begins, and what it links
// to.
func (t *tracer) origin(ctx context.Context, op *warren.Operation) (context.Context, []trace.Link) {
	var of *warren.Message
	switch op.Kind {
	case warren.OperationProcess:
		if hasSpan(ctx) { // of the Call in this program
			return ctx, nil
		}
		return t.Propagator.Extract(ctx, Headers(op.Message.Headers)), nil
	case warren.OperationReceive:
		of = op.Message
	case warren.OperationReply:
		of = op.Request
	default:
		return ctx, nil
	}
	sent := trace.SpanContextFromContext(t.Propagator.Extract(context.Background(), Headers(of.Headers)))
	if !sent.IsValid() {
		return ctx, nil
	}
	return ctx, []trace.Link{{SpanContext: sent}}
}

func hasSpan(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsValid() }
