package warren_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// deduplicated is a message that says what it is.
func deduplicated(value any) warren.Message {
	return warren.Message{Headers: warren.Table{warren.DeduplicationHeader: value}}
}

// isTaken publishes a message and tells whether anybody has taken it.
func isTaken(t testing.TB, ch *warren.Channel, exchange, key string, msg warren.Message) bool {
	t.Helper()
	err := brokertest.Send(ch, exchange, key, msg, warren.PublishOptions{Mandatory: true})
	if err != nil {
		require.ErrorIs(t, err, warren.ErrNoRoute)
	}
	return err == nil
}

// eachDeduplicator runs f twice: with an exchange that deduplicates, and with a
// queue that does. f publishes to the exchange "x", from where all goes to the
// queue.
func eachDeduplicator(t *testing.T, d warren.Deduplication, f func(t *testing.T, b *warren.Broker, ch *warren.Channel)) {
	t.Helper()
	for where, options := range map[string]struct {
		exchange warren.ExchangeOptions
		queue    warren.QueueOptions
	}{
		"exchange": {exchange: warren.ExchangeOptions{Deduplicate: &d}},
		"queue":    {queue: warren.QueueOptions{Deduplicate: &d}},
	} {
		t.Run(where, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				require.NoError(t, ch.ExchangeDeclare("x", warren.Fanout, options.exchange))
				_, err := ch.QueueDeclare("q", options.queue)
				require.NoError(t, err)
				require.NoError(t, ch.QueueBind("q", "", "x", nil))
				f(t, b, ch)
			})
		})
	}
}

func TestADuplicateIsAckedAndGoesNowhere(t *testing.T) {
	eachDeduplicator(t, warren.Deduplication{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		require.True(t, isTaken(t, ch, "x", "", deduplicated("1")))
		require.False(t, isTaken(t, ch, "x", "", deduplicated("1")), "mandatory: 312")
		require.True(t, isTaken(t, ch, "x", "", deduplicated("2")))
		require.NoError(t, ch.Confirm())
		require.NoError(t, brokertest.Send(ch, "x", "", deduplicated("2"), warren.PublishOptions{}), "an ack")
		require.Equal(t, uint64(1), b.Stats().Unroutable)
		require.Equal(t, uint64(1), b.Stats().Returned)
		require.Len(t, brokertest.Drain(t, ch, "q"), 2)
		require.False(t, isTaken(t, ch, "x", "", deduplicated("1")), "whether it was consumed or not")
	})
}

func TestAMessageWithoutTheHeaderIsNoDuplicate(t *testing.T) {
	eachDeduplicator(t, warren.Deduplication{}, func(t *testing.T, _ *warren.Broker, ch *warren.Channel) {
		for range 2 {
			require.True(t, isTaken(t, ch, "x", "", warren.Message{Body: []byte("same")}))
			require.True(t, isTaken(t, ch, "x", "", warren.Message{MessageId: "same", Headers: warren.Table{"other": "same"}}))
			require.True(t, isTaken(t, ch, "x", "", deduplicated(nil)))
		}
	})
}

func TestDuplicatesHaveEqualValues(t *testing.T) {
	eachDeduplicator(t, warren.Deduplication{CacheSize: 1000}, func(t *testing.T, _ *warren.Broker, ch *warren.Channel) {
		for _, c := range [][]any{ // the first of each is new, the others are equal to it
			{int64(1), int32(1), uint8(1), 1},
			{"1"}, {""}, {"i1"}, {`"1`}, {"a"}, {"A"}, {"true"},
			{strings.Repeat("x", 1000)}, {strings.Repeat("x", 999) + "y"},
			{true}, {false}, {[]byte("1")}, {1.5, float32(1.5)},
			{warren.Table{"a": 1, "b": "2"}, warren.Table{"b": "2", "a": int16(1)}},
			{[]any{"a", 1}, []any{"a", int8(1)}}, {[]any{1, "a"}},
			{time.Unix(7, 0), time.Unix(7, 0).UTC()},
		} {
			for i, v := range c {
				require.Equal(t, i == 0, isTaken(t, ch, "x", "", deduplicated(v)), "%T %v", v, v)
			}
		}
	})
}

