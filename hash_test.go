package warren_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// hashExchange declares a consistent hash exchange and queues that are bound to
// it with their weights, in turn: name, weight, name, weight.
func hashExchange(t testing.TB, ch *warren.Channel, exchange string, o warren.ExchangeOptions, queues ...string) {
	t.Helper()
	require.NoError(t, ch.ExchangeDeclare(exchange, warren.ConsistentHash, o))
	for i := 0; i < len(queues); i += 2 {
		brokertest.Queues(t, ch, queues[i])
		require.NoError(t, ch.QueueBind(queues[i], queues[i+1], exchange, nil))
	}
}

// placesOf publishes a message for each of n keys, and tells which of the
// queues has got it: exactly one.
func placesOf(t testing.TB, ch *warren.Channel, exchange string, n int, queues ...string) map[string]string {
	t.Helper()
	for i := range n {
		key := fmt.Sprint("key-", i)
		brokertest.Put(t, ch, exchange, key, key)
	}
	places := make(map[string]string)
	for _, q := range queues {
		for _, key := range brokertest.Drain(t, ch, q) {
			require.Empty(t, places[key], "one destination a message")
			places[key] = q
		}
	}
	require.Len(t, places, n, "no message is lost")
	return places
}

func TestConsistentHashDeclareRefuses(t *testing.T) {
	for _, c := range []struct {
		rule    string
		options warren.ExchangeOptions
		text    string
	}{
		{"a header and a property", warren.ExchangeOptions{HashHeader: "h", HashProperty: "message_id"},
			"hash-header and hash-property are mutually exclusive"},
		{"the same under LavinMQ's name", warren.ExchangeOptions{HashProperty: "message_id", Args: warren.Table{"x-hash-on": "h"}},
			"hash-header and hash-property are mutually exclusive"},
		{"a property that cannot be hashed", warren.ExchangeOptions{HashProperty: "priority"}, "Unsupported property: priority"},
		{"an empty property", warren.ExchangeOptions{Args: warren.Table{"hash-property": ""}}, "Unsupported property: "},
		{"a header that is no name", warren.ExchangeOptions{Args: warren.Table{"hash-header": int32(1)}},
			"invalid arg 'hash-header' for exchange 'x' in vhost '/': {unacceptable_type,signedint}"},
		{"a property that is no name", warren.ExchangeOptions{Args: warren.Table{"hash-property": true}},
			"invalid arg 'hash-property' for exchange 'x' in vhost '/': {unacceptable_type,bool}"},
		{"the same for x-hash-on", warren.ExchangeOptions{Args: warren.Table{"x-hash-on": nil}},
			"invalid arg 'x-hash-on' for exchange 'x' in vhost '/': {unacceptable_type,void}"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Fails(t, ch.ExchangeDeclare("x", warren.ConsistentHash, c.options), 406, 40, 10, "PRECONDITION_FAILED - "+c.text)
				require.ErrorIs(t, ch.ExchangeDeclarePassive("x"), warren.ErrNotFound)
			})
		})
	}
}

func TestConsistentHashBindingKeyIsAWeight(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		hashExchange(t, ch, "x", warren.ExchangeOptions{})
		require.NoError(t, ch.ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.ConsistentHash}))
		for key, text := range map[string]string{
			"":                     "The binding key must be an integer: <<>>",
			"a":                    `The binding key must be an integer: <<"a">>`,
			"1.5":                  `The binding key must be an integer: <<"1.5">>`,
			" 1":                   `The binding key must be an integer: <<" 1">>`,
			`a"b`:                  `The binding key must be an integer: <<"a\"b">>`,
			"0":                    "The binding key must be greater than 0",
			"-1":                   "The binding key must be greater than 0",
			"4294967296":           "The binding key must not exceed 4294967295",
			"99999999999999999999": "The binding key must not exceed 4294967295",
		} {
			for _, x := range []string{"x", "later"} {
				brokertest.Fails(t, ch.QueueBind("q", key, x, nil), 406, 50, 20, "PRECONDITION_FAILED - "+text)
			}
			brokertest.Fails(t, ch.ExchangeBind("amq.fanout", key, "x", nil), 406, 40, 30, "PRECONDITION_FAILED - "+text)
			require.NoError(t, ch.QueueUnbind("q", key, "x", nil), "what is not bound need not be unbound")
			brokertest.Fails(t, ch.QueueBind("q", key, "nope", nil), 404, 50, 20, "NOT_FOUND - no exchange 'nope' in vhost '/'")
		}
		for _, key := range []string{"1", "+1", "01", "4294967295"} {
			require.NoError(t, ch.QueueBind("q", key, "x", nil))
		}
	})
}

