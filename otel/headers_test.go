package otel_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	global "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/trace"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/otel"
)

func TestHeadersCarryContext(t *testing.T) {
	h := otel.Headers{"b": []byte("bytes"), "n": int32(7), "a": "text"}
	require.Equal(t, "bytes", h.Get("b"), "some clients send bytes")
	require.Equal(t, "text", h.Get("a"))
	require.Empty(t, h.Get("n"))
	require.Empty(t, h.Get("none"))
	require.Equal(t, []string{"a", "b", "n"}, h.Keys())
	h.Set("a", "other")
	require.Equal(t, "other", h["a"])
}

func TestInjectCopies(t *testing.T) {
	ctx := otel.Extract(t.Context(), warren.Table{"traceparent": traceparent})
	headers := warren.Table{"mine": "1"}
	require.Equal(t, warren.Table{"mine": "1", "traceparent": traceparent}, otel.Inject(ctx, headers))
	require.Equal(t, warren.Table{"mine": "1"}, headers)
	require.Equal(t, warren.Table{"traceparent": traceparent}, otel.Inject(ctx, nil))
	require.Nil(t, otel.Inject(t.Context(), nil), "there is no context")
}

func TestExtractSurvivesWhatClientsSend(t *testing.T) {
	var reported []error
	global.SetErrorHandler(global.ErrorHandlerFunc(func(err error) { reported = append(reported, err) }))
	for _, headers := range []warren.Table{
		nil, {}, {"traceparent": nil}, {"traceparent": 1}, {"traceparent": "00-zz"}, {"traceparent": string(make([]byte, 1<<20))},
		{"traceparent": warren.Table{"a": 1}}, {"baggage": string(make([]byte, 1<<20))}, {"baggage": "=;,\xff"},
	} {
		ctx := otel.Extract(t.Context(), headers)
		require.False(t, trace.SpanContextFromContext(ctx).IsValid())
		require.Zero(t, baggage.FromContext(ctx).Len())
	}
	require.Empty(t, reported, "nobody is told, who would log it")
}
