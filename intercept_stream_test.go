package warren_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestInterceptorsOfAHandlerStandAroundStreams(t *testing.T) {
	brokertest.RunWith(t, handleWith(odd), func(t *testing.T, b *warren.Broker) {
		_, err := b.HandleStream("q", func(context.Context, *warren.Request, iter.Seq2[warren.Message, error]) iter.Seq2[warren.Message, error] {
			return func(yield func(warren.Message, error) bool) {
				_ = yield(warren.Message{Body: []byte("a")}, nil) && yield(warren.Message{Body: []byte("b")}, nil)
			}
		})
		require.NoError(t, err)
		for _, c := range []struct {
			kind  string
			items []string
			code  string
		}{
			{"", []string{"a", "b"}, ""},
			{"answer", []string{"from the interceptor"}, ""},
			{"refuse", nil, "refused"},
			{"panic", nil, warren.CodePanic},
			{"exit", nil, warren.CodePanic},
		} {
			items, err := bodiesOf(b.CallStream(t.Context(), "q", warren.Message{Type: c.kind}, nil))
			require.Equal(t, c.items, items, c.kind)
			if c.code == "" {
				require.NoError(t, err, c.kind)
			} else {
				require.ErrorIs(t, err, &warren.RemoteError{Code: c.code}, c.kind)
			}
		}
		for _, kind := range []string{"twice", "panic after"} { // the stream has ended when the interceptor goes on
			items, err := bodiesOf(b.CallStream(t.Context(), "q", warren.Message{Type: kind}, nil))
			require.Equal(t, []string{"a", "b"}, items, kind)
			require.Error(t, err)
		}
		brokertest.Clean(t, b)
	})
}

// bodiesOf returns the bodies of a stream's items, and its error.
func bodiesOf(stream iter.Seq2[warren.Message, error]) (bodies []string, err error) {
	for m, e := range stream {
		if e != nil {
			return bodies, e
		}
		bodies = append(bodies, string(m.Body))
	}
	return bodies, nil
}
