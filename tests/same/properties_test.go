package same_test

import (
	"context"
	"maps"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

// allTypes has a value of each type that a table may have.
func allTypes(at time.Time) warren.Table {
	t := warren.Table{
		"nil": nil, "true": true, "false": false, "string": "täxt", "empty": "", "bytes": []byte{0, 1, 255},
		"time": at, "decimal": warren.Decimal{Scale: 2, Value: -314}, "int8": int8(math.MinInt8), "int16": int16(math.MinInt16),
		"int32": int32(math.MinInt32), "int64": int64(math.MinInt64), "int": math.MaxInt, "uint8": uint8(math.MaxUint8),
		"uint16": uint16(math.MaxUint16), "uint32": uint32(math.MaxUint32), "float32": float32(1.5), "float64": math.Pi,
	}
	nested := maps.Clone(t)
	nested["table"] = warren.Table{"deep": warren.Table{"er": []any{warren.Table{"x": int16(1)}, []any{}, warren.Table{}}}}
	t["nested"] = nested
	array := []any{warren.Table{"in an": "array"}, []any{int8(1), "two", []any{nil}}}
	for _, v := range nested {
		array = append(array, v)
	}
	t["array"] = array
	return t
}

// wide is a table as users get it: integers are int64, and times are of one zone.
func wide(v any) any {
	switch v := v.(type) {
	case warren.Table:
		out := make(warren.Table, len(v))
		for k, e := range v {
			out[k] = wide(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = wide(e)
		}
		return out
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case int:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case time.Time:
		return v.UTC()
	}
	return v
}

func TestHeadersOfAllTypes(t *testing.T) {
	everywhere(t, func(w *world) {
		headers := allTypes(time.Unix(1700000000, 0))
		got := make(chan warren.Table, 1)
		q := w.handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			got <- req.Headers
			return warren.Message{Headers: headers}, nil
		})
		for range 2 {
			reply, err := w.call(q, warren.Message{Headers: headers})
			require.NoError(w, err)
			require.Equal(w, wide(headers), wide(receive(w, got)))
			require.Equal(w, wide(headers), wide(reply.Headers))
			require.IsType(w, int64(0), reply.Headers["nested"].(warren.Table)["int8"])
		}
		require.Equal(w, allTypes(time.Unix(1700000000, 0))["nested"], headers["nested"], "the caller's table is as it was")

		_, err := w.call(q, warren.Message{Headers: warren.Table{"x": struct{}{}}})
		require.Error(w, err)
		_, err = w.call(q, warren.Message{})
		require.NoError(w, err)
		require.Empty(w, receive(w, got))
	})
}

func TestAllProperties(t *testing.T) {
	everywhere(t, func(w *world) {
		got := make(chan warren.Message, 1)
		q := w.handle("echo", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			got <- req.Message
			return req.Message, nil
		})
		sent := warren.Message{
			Headers: warren.Table{"a": "b"}, ContentType: "text/plain", ContentEncoding: "identity", DeliveryMode: warren.Persistent,
			Priority: 7, CorrelationId: "c", Expiration: "60000", MessageId: "m", Timestamp: time.Unix(1700000000, 0).UTC(),
			Type: "t", UserId: "guest", AppId: "a", Body: []byte("body"),
		}
		reply, err := w.call(q, sent)
		require.NoError(w, err)
		request := receive(w, got)
		require.NotEmpty(w, request.ReplyTo)
		request.ReplyTo, request.Timestamp, reply.Timestamp = "", request.Timestamp.UTC(), reply.Timestamp.UTC()
		require.Equal(w, sent, request)
		require.Equal(w, sent, reply)
		// A reply may name where the talk goes on.
		name := w.handle("next", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{ReplyTo: "some.queue", CorrelationId: "other"}, nil
		})
		reply, err = w.call(name, warren.Message{})
		require.NoError(w, err)
		if !w.inProcess { // it tells whose answer it is
			require.NotEqual(w, "other", reply.CorrelationId)
			reply.CorrelationId = "other"
		}
		require.Equal(w, warren.Message{ReplyTo: "some.queue", CorrelationId: "other"}, reply)
	})
}

