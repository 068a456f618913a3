package warren_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

type quoteRequest struct {
	Item  string
	Count int
}

type quotePrice struct {
	Item  string
	Total float64
}

func priceOf(_ context.Context, q quoteRequest) (quotePrice, error) {
	switch {
	case q.Count == 0:
		return quotePrice{}, errors.New("count is zero")
	case q.Count < 0:
		return quotePrice{}, fmt.Errorf("pricing: %w", &warren.RemoteError{Code: "negative", Text: "count below zero"})
	}
	return quotePrice{q.Item, 1.5 * float64(q.Count)}, nil
}

func TestTypedCallTravelsAsJSON(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := warren.HandleFor(b, "price", priceOf)
		require.NoError(t, err)
		price, err := warren.CallFor[quotePrice](t.Context(), b, "price", quoteRequest{"carrot", 4})
		require.NoError(t, err)
		require.Equal(t, quotePrice{"carrot", 6}, price)

		reply, err := b.Call(t.Context(), "price", warren.Message{Body: []byte(`{"Item":"beet","Count":2}`)})
		require.NoError(t, err)
		require.Equal(t, "application/json", reply.ContentType)
		require.JSONEq(t, `{"Item":"beet","Total":3}`, string(reply.Body))

		var sent warren.Message
		brokertest.Handle(t, b, "raw", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			sent = req.Message
			return warren.Message{Body: []byte(`{"Item":"leek","Total":1}`)}, nil
		})
		price, err = warren.CallFor[quotePrice](t.Context(), b, "raw", quoteRequest{"leek", 1})
		require.NoError(t, err)
		require.Equal(t, quotePrice{"leek", 1}, price)
		require.Equal(t, "application/json", sent.ContentType)
		require.JSONEq(t, `{"Item":"leek","Count":1}`, string(sent.Body))
	})
}

func TestTypedCallsOfManyGoroutinesAreNeverCrossed(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := warren.HandleFor(b, "price", priceOf, warren.HandleOptions{Concurrency: 4})
		require.NoError(t, err)
		var wg sync.WaitGroup
		var wrong atomic.Int32
		for i := range 30 {
			wg.Go(func() {
				item := fmt.Sprint("item", i)
				for count := 1; count <= 10; count++ {
					p, err := warren.CallFor[quotePrice](t.Context(), b, "price", quoteRequest{item, count})
					if err != nil || p != (quotePrice{item, 1.5 * float64(count)}) {
						wrong.Add(1)
					}
				}
			})
		}
		wg.Wait()
		require.Zero(t, wrong.Load())
	})
}

func TestFailuresOfTypedHandlersReachTheCaller(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := warren.HandleFor(b, "price", priceOf)
		require.NoError(t, err)
		_, err = warren.HandleFor(b, "unencodable", func(context.Context, int) (func(), error) { return func() {}, nil })
		require.NoError(t, err)
		_, err = warren.HandleFor(b, "panic", func(context.Context, int) (int, error) { panic("out of carrots") })
		require.NoError(t, err)

		for _, test := range []struct {
			name, queue string
			request     any
			code, text  string
		}{
			{"error", "price", quoteRequest{"x", 0}, warren.CodeError, "error: count is zero"},
			{"own code in a wrapped error", "price", quoteRequest{"x", -1}, "negative", "negative: pricing: warren: the handler failed: negative: count below zero"},
			{"request of another type", "price", "a string", warren.CodeCodec, "codec: the request cannot be decoded: json: cannot unmarshal"},
			{"reply that has no JSON", "unencodable", 1, warren.CodeCodec, "codec: the reply cannot be encoded: json: unsupported type"},
			{"panic", "panic", 1, warren.CodePanic, "panic: out of carrots"},
		} {
			_, err := warren.CallFor[int](t.Context(), b, test.queue, test.request)
			var remote *warren.RemoteError
			require.ErrorAs(t, err, &remote, test.name)
			require.Equal(t, test.code, remote.Code, test.name)
			require.True(t, strings.HasPrefix(err.Error(), "warren: the handler failed: "+test.text), "%s: %v", test.name, err)
			require.ErrorIs(t, err, &warren.RemoteError{Code: test.code}, test.name)
			require.NotErrorIs(t, err, &warren.RemoteError{Code: "another"}, test.name)
		}
		brokertest.Clean(t, b)
	})
}

func TestCallersOwnCodecFailuresAreNoRemoteErrors(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		var served atomic.Int32
		brokertest.Handle(t, b, "q", func(context.Context, *warren.Request) (warren.Message, error) {
			served.Add(1)
			return warren.Message{Body: []byte("not JSON")}, nil
		})
		var remote *warren.RemoteError
		_, err := warren.CallFor[int](t.Context(), b, "q", make(chan int))
		var unsupported *json.UnsupportedTypeError
		require.ErrorAs(t, err, &unsupported)
		require.False(t, errors.As(err, &remote))
		require.Zero(t, served.Load(), "nothing was sent")

		_, err = warren.CallFor[int](t.Context(), b, "q", 1)
		var syntax *json.SyntaxError
		require.ErrorAs(t, err, &syntax)
		require.False(t, errors.As(err, &remote))
		require.EqualValues(t, 1, served.Load())

		_, err = warren.CallFor[int](t.Context(), b, "nobody", 1)
		require.ErrorIs(t, err, warren.ErrNoRoute)
	})
}

// shoutCodec is a codec of strings only.
type shoutCodec struct{}

func (shoutCodec) ContentType() string { return "text/shout" }

func (shoutCodec) Marshal(v any) ([]byte, error) {
	s, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("shout: %T is no string", v)
	}
	return []byte(strings.ToUpper(s) + "!"), nil
}

func (shoutCodec) Unmarshal(body []byte, v any) error {
	s, ok := strings.CutSuffix(string(body), "!")
	if !ok {
		return errors.New("shout: too quiet")
	}
	*v.(*string) = s
	return nil
}

func TestCustomCodec(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		_, err := warren.HandleFor(b, "q", func(_ context.Context, s string) (string, error) {
			return s + " heard", nil
		}, warren.HandleOptions{Codec: shoutCodec{}})
		require.NoError(t, err)
		got, err := warren.CallFor[string](t.Context(), b, "q", "hello", warren.CallOptions{Codec: shoutCodec{}})
		require.NoError(t, err)
		require.Equal(t, "HELLO HEARD", got)

		reply, err := b.Call(t.Context(), "q", warren.Message{Body: []byte("a!")})
		require.NoError(t, err)
		require.Equal(t, "text/shout", reply.ContentType)
		require.Equal(t, "A HEARD!", string(reply.Body))

		_, err = warren.CallFor[string](t.Context(), b, "q", "quiet") // JSON
		require.ErrorIs(t, err, &warren.RemoteError{Code: warren.CodeCodec})
		require.ErrorContains(t, err, "shout: too quiet")
	})
}
