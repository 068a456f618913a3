package warren_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestBindNeedsBothEnds(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Exchanges(t, ch, warren.Direct, "x")
		brokertest.Fails(t, ch.QueueBind("missing", "k", "x", nil), 404, 50, 20, "NOT_FOUND - no queue 'missing' in vhost '/'")
		brokertest.Fails(t, ch.QueueBind("q", "k", "missing", nil), 404, 50, 20, "NOT_FOUND - no exchange 'missing' in vhost '/'")
		brokertest.Fails(t, ch.ExchangeBind("missing", "k", "x", nil), 404, 40, 30, "NOT_FOUND - no exchange 'missing' in vhost '/'")
		brokertest.Fails(t, ch.ExchangeBind("x", "k", "missing", nil), 404, 40, 30, "NOT_FOUND - no exchange 'missing' in vhost '/'")
	})
}

func TestUnbindOfWhatIsMissingIsNoError(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Exchanges(t, ch, warren.Direct, "x", "y")
		require.NoError(t, ch.QueueUnbind("missing", "k", "x", nil))
		require.NoError(t, ch.QueueUnbind("q", "k", "missing", nil))
		require.NoError(t, ch.QueueUnbind("q", "k", "x", nil))
		require.NoError(t, ch.ExchangeUnbind("missing", "k", "x", nil))
		require.NoError(t, ch.ExchangeUnbind("y", "k", "missing", nil))
		require.NoError(t, ch.ExchangeUnbind("y", "k", "x", nil))
	})
}

func TestBindingIsKnownByKeyAndArguments(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Exchanges(t, ch, warren.Direct, "x")
		for range 3 { // a double is the same binding
			require.NoError(t, ch.QueueBind("q", "k", "x", nil))
		}
		require.NoError(t, ch.QueueBind("q", "k", "x", warren.Table{"a": "1"}))
		brokertest.Put(t, ch, "x", "k", "m")
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "q"))

		require.NoError(t, ch.QueueUnbind("q", "other", "x", nil))
		require.NoError(t, ch.QueueUnbind("q", "k", "x", warren.Table{"a": "2"}))
		require.NoError(t, ch.QueueUnbind("q", "k", "x", warren.Table{}))
		brokertest.Put(t, ch, "x", "k", "m")
		require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, "q"), "the one with arguments is left")
		require.NoError(t, ch.QueueUnbind("q", "k", "x", warren.Table{"a": "1"}))
		brokertest.Put(t, ch, "x", "k", "m")
		require.Empty(t, brokertest.Drain(t, ch, "q"))
	})
}

func TestBindingArgumentsAreComparedByValue(t *testing.T) {
	for _, c := range []struct {
		rule            string
		bound, released []any
		same            bool
	}{
		{"integers of any width", brokertest.Integers(7), brokertest.Integers(7), true},
		{"different integers", brokertest.Integers(7), brokertest.Integers(8), false},
		{"both floats", []any{float32(1.5)}, []any{float64(1.5)}, true},
		{"an integer and a float", []any{int32(1)}, []any{float64(1)}, false},
		{"a number and its text", []any{int32(1)}, []any{"1"}, false},
		{"a bool and its text", []any{true}, []any{"true"}, false},
		{"void and empty text", []any{nil}, []any{""}, false},
		{"bytes and text", []any{[]byte("x")}, []any{"x"}, false},
		{"nested tables", []any{warren.Table{"a": []any{int8(1), nil}}}, []any{warren.Table{"a": []any{int64(1), nil}}}, true},
		{"an array and its only element", []any{[]any{"x"}}, []any{"x"}, false},
		{"text that looks like a table", []any{warren.Table{"a": "b"}}, []any{`{"a":"b",}`}, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				for _, bound := range c.bound {
					for _, released := range c.released {
						require.NoError(t, ch.QueueBind("q", "k", "amq.direct", warren.Table{"v": bound}))
						require.NoError(t, ch.QueueUnbind("q", "k", "amq.direct", warren.Table{"v": released}))
						brokertest.Put(t, ch, "amq.direct", "k", "m")
						require.Equal(t, c.same, len(brokertest.Drain(t, ch, "q")) == 0, "%T bound, %T unbound", bound, released)
						require.NoError(t, ch.QueueUnbind("q", "k", "amq.direct", warren.Table{"v": bound}))
					}
				}
			})
		})
	}
}

func TestBindingKeepsItsArgumentsWhenTheTableChanges(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		args := warren.Table{"a": "1"}
		require.NoError(t, ch.QueueBind("q", "", "amq.headers", args))
		args["a"] = "2"
		require.NoError(t, brokertest.Send(ch, "amq.headers", "", warren.Message{Headers: warren.Table{"a": "1"}}, warren.PublishOptions{}))
		require.Len(t, brokertest.Drain(t, ch, "q"), 1)
	})
}