func TestDeduplicationByAnotherHeader(t *testing.T) {
	eachDeduplicator(t, warren.Deduplication{Header: "order"}, func(t *testing.T, _ *warren.Broker, ch *warren.Channel) {
		order := warren.Message{Headers: warren.Table{"order": 7}}
		require.True(t, isTaken(t, ch, "x", "", order))
		require.False(t, isTaken(t, ch, "x", "", order))
		for range 2 {
			require.True(t, isTaken(t, ch, "x", "", deduplicated("1")), "that is no longer the header")
		}
	})
}

func TestDeduplicationForgetsTheOldest(t *testing.T) {
	for size, o := range map[int]warren.Deduplication{3: {CacheSize: 3}, 128: {}} {
		eachDeduplicator(t, o, func(t *testing.T, _ *warren.Broker, ch *warren.Channel) {
			for i := range size {
				require.True(t, isTaken(t, ch, "x", "", deduplicated(i)))
			}
			require.False(t, isTaken(t, ch, "x", "", deduplicated(0)), "all are remembered")
			require.True(t, isTaken(t, ch, "x", "", deduplicated(size)), "one too many")
			require.False(t, isTaken(t, ch, "x", "", deduplicated(1)))
			require.True(t, isTaken(t, ch, "x", "", deduplicated(0)), "the oldest is forgotten, though it came as a duplicate later")
			require.True(t, isTaken(t, ch, "x", "", deduplicated(1)))
			require.False(t, isTaken(t, ch, "x", "", deduplicated(size)))
		})
	}
}

func TestDeduplicationForgetsAfterATime(t *testing.T) {
	eachDeduplicator(t, warren.Deduplication{CacheTTL: time.Minute, CacheSize: 3}, func(t *testing.T, _ *warren.Broker, ch *warren.Channel) {
		brief := deduplicated("brief")
		brief.Headers["x-cache-ttl"] = int16(1000)
		odd := deduplicated("odd")
		odd.Headers["x-cache-ttl"] = "1000"
		for _, msg := range []warren.Message{deduplicated("1"), brief, odd} {
			require.True(t, isTaken(t, ch, "x", "", msg))
			require.False(t, isTaken(t, ch, "x", "", msg))
		}
		time.Sleep(time.Second - 1)
		require.False(t, isTaken(t, ch, "x", "", brief))
		time.Sleep(time.Nanosecond)
		require.True(t, isTaken(t, ch, "x", "", brief), "its own time is over")
		require.False(t, isTaken(t, ch, "x", "", deduplicated("1")))
		time.Sleep(59*time.Second - 1)
		require.False(t, isTaken(t, ch, "x", "", deduplicated("1")))
		require.False(t, isTaken(t, ch, "x", "", odd), "what is no integer says nothing")
		time.Sleep(time.Nanosecond)
		require.True(t, isTaken(t, ch, "x", "", deduplicated("1")), "a duplicate has not renewed it")
		require.True(t, isTaken(t, ch, "x", "", odd))
		require.True(t, isTaken(t, ch, "x", "", deduplicated("2")), "the oldest goes: brief")
		require.False(t, isTaken(t, ch, "x", "", deduplicated("1")), "what came again counts as new")
	})
}

func TestDeduplicationAsArgumentsOfLavinMQ(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		on := warren.Table{"x-message-deduplication": true, "x-cache-size": int8(1), "x-cache-ttl": uint16(1000), "x-deduplication-header": "h"}
		off := warren.Table{"x-message-deduplication": false, "x-cache-size": int8(1), "x-cache-ttl": uint16(1000), "x-deduplication-header": "h"}
		for key, args := range map[string]warren.Table{"on": on, "off": off} {
			brokertest.Queues(t, ch, "plain-"+key)
			require.NoError(t, ch.ExchangeDeclare("x-"+key, warren.Fanout, warren.ExchangeOptions{Args: args}))
			require.NoError(t, ch.QueueBind("plain-"+key, "", "x-"+key, nil))
			_, err := ch.QueueDeclare("q-"+key, warren.QueueOptions{Args: args})
			require.NoError(t, err)
			for _, to := range [][2]string{{"x-" + key, ""}, {"", "q-" + key}} {
				msg := warren.Message{Headers: warren.Table{"h": 1}}
				require.True(t, isTaken(t, ch, to[0], to[1], msg))
				require.Equal(t, key == "off", isTaken(t, ch, to[0], to[1], msg))
			}
		}
	})
}

