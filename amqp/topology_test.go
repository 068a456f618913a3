package amqp_test

import (
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

const lockedMine = "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'mine' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration."

// topologyErrors are what methods of exchanges and queues fail with.
var topologyErrors = map[string]struct {
	code int
	text string
	f    func(ch *amqp091.Channel) error
}{
	"exchange of unknown type": {406, "PRECONDITION_FAILED - unknown exchange type 'odd'", func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclare("x", "odd", false, false, false, false, nil)
	}},
	"exchange of reserved name": {403, "ACCESS_REFUSED - exchange name 'amq.x' contains reserved prefix 'amq.*'", func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclare("amq.x", "direct", false, false, false, false, nil)
	}},
	"default exchange declared": {403, "ACCESS_REFUSED - operation not permitted on the default exchange", func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclare("", "direct", false, false, false, false, nil)
	}},
	"default exchange deleted": {403, "ACCESS_REFUSED - operation not permitted on the default exchange", func(ch *amqp091.Channel) error {
		return ch.ExchangeDelete("", false, false)
	}},
	"system exchange deleted": {403, "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed", func(ch *amqp091.Channel) error {
		return ch.ExchangeDelete("amq.direct", false, false)
	}},
	"exchange of another type": {406, "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'fan' in vhost '/': received 'direct' but current is 'fanout'", func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclare("fan", "direct", false, false, false, false, nil)
	}},
	"exchange with another flag": {406, "PRECONDITION_FAILED - inequivalent arg 'internal' for exchange 'fan' in vhost '/': received 'true' but current is 'false'", func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclare("fan", "fanout", false, false, true, false, nil)
	}},
	"no exchange, passive": {404, "NOT_FOUND - no exchange 'nope' in vhost '/'", func(ch *amqp091.Channel) error {
		return ch.ExchangeDeclarePassive("nope", "direct", false, false, false, false, nil)
	}},
	"exchange in use": {406, "PRECONDITION_FAILED - exchange 'fan' in vhost '/' in use", func(ch *amqp091.Channel) error {
		return ch.ExchangeDelete("fan", true, false)
	}},
	"bind from no exchange": {404, "NOT_FOUND - no exchange 'nope' in vhost '/'", func(ch *amqp091.Channel) error {
		return ch.ExchangeBind("fan", "", "nope", false, nil)
	}},
	"bind to no exchange": {404, "NOT_FOUND - no exchange 'nope' in vhost '/'", func(ch *amqp091.Channel) error {
		return ch.ExchangeBind("nope", "", "fan", false, nil)
	}},
	"queue of reserved name": {403, "ACCESS_REFUSED - queue name 'amq.q' contains reserved prefix 'amq.*'", func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclare("amq.q", false, false, false, false, nil)
		return err
	}},
	"queue with another flag": {406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'", func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclare("q", true, false, false, false, nil)
		return err
	}},
	"queue of unknown type": {406, "PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'new' in vhost '/': \"unsupported queue type 'odd'\"", func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclare("new", false, false, false, false, amqp091.Table{"x-queue-type": "odd"})
		return err
	}},
	"no queue, passive": {404, "NOT_FOUND - no queue 'nope' in vhost '/'", func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclarePassive("nope", false, false, false, false, nil)
		return err
	}},
	"foreign queue declared": {405, lockedMine, func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclare("mine", false, false, true, false, nil)
		return err
	}},
	"foreign queue bound":   {405, lockedMine, func(ch *amqp091.Channel) error { return ch.QueueBind("mine", "", "fan", false, nil) }},
	"foreign queue purged":  {405, lockedMine, func(ch *amqp091.Channel) error { _, err := ch.QueuePurge("mine", false); return err }},
	"foreign queue deleted": {405, lockedMine, func(ch *amqp091.Channel) error { _, err := ch.QueueDelete("mine", false, false, false); return err }},
	"foreign queue read":    {405, lockedMine, func(ch *amqp091.Channel) error { _, _, err := ch.Get("mine", true); return err }},
	"foreign queue consumed": {405, lockedMine, func(ch *amqp091.Channel) error {
		_, err := ch.Consume("mine", "", true, false, false, false, nil)
		return err
	}},
	"queue bound to nothing": {404, "NOT_FOUND - no exchange 'nope' in vhost '/'", func(ch *amqp091.Channel) error { return ch.QueueBind("q", "", "nope", false, nil) }},
	"nothing bound":          {404, "NOT_FOUND - no queue 'nope' in vhost '/'", func(ch *amqp091.Channel) error { return ch.QueueBind("nope", "", "fan", false, nil) }},
	"bind to default":        {403, "ACCESS_REFUSED - operation not permitted on the default exchange", func(ch *amqp091.Channel) error { return ch.QueueBind("q", "", "", false, nil) }},
	"no queue purged":        {404, "NOT_FOUND - no queue 'nope' in vhost '/'", func(ch *amqp091.Channel) error { _, err := ch.QueuePurge("nope", false); return err }},
	"queue in use":           {406, "PRECONDITION_FAILED - queue 'busy' in vhost '/' in use", func(ch *amqp091.Channel) error { _, err := ch.QueueDelete("busy", true, false, false); return err }},
	"queue not empty":        {406, "PRECONDITION_FAILED - queue 'full' in vhost '/' not empty", func(ch *amqp091.Channel) error { _, err := ch.QueueDelete("full", false, true, false); return err }},
	"no last declared queue": {404, "NOT_FOUND - no previously declared queue", func(ch *amqp091.Channel) error { return ch.QueueBind("", "", "fan", false, nil) }},
	"no wait declaration": {403, "ACCESS_REFUSED - queue name 'amq.q' contains reserved prefix 'amq.*'", func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclare("amq.q", false, false, false, true, nil)
		return err
	}},
	"text of more than a short string": {404, ("NOT_FOUND - no queue '" + strings.Repeat("n", 255))[:252] + "...", func(ch *amqp091.Channel) error {
		_, err := ch.QueueDeclarePassive(strings.Repeat("n", 255), false, false, false, false, nil)
		return err
	}},
}

