// Package otel follows messages with OpenTelemetry:
//
//	b := warren.New(&warren.Options{Tracer: otel.NewTracer(nil)})
//
// A publish, a call, a reply, the receipt of a message, and the run of a handler or of a
// function of ConsumeFunc are spans, with names and attributes by the semantic
// conventions for messaging. Their context travels in the headers of messages as W3C
// says: traceparent, tracestate and baggage. Programs in other languages that do the
// same are part of the trace, whether they are clients of the listener or not.
//
// A Call and what its handler does are one trace without further ado: the handler's
// context has the span. The span of a reply links to the request. In a loop over
// deliveries, [Extract] gives the context of a delivery.
//
// This is a module of its own, so that a program without OpenTelemetry does not depend
// on it.
package otel
