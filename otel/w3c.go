package otel

import (
	"context"

	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
)

// w3c is how context is written unless the program wants something else.
func w3c() propagation.TextMapPropagator {
	return propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, quietBaggage{})
}

// quietBaggage is W3C baggage that passes over what is malformed. That of OpenTelemetry
// reports it, which is a line in a log for each message of a hostile client.
type quietBaggage struct{ propagation.Baggage }

// Extract returns ctx with the baggage of the carrier.
func (quietBaggage) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	text := carrier.Get("baggage")
	if text == "" {
		return ctx
	}
	b, err := baggage.Parse(text)
	if err != nil {
		return ctx
	}
	return baggage.ContextWithBaggage(ctx, b)
}