func TestTopologyErrorsCloseTheChannel(t *testing.T) {
	for name, c := range topologyErrors {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				other := t.open()
				t.exchange(other, "fan", "fanout")
				t.queue(other, "q")
				t.queue(other, "full")
				t.queue(other, "busy")
				require.NoError(t, other.QueueBind("q", "", "fan", false, nil))
				_, err := other.QueueDeclare("mine", false, false, true, false, nil)
				require.NoError(t, err)
				t.put(other, "", "full", "x")
				t.consume(other, "busy", "", true)
				require.Zero(t, t.ready("busy"))
				t.channelFails(c.code, c.text, c.f)
			})
		})
	}
}

func TestQueueMethodsTellCounts(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		q, err := ch.QueueDeclare("", false, false, false, false, nil)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(q.Name, "amq.gen-"), q.Name)
		t.put(ch, "", q.Name, "a", "b", "c")
		t.ready(q.Name)
		_, ok, err := ch.Get(q.Name, false)
		require.NoError(t, err)
		require.True(t, ok)
		q, err = ch.QueueDeclarePassive(q.Name, false, false, false, false, nil)
		require.NoError(t, err)
		require.Equal(t, 2, q.Messages)
		n, err := ch.QueuePurge(q.Name, false)
		require.NoError(t, err)
		require.Equal(t, 2, n, "the unacked one stays")
		t.put(ch, "", q.Name, "d")
		t.ready(q.Name)
		n, err = ch.QueueDelete(q.Name, false, false, false)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = ch.QueueDelete(q.Name, false, false, false)
		require.NoError(t, err, "deleting what is not there is fine")
		require.Zero(t, n)

		name := t.queue(ch, "busy")
		t.consume(ch, name, "", true)
		q, err = ch.QueueDeclare(name, false, false, false, false, nil)
		require.NoError(t, err)
		require.Equal(t, 1, q.Consumers)
	})
}

func TestWhatIsNotThereIsUnboundAndDeleted(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.exchange(ch, "x", "topic")
		t.queue(ch, "q")
		require.NoError(t, ch.QueueUnbind("q", "k", "x", nil))
		require.NoError(t, ch.QueueUnbind("nope", "k", "x", nil))
		require.NoError(t, ch.QueueUnbind("q", "k", "nope", nil))
		require.NoError(t, ch.ExchangeUnbind("x", "k", "nope", false, nil))
		require.NoError(t, ch.ExchangeDelete("nope", false, false))
		require.NoError(t, ch.ExchangeDeclare("amq.topic", "topic", true, false, false, false, nil))
	})
}

func TestBindingsRouteAndEnd(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.exchange(ch, "in", "topic")
		t.exchange(ch, "out", "fanout")
		q := t.queue(ch, "q")
		require.NoError(t, ch.ExchangeBind("out", "a.#", "in", false, nil))
		require.NoError(t, ch.QueueBind(q, "", "out", false, nil))
		c := t.consume(ch, q, "", true)
		t.put(ch, "in", "a.b", "1")
		t.put(ch, "in", "b.a", "2")
		d := t.next(c)
		require.Equal(t, []string{"1", "in", "a.b"}, []string{string(d.Body), d.Exchange, d.RoutingKey})
		t.none(c)
		require.NoError(t, ch.ExchangeUnbind("out", "a.#", "in", false, nil))
		t.put(ch, "in", "a.b", "3")
		require.NoError(t, ch.QueueUnbind(q, "", "out", nil))
		t.put(ch, "out", "", "4")
		t.none(c)
	})
}