func TestDeduplicationArgumentsAreChecked(t *testing.T) {
	for _, c := range []struct {
		arg     string
		value   any
		problem string
	}{
		{"x-message-deduplication", "true", "{unacceptable_type,longstr}"},
		{"x-message-deduplication", int32(1), "{unacceptable_type,signedint}"},
		{"x-cache-size", "3", `"expected integer, got longstr"`},
		{"x-cache-size", int64(-1), "{value_negative,-1}"},
		{"x-cache-size", int8(0), "{value_zero,0}"},
		{"x-cache-size", int64(1 << 32), "{value_too_large,4294967296}"},
		{"x-cache-ttl", 1.5, `"expected integer, got double"`},
		{"x-cache-ttl", int64(-1), "{value_negative,-1}"},
		{"x-deduplication-header", int32(1), "{unacceptable_type,signedint}"},
	} {
		brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
			ch := brokertest.Channel(t, b)
			args := warren.Table{c.arg: c.value}
			_, err := ch.QueueDeclare("n", warren.QueueOptions{Args: args})
			brokertest.Fails(t, err, 406, 50, 10, "PRECONDITION_FAILED - invalid arg '"+c.arg+"' for queue 'n' in vhost '/': "+c.problem)
			brokertest.Fails(t, ch.ExchangeDeclare("n", warren.Direct, warren.ExchangeOptions{Args: args}), 406, 40, 10,
				"PRECONDITION_FAILED - invalid arg '"+c.arg+"' for exchange 'n' in vhost '/': "+c.problem)
		})
	}
}

func TestDeduplicationRedeclareComparesArguments(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		is := &warren.Deduplication{Header: "h", CacheSize: 3, CacheTTL: time.Second}
		declare := func(d *warren.Deduplication) (queue, exchange error) {
			_, queue = ch.QueueDeclare("n", warren.QueueOptions{Deduplicate: d})
			return queue, ch.ExchangeDeclare("n", warren.Direct, warren.ExchangeOptions{Deduplicate: d})
		}
		for range 2 {
			queue, exchange := declare(is)
			require.NoError(t, queue)
			require.NoError(t, exchange)
		}
		for _, c := range []struct {
			d        *warren.Deduplication
			mismatch [2]string
		}{
			{nil, [2]string{"x-message-deduplication", "none but current is the value 'true' of type 'bool'"}},
			{&warren.Deduplication{Header: "h", CacheTTL: time.Second}, [2]string{"x-cache-size", "none but current is the value '3' of type 'long'"}},
			{&warren.Deduplication{Header: "h", CacheSize: 3, CacheTTL: time.Minute}, [2]string{"x-cache-ttl", "'60000' but current is '1000'"}},
			{&warren.Deduplication{Header: "g", CacheSize: 3, CacheTTL: time.Second}, [2]string{"x-deduplication-header", "'g' but current is 'h'"}},
		} {
			queue, exchange := declare(c.d)
			brokertest.Fails(t, queue, 406, 50, 10, "PRECONDITION_FAILED - inequivalent arg '"+c.mismatch[0]+"' for queue 'n' in vhost '/': received "+c.mismatch[1])
			brokertest.Fails(t, exchange, 406, 40, 10, "PRECONDITION_FAILED - inequivalent arg '"+c.mismatch[0]+"' for exchange 'n' in vhost '/': received "+c.mismatch[1])
		}
	})
}

func TestDeduplicatingQueueDropsForItselfAlone(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queue(t, ch, "once", warren.QueueOptions{Deduplicate: &warren.Deduplication{}})
		brokertest.Queues(t, ch, "all")
		for _, q := range []string{"once", "all"} {
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		for range 3 {
			require.True(t, isTaken(t, ch, "amq.fanout", "", deduplicated("1")), "the other queue has taken it")
		}
		require.Equal(t, 1, brokertest.Ready(t, ch, "once"))
		require.Equal(t, 3, brokertest.Ready(t, ch, "all"))

		d := brokertest.Take(t, ch, "once")
		require.NoError(t, d.Nack(false, true))
		require.Equal(t, 1, brokertest.Ready(t, ch, "once"), "what comes back is no duplicate")
		require.False(t, isTaken(t, ch, "", "once", deduplicated("1")), "nor does it get in by the default exchange")
	})
}

