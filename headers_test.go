package warren_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestHeadersExchange(t *testing.T) {
	type T = warren.Table
	for _, c := range []struct {
		rule    string
		args    T // of the binding
		headers T // of the message
		want    bool
	}{
		{"all is the default", T{"a": "1", "b": "2"}, T{"a": "1", "b": "2", "c": "3"}, true},
		{"all needs every one", T{"a": "1", "b": "2"}, T{"a": "1"}, false},
		{"all, one differs", T{"x-match": "all", "a": "1", "b": "2"}, T{"a": "1", "b": "3"}, false},
		{"any needs one", T{"x-match": "any", "a": "1", "b": "2"}, T{"b": "2"}, true},
		{"any, none is equal", T{"x-match": "any", "a": "1", "b": "2"}, T{"a": "2", "b": "1"}, false},
		{"all without arguments", nil, T{"a": "1"}, true},
		{"all without arguments, no headers", nil, nil, true},
		{"all by name without arguments, no headers", T{"x-match": "all"}, nil, true},
		{"all with arguments, no headers", T{"a": "1"}, nil, false},
		{"any without arguments", T{"x-match": "any"}, T{"a": "1"}, false},
		{"any without arguments, no headers", T{"x-match": "any"}, nil, false},
		{"all passes over x-", T{"x-a": "1", "b": "2"}, T{"b": "2"}, true},
		{"any passes over x-", T{"x-match": "any", "x-a": "1"}, T{"x-a": "1"}, false},
		{"all-with-x looks at x-", T{"x-match": "all-with-x", "x-a": "1", "b": "2"}, T{"b": "2"}, false},
		{"all-with-x, found", T{"x-match": "all-with-x", "x-a": "1", "b": "2"}, T{"x-a": "1", "b": "2"}, true},
		{"any-with-x looks at x-", T{"x-match": "any-with-x", "x-a": "1"}, T{"x-a": "1"}, true},
		{"x-match itself is never compared", T{"x-match": "any-with-x", "x-a": "1"}, T{"x-match": "any-with-x"}, false},
		{"void asks for presence", T{"a": nil}, T{"a": int32(5)}, true},
		{"void, absent", T{"a": nil}, T{"b": "1"}, false},
		{"void with any", T{"x-match": "any", "a": nil, "b": "2"}, T{"a": false}, true},
		{"a void header is no other value", T{"a": "1"}, T{"a": nil}, false},
		{"names have a case", T{"a": "1"}, T{"A": "1"}, false},
		{"so have values", T{"a": "x"}, T{"a": "X"}, false},
		{"a number is no text", T{"a": int32(1)}, T{"a": "1"}, false},
		{"an integer equals a float", T{"a": int32(1)}, T{"a": float64(1)}, true},
		{"that is whole", T{"a": int32(1)}, T{"a": float64(1.5)}, false},
		{"either way", T{"a": float32(3)}, T{"a": uint8(3)}, true},
		{"a time is its seconds", T{"a": time.Unix(7, 0)}, T{"a": int64(7)}, true},
		{"floats of both widths", T{"a": float32(1.5)}, T{"a": float64(1.5)}, true},
		{"a bool is no number", T{"a": true}, T{"a": int8(1)}, false},
		{"bools", T{"a": true}, T{"a": true}, true},
		{"bytes", T{"a": []byte("x")}, T{"a": []byte("x")}, true},
		{"bytes are a text", T{"a": []byte("x")}, T{"a": "x"}, true},
		{"times, in seconds", T{"a": time.Unix(5, 1)}, T{"a": time.Unix(5, 2).UTC()}, true},
		{"times differ", T{"a": time.Unix(5, 0)}, T{"a": time.Unix(6, 0)}, false},
		{"decimals", T{"a": warren.Decimal{Scale: 2, Value: 314}}, T{"a": warren.Decimal{Scale: 2, Value: 314}}, true},
		{"tables", T{"a": T{"b": int8(1)}}, T{"a": T{"b": int8(1)}}, true},
		{"tables, in which types count", T{"a": T{"b": int8(1)}}, T{"a": T{"b": int64(1)}}, false},
		{"tables differ", T{"a": T{"b": "1"}}, T{"a": T{"b": "1", "c": "2"}}, false},
		{"arrays", T{"a": []any{int8(1), "x"}}, T{"a": []any{int8(1), "x"}}, true},
		{"arrays, in which types count", T{"a": []any{int8(1), "x"}}, T{"a": []any{int32(1), "x"}}, false},
		{"arrays have an order", T{"a": []any{"x", "y"}}, T{"a": []any{"y", "x"}}, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				require.NoError(t, ch.QueueBind("q", "ignored", "amq.headers", c.args))
				require.NoError(t, brokertest.Send(ch, "amq.headers", "other", warren.Message{Headers: c.headers}, warren.PublishOptions{}))
				require.Equal(t, c.want, len(brokertest.Drain(t, ch, "q")) == 1)
			})
		})
	}
}

