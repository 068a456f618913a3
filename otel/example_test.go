package otel_test

import (
	"context"
	"fmt"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/otel"
)

func ExampleNewTracer() {
	spans := tracetest.NewInMemoryExporter() // a program has one that sends them
	provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	b := warren.New(&warren.Options{Tracer: otel.NewTracer(&otel.Options{TracerProvider: provider})})

	_, err := b.Handle("price", func(ctx context.Context, req *warren.Request) (warren.Message, error) {
		return warren.Message{Body: []byte("12")}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := b.Call(context.Background(), "price", warren.Message{}); err != nil {
		fmt.Println(err)
	}
	b.Close()
	for _, s := range spans.GetSpans() {
		fmt.Println(s.SpanKind, s.Name)
	}
	// Unordered output:
	// client call price
	// consumer process price
	// producer reply price
}