func TestBindWithoutNamesMeansTheLastDeclaredQueue(t *testing.T) {
	withServer(t, func(t *env) {
		conn := t.dial()
		ch := brokertest.ClientChannel(t, conn)
		q := t.queue(ch, "")
		require.NoError(t, ch.QueueBind("", "", "amq.direct", false, nil))
		t.put(ch, "amq.direct", q, "x")
		require.Equal(t, 1, t.ready(q))
		d, ok, err := ch.Get("", true)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "x", string(d.Body))
		closed := make(chan *amqp091.Error, 1)
		other := brokertest.ClientChannel(t, conn)
		other.NotifyClose(closed)
		_, _, err = other.Get("", true)
		require.Error(t, err, "it is the channel's, not the connection's")
		t.isClose(closed, 404, "NOT_FOUND - no previously declared queue")
	})
}

func TestNoWaitMethodsAreNotAnswered(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1,
			&wire.ExchangeDeclare{Exchange: "x", Type: "fanout", NoWait: true},
			&wire.ExchangeDeclare{Exchange: "x", Passive: true, NoWait: true},
			&wire.ExchangeBind{Destination: "x", Source: "amq.fanout", NoWait: true},
			&wire.ExchangeUnbind{Destination: "x", Source: "amq.fanout", NoWait: true},
			&wire.QueueDeclare{Queue: "q", NoWait: true},
			&wire.QueueDeclare{Queue: "q", Passive: true, NoWait: true},
			&wire.QueueBind{Queue: "q", Exchange: "x", NoWait: true},
			&wire.QueuePurge{Queue: "q", NoWait: true},
			&wire.ConfirmSelect{NoWait: true},
			&wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c"), NoWait: true},
			&wire.BasicCancel{ConsumerTag: []byte("c"), NoWait: true},
			&wire.QueueDelete{Queue: "q", NoWait: true},
			&wire.ExchangeDelete{Exchange: "x", NoWait: true})
		r.quiet(time.Millisecond)
		r.send(1, &wire.QueueDeclare{Queue: "q", Passive: true})
		require.Equal(t, "NOT_FOUND - no queue 'q' in vhost '/'", expect[*wire.ChannelClose](r).ReplyText)
	})
}

func TestExclusiveAndAutoDeleteQueuesEnd(t *testing.T) {
	withServer(t, func(t *env) {
		conn := t.dial()
		ch := brokertest.ClientChannel(t, conn)
		_, err := ch.QueueDeclare("mine", false, false, true, false, nil)
		require.NoError(t, err)
		_, err = ch.QueueDeclare("passing", false, true, false, false, nil)
		require.NoError(t, err)
		_, err = brokertest.ClientChannel(t, conn).QueueDeclare("mine", false, false, true, false, nil)
		require.NoError(t, err, "another channel of the connection may have it")
		t.consume(ch, "passing", "c", true)
		require.NoError(t, ch.Cancel("c", false))
		native := t.native()
		_, err = native.QueueDeclarePassive("passing")
		require.ErrorIs(t, err, warren.ErrNotFound)
		require.NoError(t, conn.Close())
		_, err = native.QueueDeclarePassive("mine")
		require.ErrorIs(t, err, warren.ErrNotFound, "deleted before close-ok")
	})
}

func TestHeadersExchangeOverTheWire(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.exchange(ch, "h", "headers")
		for name, args := range map[string]amqp091.Table{
			"all": {"x-match": "all", "n": int64(1), "s": "x"},
			"any": {"x-match": "any", "n": int32(1), "s": "x"},
			"has": {"s": nil},
			"sub": {"x-match": "all", "b": true},
		} {
			t.queue(ch, name)
			require.NoError(t, ch.QueueBind(name, "", "h", false, args))
		}
		for body, headers := range map[string]amqp091.Table{
			"both": {"n": int16(1), "s": "x", "more": "y"}, "number": {"n": byte(1)}, "string": {"s": "x"}, "other": {"s": "z", "b": true}, "none": nil,
		} {
			require.NoError(t, ch.PublishWithContext(t.Context(), "h", "ignored", false, false, amqp091.Publishing{Headers: headers, Body: []byte(body)}))
		}
		for name, want := range map[string][]string{
			"all": {"both"}, "any": {"both", "number", "string"}, "has": {"both", "string", "other"}, "sub": {"other"},
		} {
			c := t.consume(ch, name, "", true)
			require.ElementsMatch(t, want, t.bodies(c, len(want)), name)
		}
	})
}

func TestArgumentsKeepTheirTypes(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.exchange(ch, "h", "headers")
		q := t.queue(ch, "q")
		list := amqp091.Table{"d": amqp091.Decimal{Scale: 1, Value: 5}, "t": amqp091.Table{"x": []any{int8(1), amqp091.Table{"y": "z"}}}}
		require.NoError(t, ch.QueueBind(q, "", "h", false, list))
		native := t.native()
		require.NoError(t, native.QueueUnbind(q, "", "h", warren.Table{
			"d": warren.Decimal{Scale: 1, Value: 5}, "t": warren.Table{"x": []any{int8(1), warren.Table{"y": "z"}}},
		}))
		require.NoError(t, native.ExchangeDelete("h", warren.ExchangeDeleteOptions{IfUnused: true}), "the same arguments have removed the binding")
	})
}
