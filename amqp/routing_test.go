package amqp_test

import (
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// What clients can make of exchanges that lead to exchanges. A message to "x"
// with the key "k" and the copies' keys either reaches the queue "q" once or
// comes back.
func TestMessagesGoOnFromExchangeToExchange(t *testing.T) {
	type table = amqp091.Table
	for rule, c := range map[string]struct {
		setup   func(t *env, ch *amqp091.Channel, declare func(name, kind string, args table))
		cc      []any
		reaches bool
	}{
		"an alternate exchange has what matches nothing": {func(t *env, ch *amqp091.Channel, declare func(name, kind string, args table)) {
			declare("x", "direct", table{"alternate-exchange": "amq.fanout"})
			require.NoError(t, ch.QueueBind("q", "", "amq.fanout", false, nil))
		}, nil, true},
		"an alternate exchange looks at copies' keys, too": {func(t *env, ch *amqp091.Channel, declare func(name, kind string, args table)) {
			declare("x", "direct", table{"alternate-exchange": "amq.fanout"})
			require.NoError(t, ch.QueueBind("q", "copy", "x", false, nil))
			require.NoError(t, ch.QueueBind("q", "", "amq.fanout", false, nil))
		}, []any{"copy"}, true},
		"an alternate exchange may be missing": {func(t *env, ch *amqp091.Channel, declare func(name, kind string, args table)) {
			declare("x", "direct", table{"alternate-exchange": "nowhere"})
		}, nil, false},
		"alternate exchanges may form a circle": {func(t *env, ch *amqp091.Channel, declare func(name, kind string, args table)) {
			declare("x", "direct", table{"alternate-exchange": "y"})
			declare("y", "direct", table{"alternate-exchange": "x"})
		}, nil, false},
		"bindings may form a circle, and a queue gets one copy": {func(t *env, ch *amqp091.Channel, declare func(name, kind string, args table)) {
			declare("x", "fanout", nil)
			declare("y", "topic", nil)
			require.NoError(t, ch.ExchangeBind("y", "", "x", false, nil))
			require.NoError(t, ch.ExchangeBind("x", "#", "y", false, nil))
			require.NoError(t, ch.QueueBind("q", "", "x", false, nil))
			require.NoError(t, ch.QueueBind("q", "*", "y", false, nil))
		}, nil, true},
		"an exchange that leads nowhere counts as a match": {func(t *env, ch *amqp091.Channel, declare func(name, kind string, args table)) {
			declare("x", "direct", table{"alternate-exchange": "amq.fanout"})
			declare("y", "direct", nil)
			require.NoError(t, ch.ExchangeBind("y", "k", "x", false, nil))
			require.NoError(t, ch.QueueBind("q", "", "amq.fanout", false, nil))
		}, nil, false},
		"an internal exchange takes messages from exchanges": {func(t *env, ch *amqp091.Channel, declare func(name, kind string, args table)) {
			declare("x", "direct", nil)
			require.NoError(t, ch.ExchangeDeclare("in", "fanout", false, false, true, false, nil))
			require.NoError(t, ch.ExchangeBind("in", "k", "x", false, nil))
			require.NoError(t, ch.QueueBind("q", "", "in", false, nil))
		}, nil, true},
	} {
		t.Run(rule, func(t *testing.T) {
			withServer(t, func(t *env) {
				ch := t.open()
				q := t.consume(ch, t.queue(ch, "q"), "", true)
				c.setup(t, ch, func(name, kind string, args table) {
					require.NoError(t, ch.ExchangeDeclare(name, kind, false, false, false, false, args))
				})
				returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
				msg := amqp091.Publishing{Body: []byte("m")}
				if c.cc != nil {
					msg.Headers = table{"CC": c.cc}
				}
				require.NoError(t, ch.PublishWithContext(t.Context(), "x", "k", true, false, msg))
				if !c.reaches {
					require.Equal(t, "NO_ROUTE", (<-returns).ReplyText)
					t.none(q)
					return
				}
				d := t.next(q)
				require.Equal(t, [2]string{"x", "k"}, [2]string{d.Exchange, d.RoutingKey}, "as it was published")
				t.none(q)
			})
		})
	}
}

func TestRefusedExchangesOverTheWire(t *testing.T) {
	withServer(t, func(t *env) {
		require.NoError(t, t.open().ExchangeDeclare("in", "fanout", false, false, true, false, nil))
		t.channelFails(403, "ACCESS_REFUSED - cannot publish to internal exchange 'in' in vhost '/'", func(ch *amqp091.Channel) error {
			t.put(ch, "in", "", "m")
			return nil
		})
		t.channelFails(406, "PRECONDITION_FAILED - invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'", func(ch *amqp091.Channel) error {
			return ch.ExchangeDeclare("x", "fanout", false, false, false, false, amqp091.Table{"alternate-exchange": int32(1)})
		})
	})
}