func TestHeadersExchangeComparesIntegersOfAllWidths(t *testing.T) {
	for _, bound := range brokertest.Integers(7) {
		t.Run(fmt.Sprintf("%T", bound), func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				require.NoError(t, ch.QueueBind("q", "", "amq.headers", warren.Table{"n": bound}))
				for _, sent := range append(brokertest.Integers(7), brokertest.Integers(8)...) {
					require.NoError(t, brokertest.Send(ch, "amq.headers", "", warren.Message{Headers: warren.Table{"n": sent}}, warren.PublishOptions{}))
					want := fmt.Sprint(sent) == "7"
					require.Equal(t, want, len(brokertest.Drain(t, ch, "q")) == 1, "%T %v", sent, sent)
				}
			})
		})
	}
}

func TestHeadersExchangeRefusesABadMatchMode(t *testing.T) {
	for _, c := range []struct {
		rule string
		mode any
		text string
	}{
		{"another word", "some", `PRECONDITION_FAILED - Invalid x-match field value <<"some">>; expected all, any, all-with-x, or any-with-x`},
		{"no word", "", `PRECONDITION_FAILED - Invalid x-match field value <<>>; expected all, any, all-with-x, or any-with-x`},
		{"another case", "ANY", `PRECONDITION_FAILED - Invalid x-match field value <<"ANY">>; expected all, any, all-with-x, or any-with-x`},
		{"a number", int8(1), `PRECONDITION_FAILED - Invalid x-match field type byte (value 1); expected longstr`},
		{"a bool", true, `PRECONDITION_FAILED - Invalid x-match field type bool (value true); expected longstr`},
		{"nothing", nil, `PRECONDITION_FAILED - Invalid x-match field type void (value undefined); expected longstr`},
		{"a whole float", float32(1), `PRECONDITION_FAILED - Invalid x-match field type float (value 1.0); expected longstr`},
		{"a float", 1.5, `PRECONDITION_FAILED - Invalid x-match field type double (value 1.5); expected longstr`},
		{"octets", []byte("x"), `PRECONDITION_FAILED - Invalid x-match field type binary (value <<"x">>); expected longstr`},
		{"a time", time.Unix(1, 0), `PRECONDITION_FAILED - Invalid x-match field type timestamp (value 1); expected longstr`},
		{"a decimal", warren.Decimal{Scale: 1, Value: 3}, `PRECONDITION_FAILED - Invalid x-match field type decimal (value {1,3}); expected longstr`},
		{"a list", []any{int32(1)}, `PRECONDITION_FAILED - Invalid x-match field type array (value [{signedint,1}]); expected longstr`},
		{"a table", warren.Table{"k": "v"}, `PRECONDITION_FAILED - Invalid x-match field type table (value [{<<"k">>,longstr,<<"v">>}]); expected longstr`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				args := warren.Table{"x-match": c.mode}
				brokertest.Fails(t, ch.QueueBind("q", "", "amq.headers", args), 406, 50, 20, c.text)
				brokertest.Fails(t, ch.ExchangeBind("amq.fanout", "", "amq.headers", args), 406, 40, 30, c.text)
				require.NoError(t, ch.QueueBind("q", "", "amq.fanout", args), "other types do not care")
			})
		})
	}
}

func TestHeadersExchangeHasNoDefaultModeOfItsOwn(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.ExchangeDeclare("x", warren.Headers, warren.ExchangeOptions{Args: warren.Table{"x-match": "any"}}))
		require.NoError(t, ch.QueueBind("q", "", "x", warren.Table{"a": "1", "b": "2"}))
		require.NoError(t, brokertest.Send(ch, "x", "", warren.Message{Headers: warren.Table{"a": "1"}}, warren.PublishOptions{}))
		require.Empty(t, brokertest.Drain(t, ch, "q"))
	})
}

func TestHeadersExchangeGivesOneCopyPerQueue(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "", "amq.headers", warren.Table{"a": "1"}))
		require.NoError(t, ch.QueueBind("q", "", "amq.headers", warren.Table{"b": "2"}))
		require.NoError(t, ch.QueueBind("q", "key", "amq.headers", warren.Table{"b": "2"}))
		both := warren.Message{Headers: warren.Table{"a": "1", "b": "2"}}
		require.NoError(t, brokertest.Send(ch, "amq.headers", "", both, warren.PublishOptions{}))
		require.Len(t, brokertest.Drain(t, ch, "q"), 1)

		require.NoError(t, ch.QueueUnbind("q", "", "amq.headers", warren.Table{"b": "2"}))
		onlyB := warren.Message{Headers: warren.Table{"b": "2"}}
		require.NoError(t, brokertest.Send(ch, "amq.headers", "", onlyB, warren.PublishOptions{}))
		require.Len(t, brokertest.Drain(t, ch, "q"), 1, "the binding with the key is left")
		require.NoError(t, ch.QueueUnbind("q", "key", "amq.headers", warren.Table{"b": "2"}))
		require.NoError(t, brokertest.Send(ch, "amq.headers", "", onlyB, warren.PublishOptions{}))
		require.Empty(t, brokertest.Drain(t, ch, "q"))
	})
}