func TestConsistentHashSpreadsByWeight(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		weights := []int{1, 2, 3, 4, 5, 15}
		var bound, queues []string
		for _, w := range weights {
			name := fmt.Sprint("q", w)
			bound, queues = append(bound, name, fmt.Sprint(w)), append(queues, name)
		}
		hashExchange(t, ch, "x", warren.ExchangeOptions{}, bound...)
		const n = 12_000
		counts := make(map[string]float64)
		for _, q := range placesOf(t, ch, "x", n, queues...) {
			counts[q]++
		}
		chi := 0.0
		for i, q := range queues {
			want := n * float64(weights[i]) / 30
			chi += (counts[q] - want) * (counts[q] - want) / want
		}
		// With 5 degrees of freedom a fair choice stays below this 999 times in
		// 1,000. The keys are always the same, and so is the result.
		require.Less(t, chi, 20.5, "%v", counts)
	})
}

func TestConsistentHashMovesOnlyTheShareOfWhatComesOrGoes(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		var bound, queues []string
		for i := range 9 {
			queues = append(queues, fmt.Sprint("q", i))
			bound = append(bound, queues[i], "10")
		}
		hashExchange(t, ch, "x", warren.ExchangeOptions{}, bound...)
		const n = 2_000
		before := placesOf(t, ch, "x", n, queues...)

		brokertest.Queues(t, ch, "new")
		require.NoError(t, ch.QueueBind("new", "10", "x", nil))
		moved := 0
		for key, q := range placesOf(t, ch, "x", n, append(queues, "new")...) {
			if q != before[key] {
				require.Equal(t, "new", q, "a key moves to what has come, and nowhere else")
				moved++
			}
		}
		require.InDelta(t, n/10, moved, n/50)

		require.NoError(t, ch.QueueUnbind("new", "10", "x", nil))
		require.Equal(t, before, placesOf(t, ch, "x", n, queues...), "all comes back")

		_, err := ch.QueueDelete("q3", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		gone := 0
		for key, q := range placesOf(t, ch, "x", n, append(queues[:3:3], queues[4:]...)...) {
			if before[key] == "q3" {
				gone++
			} else {
				require.Equal(t, before[key], q, "what is elsewhere stays there")
			}
		}
		require.InDelta(t, n/9, gone, n/50)
	})
}

func TestConsistentHashDoesNotDependOnTheOrderOfBindings(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		hashExchange(t, ch, "x1", warren.ExchangeOptions{}, "a", "1", "b", "2", "c", "3", "gone", "9")
		require.NoError(t, ch.QueueUnbind("gone", "9", "x1", nil))
		hashExchange(t, ch, "x2", warren.ExchangeOptions{Args: warren.Table{"x-algorithm": "jump"}}, "c", "3", "b", "2", "a", "1")
		require.Equal(t, placesOf(t, ch, "x1", 1000, "a", "b", "c"), placesOf(t, ch, "x2", 1000, "a", "b", "c"))
	})
}

func TestConsistentHashOnWhatTheExchangeSays(t *testing.T) {
	header := func(name string, v any) warren.Message { return warren.Message{Headers: warren.Table{name: v}} }
	for _, c := range []struct {
		rule    string
		options warren.ExchangeOptions
		message func(i int) warren.Message // that decides
	}{
		{"a header", warren.ExchangeOptions{HashHeader: "h"}, func(i int) warren.Message { return header("h", fmt.Sprint(i)) }},
		{"LavinMQ's name of it", warren.ExchangeOptions{Args: warren.Table{"x-hash-on": "h"}}, func(i int) warren.Message { return header("h", fmt.Sprint(i)) }},
		{"a header that is no text", warren.ExchangeOptions{HashHeader: "h"}, func(i int) warren.Message { return header("h", int32(i)) }},
		{"a header that is a table", warren.ExchangeOptions{HashHeader: "h"}, func(i int) warren.Message { return header("h", warren.Table{"i": i}) }},
		{"correlation_id", warren.ExchangeOptions{HashProperty: "correlation_id"}, func(i int) warren.Message { return warren.Message{CorrelationId: fmt.Sprint(i)} }},
		{"message_id", warren.ExchangeOptions{HashProperty: "message_id"}, func(i int) warren.Message { return warren.Message{MessageId: fmt.Sprint(i)} }},
		{"timestamp", warren.ExchangeOptions{HashProperty: "timestamp"}, func(i int) warren.Message { return warren.Message{Timestamp: time.Unix(int64(i+1), 0)} }},
	} {
		t.Run(c.rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				hashExchange(t, ch, "x", c.options, "a", "1", "b", "1")
				const n = 200
				for i := range n {
					require.NoError(t, brokertest.Send(ch, "x", "key", c.message(i), warren.PublishOptions{}))
				}
				first := brokertest.Ready(t, ch, "a")
				require.InDelta(t, n/2, first, n/5, "it decides, and not the key")
				for i := range n {
					require.NoError(t, brokertest.Send(ch, "x", fmt.Sprint(i), c.message(i), warren.PublishOptions{}))
				}
				require.Equal(t, 2*first, brokertest.Ready(t, ch, "a"), "the key makes no difference")

				brokertest.Drain(t, ch, "a")
				brokertest.Drain(t, ch, "b")
				brokertest.Put(t, ch, "x", "1", "has nothing to hash on")
				require.NoError(t, brokertest.Send(ch, "x", "2", warren.Message{Headers: warren.Table{"other": "1"}}, warren.PublishOptions{}))
				require.NoError(t, brokertest.Send(ch, "x", "3", warren.Message{Type: "t"}, warren.PublishOptions{}))
				require.Contains(t, []int{0, 3}, brokertest.Ready(t, ch, "a"), "such messages go one way")
				require.Contains(t, []int{0, 3}, brokertest.Ready(t, ch, "b"))
			})
		})
	}
}