func TestDeduplicatingExchangeBehindAnother(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Exchanges(t, ch, warren.Fanout, "first")
		brokertest.Queues(t, ch, "all", "once", "other")
		require.NoError(t, ch.ExchangeDeclare("unique", warren.Fanout, warren.ExchangeOptions{
			Deduplicate: &warren.Deduplication{}, Alternate: "amq.fanout",
		}))
		require.NoError(t, ch.QueueBind("other", "", "amq.fanout", nil))
		require.NoError(t, ch.QueueBind("all", "", "first", nil))
		require.NoError(t, ch.QueueBind("once", "", "unique", nil))
		require.NoError(t, ch.ExchangeBind("unique", "", "first", nil))
		msg := deduplicated("1")
		msg.Headers["CC"] = []any{"more", "keys"}
		for range 2 {
			require.True(t, isTaken(t, ch, "first", "", msg))
		}
		require.False(t, isTaken(t, ch, "unique", "", msg), "it remembers what came by another exchange")
		require.Len(t, brokertest.Drain(t, ch, "all"), 2)
		require.Len(t, brokertest.Drain(t, ch, "once"), 1, "CC is no second message")
		require.Empty(t, brokertest.Drain(t, ch, "other"), "the alternate exchange is not for duplicates")
	})
}

func TestDelayedMessageIsNotItsOwnDuplicate(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		require.NoError(t, ch.ExchangeDeclare("x", warren.DelayedMessage, warren.ExchangeOptions{
			DelayedType: warren.Fanout, Deduplicate: &warren.Deduplication{},
		}))
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "", "x", nil))
		msg := delayed("x", time.Second)
		msg.Headers[warren.DeduplicationHeader] = "1"
		for range 2 {
			require.NoError(t, brokertest.Send(ch, "x", "", msg, warren.PublishOptions{}))
		}
		require.Equal(t, 1, b.Stats().Delayed)
		brokertest.Later(time.Second)
		require.Equal(t, []string{"x"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestARefusedMessageMayComeAgain(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		_, err := ch.QueueDeclare("q", warren.QueueOptions{
			MaxLength: 1, Overflow: warren.RejectPublish, Deduplicate: &warren.Deduplication{},
		})
		require.NoError(t, err)
		require.True(t, isTaken(t, ch, "", "q", deduplicated("1")))
		require.ErrorIs(t, brokertest.Send(ch, "", "q", deduplicated("2"), warren.PublishOptions{}), warren.ErrNacked)
		require.NoError(t, brokertest.Send(ch, "", "q", deduplicated("1"), warren.PublishOptions{}), "a duplicate needs no room")
		brokertest.Drain(t, ch, "q")
		require.True(t, isTaken(t, ch, "", "q", deduplicated("2")))
	})
}

func TestAMessageThatIsRolledBackIsNotRemembered(t *testing.T) {
	eachDeduplicator(t, warren.Deduplication{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		tx := brokertest.TxChannel(t, b)
		require.NoError(t, brokertest.Send(tx, "x", "", deduplicated("1"), warren.PublishOptions{}))
		require.NoError(t, tx.TxRollback())
		for range 2 {
			require.NoError(t, brokertest.Send(tx, "x", "", deduplicated("1"), warren.PublishOptions{}))
		}
		require.Zero(t, brokertest.Ready(t, ch, "q"))
		require.NoError(t, tx.TxCommit())
		require.Equal(t, 1, brokertest.Ready(t, ch, "q"))
	})
}

func TestADuplicateCallFailsAtOnce(t *testing.T) {
	eachDeduplicator(t, warren.Deduplication{}, func(t *testing.T, b *warren.Broker, ch *warren.Channel) {
		_, err := b.Handle("q", func(context.Context, *warren.Request) (warren.Message, error) { return warren.Message{}, nil })
		require.NoError(t, err)
		_, err = b.Call(t.Context(), "", deduplicated("1"), warren.CallOptions{Exchange: "x"})
		require.NoError(t, err)
		_, err = b.Call(t.Context(), "", deduplicated("1"), warren.CallOptions{Exchange: "x"})
		require.ErrorIs(t, err, warren.ErrNoRoute)
	})
}