func TestAnAnswerGoesToItsRequesterAlone(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		other := w.queue(ch, "other", nil)
		q := w.handle("copies", func(context.Context, *warren.Request) (warren.Message, error) {
			return warren.Message{Headers: warren.Table{"CC": []any{other}, "BCC": []any{other}}}, nil
		})
		_, err := w.call(q, warren.Message{})
		require.NoError(w, err)
		_, err = w.call(q, warren.Message{})
		require.NoError(w, err)
		_, found, err := ch.Get(other, true)
		require.NoError(w, err)
		require.False(w, found)
	})
}

func TestARequestWithCopies(t *testing.T) {
	everywhere(t, func(w *world) {
		_, ch := w.client()
		copies, hidden := w.queue(ch, "copies", nil), w.queue(ch, "hidden", nil)
		got := make(chan warren.Table, 1)
		q := w.handle("q", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			got <- req.Headers
			return warren.Message{}, nil
		})
		_, err := w.call(q, warren.Message{Headers: warren.Table{"CC": []any{copies}, "BCC": []any{hidden}}})
		require.NoError(w, err)
		require.Equal(w, warren.Table{"CC": []any{copies}}, receive(w, got))
		_, err = w.call(q, warren.Message{Headers: warren.Table{"BCC": []any{hidden}}})
		require.NoError(w, err)
		require.Empty(w, receive(w, got))
		for _, name := range []string{copies, hidden} {
			w.eventually(func() bool {
				_, found, err := ch.Get(name, true)
				return err == nil && found
			})
		}
	})
}

// What one program asks for that a broker refuses does not touch the others.
func TestPropertiesThatABrokerRefuses(t *testing.T) {
	everywhere(t, func(w *world) {
		large := warren.Table{"large": strings.Repeat("x", 200_000)}
		begun, release := make(chan struct{}), make(chan struct{})
		slow := w.handle("slow", func(context.Context, *warren.Request) (warren.Message, error) {
			close(begun)
			<-release
			return warren.Message{}, nil
		})
		called := make(chan error, 1)
		go func() {
			_, err := w.call(slow, warren.Message{})
			called <- err
		}()
		receive(w, begun)
		q := w.handle("large", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			if string(req.Body) == "large" {
				return warren.Message{Headers: large}, nil
			}
			return req.Message, nil
		})
		_, err := w.call(q, warren.Message{Headers: large})
		if w.inProcess {
			require.NoError(w, err)
		} else {
			require.ErrorIs(w, err, warren.ErrPreconditionFailed)
			require.ErrorContains(w, err, "do not fit into a frame")
		}
		_, err = w.call(q, warren.Message{Body: []byte("large")})
		if w.inProcess {
			require.NoError(w, err)
		} else {
			require.ErrorIs(w, err, warren.ErrHandlerCodec)
		}
		_, err = w.call(q, warren.Message{Expiration: "soon"})
		require.ErrorIs(w, err, warren.ErrPreconditionFailed)
		_, err = w.call(q, warren.Message{CorrelationId: strings.Repeat("c", 256)})
		require.Error(w, err)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				id := strings.Repeat("c", 255)
				reply, err := w.call(q, warren.Message{CorrelationId: id})
				if err != nil || reply.CorrelationId != id {
					w.Errorf("%v: %q", err, reply.CorrelationId)
				}
			})
		}
		all.Wait()
		ctx, cancel := context.WithTimeout(w.Context(), 100*24*time.Hour)
		defer cancel()
		_, err = w.caller.Call(ctx, q, warren.Message{})
		require.NoError(w, err)
		close(release)
		require.NoError(w, receive(w, called))
	})
}