func TestConsistentHashGivesEachMessageOneDestination(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.ExchangeDeclare("x", warren.ConsistentHash, warren.ExchangeOptions{}))
		require.ErrorIs(t, brokertest.Send(ch, "x", "k", warren.Message{}, warren.PublishOptions{Mandatory: true}), warren.ErrNoRoute, "nothing is bound")

		hashExchange(t, ch, "x", warren.ExchangeOptions{}, "a", "1", "b", "1")
		brokertest.Queues(t, ch, "beyond")
		brokertest.Exchanges(t, ch, warren.Fanout, "fan")
		require.NoError(t, ch.QueueBind("beyond", "", "fan", nil))
		require.NoError(t, ch.ExchangeBind("fan", "1", "x", nil), "a destination may be an exchange")
		places := placesOf(t, ch, "x", 300, "a", "b", "beyond")
		counts := map[string]int{}
		for _, q := range places {
			counts[q]++
		}
		for _, q := range []string{"a", "b", "beyond"} {
			require.InDelta(t, 100, counts[q], 40)
		}

		for i := range 50 {
			key := fmt.Sprint("key-", i)
			more := warren.Table{"CC": []any{"key-1", "key-2", "key-3"}, "BCC": []any{"key-4"}}
			require.NoError(t, brokertest.Send(ch, "x", key, warren.Message{Headers: more}, warren.PublishOptions{}))
			d := brokertest.Take(t, ch, places[key])
			require.Equal(t, key, d.RoutingKey, "CC and BCC change nothing")
		}
		require.Zero(t, b.Stats().Ready)
	})
}

func TestConsistentHashWeighsADestinationOnce(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		hashExchange(t, ch, "x", warren.ExchangeOptions{}, "a", "1", "a", "9", "b", "1")
		share := func() (n int) {
			for _, q := range placesOf(t, ch, "x", 1000, "a", "b") {
				if q == "a" {
					n++
				}
			}
			return n
		}
		require.InDelta(t, 500, share(), 60, "its first binding counts")
		require.NoError(t, ch.QueueUnbind("a", "1", "x", nil))
		require.InDelta(t, 900, share(), 40, "then the other one does")
		require.NoError(t, ch.QueueUnbind("a", "9", "x", nil))
		require.Zero(t, share())
	})
}

func TestConsistentHashRedeclareComparesArguments(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		o := warren.ExchangeOptions{HashHeader: "h"}
		require.NoError(t, ch.ExchangeDeclare("x", warren.ConsistentHash, o))
		require.NoError(t, ch.ExchangeDeclare("x", warren.ConsistentHash, o))
		o.HashHeader = "other"
		brokertest.Fails(t, ch.ExchangeDeclare("x", warren.ConsistentHash, o), 406, 40, 10,
			"PRECONDITION_FAILED - inequivalent arg 'hash-header' for exchange 'x' in vhost '/': received 'other' but current is 'h'")
		brokertest.Fails(t, ch.ExchangeDeclare("x", warren.ConsistentHash, warren.ExchangeOptions{}), 406, 40, 10,
			"PRECONDITION_FAILED - inequivalent arg 'hash-header' for exchange 'x' in vhost '/': received none but current is the value 'h' of type 'longstr'")
	})
}
