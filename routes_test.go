package warren_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

func TestRoutesTellWhereAMessageWouldGo(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		v := brokertest.VirtualHost(t, b, warren.DefaultVirtualHost)
		routes := func(exchange, key string, headers warren.Table, want ...string) {
			t.Helper()
			queues, err := v.Routes(exchange, key, headers)
			require.NoError(t, err)
			require.Equal(t, want, queues)
		}
		brokertest.Queues(t, ch, "c", "a", "b")
		brokertest.Stream(t, ch, "log", warren.QueueOptions{Durable: true})
		require.NoError(t, ch.ExchangeDeclare("x", warren.Topic, warren.ExchangeOptions{Alternate: "rest"}))
		require.NoError(t, ch.ExchangeDeclare("rest", warren.Fanout, warren.ExchangeOptions{}))
		require.NoError(t, ch.QueueBind("c", "k.*", "x", nil))
		require.NoError(t, ch.QueueBind("a", "k.#", "x", nil))
		require.NoError(t, ch.QueueBind("c", "#.end", "x", nil))
		require.NoError(t, ch.QueueBind("log", "", "rest", nil))
		require.NoError(t, ch.QueueBind("b", "", "amq.headers", warren.Table{"x-match": "all", "kind": 7}))
		require.NoError(t, ch.ExchangeBind("amq.headers", "k.both", "x", nil))

		routes("x", "k.end", nil, "a", "c")
		routes("x", "k", nil, "a")
		routes("x", "other", nil, "log")
		routes("x", "k.both", warren.Table{"kind": int32(7)}, "a", "b", "c")
		routes("x", "k.both", warren.Table{"kind": 8}, "a", "c")
		routes("amq.direct", "k", nil)
		routes("", "a", nil, "a")
		routes("", "none", nil)
		headers := warren.Table{"CC": []any{"a"}, "BCC": []any{"c", "c"}}
		routes("", "b", headers, "a", "b", "c")
		require.Len(t, headers, 2, "they are the caller's")
		brokertest.Consume(t, ch, warren.DirectReplyTo, warren.ConsumeOptions{NoAck: true})
		routes("", warren.DirectReplyTo, nil)

		s := b.Stats()
		require.Zero(t, s.Ready)
		require.Zero(t, s.Published+s.Unroutable+s.Returned)
	})
}

func TestRoutesOfManyQueues(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		v := brokertest.VirtualHost(t, b, warren.DefaultVirtualHost)
		var want []string
		for i := range 40 {
			want = append(want, fmt.Sprintf("q%02d", i))
		}
		brokertest.Queues(t, ch, want...)
		for _, q := range want {
			require.NoError(t, ch.QueueBind(q, "", "amq.fanout", nil))
		}
		queues, err := v.Routes("amq.fanout", "", nil)
		require.NoError(t, err)
		require.Equal(t, want, queues)
	})
}

func TestRoutesPassGatesWithoutATrace(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		v := brokertest.VirtualHost(t, b, warren.DefaultVirtualHost)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.ExchangeDeclare("once", warren.Fanout, warren.ExchangeOptions{Deduplicate: &warren.Deduplication{Header: "id"}}))
		require.NoError(t, ch.ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Fanout}))
		for _, x := range []string{"once", "later"} {
			require.NoError(t, ch.QueueBind("q", "", x, nil))
		}
		again := warren.Table{"id": "1"}
		for range 2 {
			queues, err := v.Routes("once", "", again)
			require.NoError(t, err)
			require.Equal(t, []string{"q"}, queues)
		}
		require.Len(t, again, 1, "it is the caller's")
		msg := warren.Message{Headers: again}
		require.True(t, isTaken(t, ch, "once", "", msg), "no exchange has seen it")
		require.False(t, isTaken(t, ch, "once", "", msg))

		queues, err := v.Routes("later", "", warren.Table{warren.DelayHeader: warren.Delay(time.Second)})
		require.NoError(t, err)
		require.Empty(t, queues, "it is held back")
		require.Zero(t, b.Stats().Delayed)
		queues, err = v.Routes("later", "", nil)
		require.NoError(t, err)
		require.Equal(t, []string{"q"}, queues)
	})
}

func TestRoutesFailsAsPublishDoes(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		v := brokertest.VirtualHost(t, b, warren.DefaultVirtualHost)
		require.NoError(t, ch.ExchangeDeclare("in", warren.Fanout, warren.ExchangeOptions{Internal: true}))
		for _, c := range []struct {
			exchange, key string
			headers       warren.Table
		}{
			{exchange: "none"},
			{exchange: "in"},
			{exchange: strings.Repeat("x", 256)},
			{key: strings.Repeat("k", 256)},
			{headers: warren.Table{"bad": struct{}{}}},
			{headers: warren.Table{"CC": "no list"}},
		} {
			_, err := v.Routes(c.exchange, c.key, c.headers)
			var e *warren.Error
			require.ErrorAs(t, err, &e)
			published := brokertest.Send(brokertest.Channel(t, b), c.exchange, c.key, warren.Message{Headers: c.headers}, warren.PublishOptions{})
			brokertest.FailsWith(t, published, e.Code, e.Text)
		}
		_, err := v.Routes("none", "", nil)
		brokertest.FailsWith(t, err, 404, "NOT_FOUND - no exchange 'none' in vhost '/'")
		require.NoError(t, b.Close())
		_, err = v.Routes("", "q", nil)
		require.ErrorIs(t, err, warren.ErrClosed)
	})
}
