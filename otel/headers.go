package otel

import (
	"context"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/propagation"

	"github.com/warrenmq/warren"
)

// Headers carry a context for propagators of OpenTelemetry. They are the headers of a
// message, and must not be nil for Set.
type Headers warren.Table

// Get returns a header that is a string, or bytes, and an empty string for any other.
func (h Headers) Get(key string) string {
	switch v := h[key].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

// Set sets a header. The headers of a message that was published or received must not
// be changed: [Inject] copies them.
func (h Headers) Set(key, value string) { h[key] = value }

// Keys returns the names of the headers, sorted.
func (h Headers) Keys() []string { return slices.Sorted(maps.Keys(h)) }

// Extract returns ctx with the trace context and the baggage in the headers of a
// message, as W3C says. What is made in it continues the trace of the message's sender.
// It is for a loop over deliveries, and for messages that come by another library:
// handlers and functions of ConsumeFunc have this context already.
func Extract(ctx context.Context, headers warren.Table) context.Context {
	return w3c().Extract(ctx, Headers(headers))
}

// Inject returns headers with the trace context and the baggage of ctx added, as W3C
// says. It does not change headers, which may be nil. It is for messages that are sent
// by another library: what is published with a tracer has them already.
func Inject(ctx context.Context, headers warren.Table) warren.Table {
	return inject(ctx, w3c(), headers)
}

func inject(ctx context.Context, p propagation.TextMapPropagator, headers warren.Table) warren.Table {
	with := make(Headers, len(headers)+len(p.Fields()))
	maps.Copy(with, headers)
	n := len(with)
	p.Inject(ctx, with)
	if len(with) == 0 && n == 0 {
		return headers
	}
	return warren.Table(with)
}