func TestBindWithBothNamesEmpty(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Exchanges(t, ch, warren.Direct, "x")
		brokertest.Queues(t, ch, "first", "last")
		require.NoError(t, ch.QueueBind("", "", "x", nil), "queue and key are the last declared queue's name")
		brokertest.Put(t, ch, "x", "last", "1")
		brokertest.Put(t, ch, "x", "", "2")
		require.Equal(t, []string{"1"}, brokertest.Drain(t, ch, "last"))

		require.NoError(t, ch.QueueUnbind("", "", "x", nil))
		brokertest.Put(t, ch, "x", "last", "3")
		require.Empty(t, brokertest.Drain(t, ch, "last"))

		require.NoError(t, ch.QueueBind("", "k", "x", nil), "a key stays what it is")
		require.NoError(t, ch.QueueBind("first", "", "x", nil), "an empty key with a queue name is an empty key")
		brokertest.Put(t, ch, "x", "k", "4")
		brokertest.Put(t, ch, "x", "", "5")
		brokertest.Put(t, ch, "x", "first", "6")
		require.Equal(t, []string{"4"}, brokertest.Drain(t, ch, "last"))
		require.Equal(t, []string{"5"}, brokertest.Drain(t, ch, "first"))
	})
}

func TestExchangeBindingsFollowTheSourcesType(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		brokertest.Exchanges(t, ch, warren.Direct, "destination")
		require.NoError(t, ch.ExchangeBind("destination", "a.*", "amq.topic", nil))
		require.NoError(t, ch.QueueBind("q", "a.b", "destination", nil))
		brokertest.Put(t, ch, "amq.topic", "a.b", "through")
		brokertest.Put(t, ch, "amq.topic", "a.c", "not through destination")
		brokertest.Put(t, ch, "amq.topic", "b", "not into destination")
		d := brokertest.Take(t, ch, "q")
		require.Equal(t, "through", string(d.Body))
		require.Equal(t, "amq.topic", d.Exchange, "the exchange it was published to")
		require.Equal(t, "a.b", d.RoutingKey)
		require.Empty(t, brokertest.Drain(t, ch, "q"))

		require.NoError(t, ch.ExchangeUnbind("destination", "a.*", "amq.topic", nil))
		brokertest.Put(t, ch, "amq.topic", "a.b", "unbound")
		require.Empty(t, brokertest.Drain(t, ch, "q"))
	})
}

func TestExchangesInACircleAreVisitedOnce(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		names := []string{"x0", "x1", "x2"}
		brokertest.Exchanges(t, ch, warren.Fanout, names...)
		for i, x := range names {
			brokertest.Queues(t, ch, x)
			require.NoError(t, ch.QueueBind(x, "", x, nil))
			require.NoError(t, ch.ExchangeBind(names[(i+1)%3], "", x, nil))
			require.NoError(t, ch.ExchangeBind(x, "", x, nil), "to itself")
		}
		for _, x := range names {
			brokertest.Put(t, ch, x, "", x)
			for _, q := range names {
				require.Equal(t, []string{x}, brokertest.Drain(t, ch, q))
			}
		}
	})
}

func TestAQueueReachedOnSeveralWaysGetsOneCopy(t *testing.T) {
	// More queues and ways than any short list holds.
	for _, queues := range []int{1, 15, 16, 17, 40} {
		t.Run(fmt.Sprint(queues), func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Exchanges(t, ch, warren.Fanout, "top", "f")
				brokertest.Exchanges(t, ch, warren.Direct, "d")
				brokertest.Exchanges(t, ch, warren.Headers, "h")
				for _, x := range []string{"f", "d", "h", "amq.topic"} {
					require.NoError(t, ch.ExchangeBind(x, "k", "top", nil))
				}
				for i := range queues {
					q := fmt.Sprint(i)
					brokertest.Queues(t, ch, q)
					for _, x := range []string{"top", "f", "d", "h", "amq.topic"} {
						require.NoError(t, ch.QueueBind(q, "k", x, nil))
					}
				}
				brokertest.Put(t, ch, "top", "k", "m")
				for i := range queues {
					require.Equal(t, []string{"m"}, brokertest.Drain(t, ch, fmt.Sprint(i)))
				}
			})
		})
	}
}

func TestBindingsGoWithTheirQueue(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q", "other")
		for _, x := range []string{"amq.direct", "amq.fanout", "amq.topic", "amq.headers"} {
			require.NoError(t, ch.QueueBind("q", "k", x, nil))
			require.NoError(t, ch.QueueBind("other", "k", x, nil))
		}
		_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		brokertest.Queues(t, ch, "q")
		for _, x := range []string{"amq.direct", "amq.fanout", "amq.topic", "amq.headers"} {
			brokertest.Put(t, ch, x, "k", x)
			require.Empty(t, brokertest.Drain(t, ch, "q"), "a new queue of the name has no bindings of the old one")
			require.Equal(t, []string{x}, brokertest.Drain(t, ch, "other"))
		}
	})
}
