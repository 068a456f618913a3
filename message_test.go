package warren_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
)

// TestIntegersInHeadersAreOneType: a reader need not know in which width a
// number came, at any level.
func TestIntegersInHeadersAreOneType(t *testing.T) {
	narrow := func() warren.Table {
		return warren.Table{
			"i8": int8(-8), "i16": int16(-16), "i32": int32(-32), "i64": int64(-64), "int": -1, "u8": uint8(8), "u16": uint16(16), "u32": uint32(32),
			"table": warren.Table{"deep": warren.Table{"n": 1}}, "array": []any{int8(1), "x", []any{uint8(2)}}, "bytes": []byte{1}, "f": float32(1),
		}
	}
	wide := warren.Table{
		"i8": int64(-8), "i16": int64(-16), "i32": int64(-32), "i64": int64(-64), "int": int64(-1), "u8": int64(8), "u16": int64(16), "u32": int64(32),
		"table": warren.Table{"deep": warren.Table{"n": int64(1)}}, "array": []any{int64(1), "x", []any{int64(2)}}, "bytes": []byte{1}, "f": float32(1),
	}
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		msg := warren.Message{Headers: narrow()}
		require.NoError(t, brokertest.Send(ch, "", "q", msg, warren.PublishOptions{}))
		d := brokertest.Take(t, ch, "q")
		require.Equal(t, wide, d.Headers, "a delivery")
		require.NoError(t, d.Nack(false, true))
		require.Equal(t, wide, brokertest.Take(t, ch, "q").Headers, "once more")
		require.Equal(t, narrow(), msg.Headers, "the publisher's table is left alone")

		var returned *warren.Return
		require.ErrorAs(t, brokertest.Send(ch, "", "nobody", msg, warren.PublishOptions{Mandatory: true}), &returned)
		require.Equal(t, wide, returned.Headers, "a return")

		_, err := b.Handle("serve", func(_ context.Context, req *warren.Request) (warren.Message, error) {
			require.Equal(t, wide, req.Headers, "a request")
			return warren.Message{Headers: narrow()}, nil
		})
		require.NoError(t, err)
		reply, err := b.Call(t.Context(), "serve", msg)
		require.NoError(t, err)
		require.Equal(t, wide, reply.Headers, "a reply")
		require.Equal(t, narrow(), msg.Headers, "the caller's table is left alone")
	})
}

func TestPropertiesArriveAsTheyWereSent(t *testing.T) {
	full := warren.Message{
		Headers: warren.Table{
			"nil": nil, "bool": true, "text": "é", "bytes": []byte{0, 255}, "time": time.Unix(1<<33, 0), "decimal": warren.Decimal{Scale: 2, Value: -5},
			"table": warren.Table{"a": warren.Table{"b": "c"}}, "array": []any{int64(1), "x", warren.Table{}}, "i64": int64(-1),
			"f32": float32(1.5), "f64": 1.5, "": "an empty name",
		},
		ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: warren.Persistent, Priority: 9, CorrelationId: "c",
		ReplyTo: "r", Expiration: "60000", MessageId: "m", Timestamp: time.Unix(1700000000, 0), Type: "t", UserId: "u", AppId: "a",
		Body: []byte("body"),
	}
	longest := strings.Repeat("x", 255)
	for rule, msg := range map[string]warren.Message{
		"nothing":                       {},
		"a body":                        {Body: []byte("body")},
		"everything":                    full,
		"headers only":                  {Headers: warren.Table{"a": "1"}},
		"delivery mode only":            {DeliveryMode: warren.Transient},
		"priority only":                 {Priority: 1},
		"timestamp only":                {Timestamp: time.Unix(1, 0)},
		"app id only":                   {AppId: "a"},
		"texts of 255 bytes":            {ContentType: longest, ContentEncoding: longest, CorrelationId: longest, ReplyTo: longest, MessageId: longest, Type: longest, UserId: longest, AppId: longest},
		"a body of all octets":          {Body: []byte{0, 1, 206, 255}},
		"a reply_to that is no address": {ReplyTo: "amq.rabbitmq.reply-to.stale"},
	} {
		t.Run(rule, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				require.NoError(t, brokertest.Send(ch, "", "q", msg, warren.PublishOptions{}))
				d := brokertest.Take(t, ch, "q")
				require.Equal(t, msg, d.Message)
				require.NoError(t, d.Reject(true))
				c := brokertest.Consume(t, ch, "q", warren.ConsumeOptions{})
				require.Equal(t, msg, brokertest.Next(t, c).Message, "again by a consumer, redelivered")
			})
		})
	}
}

func TestTextPropertiesHaveAtMost255Bytes(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, msg := range map[string]warren.Message{
		"content_type": {ContentType: long}, "content_encoding": {ContentEncoding: long}, "correlation_id": {CorrelationId: long},
		"reply_to": {ReplyTo: long}, "expiration": {Expiration: strings.Repeat("1", 256)}, "message_id": {MessageId: long},
		"type": {Type: long}, "user_id": {UserId: long}, "app_id": {AppId: long},
	} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Fails(t, brokertest.Send(ch, "amq.fanout", "", msg, warren.PublishOptions{}), 502, 60, 40,
					"SYNTAX_ERROR - property "+name+" of 256 bytes exceeds 255")
			})
		})
	}
}

// methodsWithTable are the methods that take a table.
var methodsWithTable = map[string]struct {
	class, method uint16
	use           func(ch *warren.Channel, table warren.Table) error
}{
	"exchange.declare": {40, 10, func(ch *warren.Channel, table warren.Table) error {
		return ch.ExchangeDeclare("x", warren.Direct, warren.ExchangeOptions{Args: table})
	}},
	"exchange.bind": {40, 30, func(ch *warren.Channel, table warren.Table) error {
		return ch.ExchangeBind("amq.fanout", "", "amq.direct", table)
	}},
	"queue.declare": {50, 10, func(ch *warren.Channel, table warren.Table) error {
		_, err := ch.QueueDeclare("new", warren.QueueOptions{Args: table})
		return err
	}},
	"queue.bind": {50, 20, func(ch *warren.Channel, table warren.Table) error { return ch.QueueBind("q", "", "amq.headers", table) }},
	"basic.consume": {60, 20, func(ch *warren.Channel, table warren.Table) error {
		_, err := ch.Consume("q", warren.ConsumeOptions{Args: table})
		return err
	}},
	"basic.publish": {60, 40, func(ch *warren.Channel, table warren.Table) error {
		return brokertest.Send(ch, "", "q", warren.Message{Headers: table}, warren.PublishOptions{})
	}},
}

// nested is a table that nests to the depth, by tables or by arrays.
func nested(depth int, arrays bool) warren.Table {
	var v any = "bottom"
	for range depth - 1 {
		if arrays {
			v = []any{v}
		} else {
			v = warren.Table{"t": v}
		}
	}
	return warren.Table{"t": v}
}

func TestTablesHoldWhatAMQPCanCarry(t *testing.T) {
	circle := warren.Table{}
	circle["self"] = circle
	for _, c := range []struct {
		rule  string
		table warren.Table
		code  uint16 // zero: allowed
		text  string
	}{
		{"no table", nil, 0, ""},
		{"an empty table", warren.Table{}, 0, ""},
		{"a name of 255 bytes", warren.Table{strings.Repeat("k", 255): "v"}, 0, ""},
		{"a name of 256 bytes", warren.Table{strings.Repeat("k", 256): "v"}, 502, "SYNTAX_ERROR - table key of 256 bytes exceeds 255"},
		{"a name that is no UTF-8", warren.Table{"k\xff": "v"}, 501, `FRAME_ERROR - Malformed UTF-8 in table key "k\xff"`},
		{"text that is no UTF-8", warren.Table{"k": "\xff"}, 0, ""},
		{"a 64 bit unsigned integer", warren.Table{"k": uint64(1)}, 502, "SYNTAX_ERROR - table value 'k' has type uint64, which AMQP cannot carry"},
		{"an unsigned integer", warren.Table{"k": uint(1)}, 502, "SYNTAX_ERROR - table value 'k' has type uint, which AMQP cannot carry"},
		{"an array of texts only", warren.Table{"k": []string{"x"}}, 502, "SYNTAX_ERROR - table value 'k' has type []string, which AMQP cannot carry"},
		{"an ordinary map", warren.Table{"k": map[string]any{"l": 1}}, 0, ""},
		{"a map of integers", warren.Table{"k": map[string]int{}}, 502, "SYNTAX_ERROR - table value 'k' has type map[string]int, which AMQP cannot carry"},
		{"a duration", warren.Table{"k": time.Second}, 502, "SYNTAX_ERROR - table value 'k' has type time.Duration, which AMQP cannot carry"},
		{"a wrong value in a table", warren.Table{"k": warren.Table{"l": 1i}}, 502, "SYNTAX_ERROR - table value 'l' has type complex128, which AMQP cannot carry"},
		{"a wrong value in an array", warren.Table{"k": []any{"x", 1i}}, 502, "SYNTAX_ERROR - table value 'k' has type complex128, which AMQP cannot carry"},
		{"32 tables deep", nested(32, false), 0, ""},
		{"33 tables deep", nested(33, false), 502, "SYNTAX_ERROR - table nests deeper than 32 levels"},
		{"32 arrays deep", nested(32, true), 0, ""},
		{"33 arrays deep", nested(33, true), 502, "SYNTAX_ERROR - table nests deeper than 32 levels"},
		{"a table in itself", circle, 502, "SYNTAX_ERROR - table nests deeper than 32 levels"},
	} {
		for name, m := range methodsWithTable {
			t.Run(c.rule+"/"+name, func(t *testing.T) {
				brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
					ch := brokertest.Channel(t, b)
					brokertest.Queues(t, ch, "q")
					err := m.use(ch, c.table)
					if c.code == 0 {
						require.NoError(t, err)
					} else {
						brokertest.Fails(t, err, c.code, m.class, m.method, c.text)
					}
				})
			})
		}
	}
}

func TestNames(t *testing.T) {
	for where, m := range map[string]struct {
		class, method uint16
		what          string
		use           func(ch *warren.Channel, name string) error
	}{
		"exchange.declare": {40, 10, "exchange name", func(ch *warren.Channel, name string) error {
			return ch.ExchangeDeclare(name, warren.Direct, warren.ExchangeOptions{})
		}},
		"exchange.delete": {40, 20, "exchange name", func(ch *warren.Channel, name string) error {
			return ch.ExchangeDelete(name, warren.ExchangeDeleteOptions{})
		}},
		"queue.declare": {50, 10, "queue name", func(ch *warren.Channel, name string) error {
			_, err := ch.QueueDeclare(name, warren.QueueOptions{})
			return err
		}},
		"queue.delete": {50, 40, "queue name", func(ch *warren.Channel, name string) error {
			_, err := ch.QueueDelete(name, warren.QueueDeleteOptions{})
			return err
		}},
		"queue.bind, key":         {50, 20, "routing key", func(ch *warren.Channel, key string) error { return ch.QueueBind("q", key, "amq.topic", nil) }},
		"queue.unbind, queue":     {50, 50, "queue name", func(ch *warren.Channel, name string) error { return ch.QueueUnbind(name, "", "amq.topic", nil) }},
		"exchange.unbind, source": {40, 40, "exchange name", func(ch *warren.Channel, name string) error { return ch.ExchangeUnbind("amq.fanout", "", name, nil) }},
		"basic.consume, tag": {60, 20, "consumer tag", func(ch *warren.Channel, tag string) error {
			_, err := ch.Consume("q", warren.ConsumeOptions{Tag: tag})
			return err
		}},
		"basic.cancel, tag": {60, 30, "consumer tag", func(ch *warren.Channel, tag string) error { return ch.Cancel(tag) }},
	} {
		t.Run(where, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				require.NoError(t, m.use(ch, strings.Repeat("n", 255)))
				require.NoError(t, m.use(ch, "é ☃ \x00\x01 '"), "any UTF-8")
				brokertest.Fails(t, m.use(ch, strings.Repeat("n", 256)), 502, m.class, m.method,
					"SYNTAX_ERROR - "+m.what+" of 256 bytes exceeds 255")
				brokertest.Fails(t, m.use(ch, strings.Repeat("é", 128)), 502, m.class, m.method,
					"SYNTAX_ERROR - "+m.what+" of 256 bytes exceeds 255")
				brokertest.Fails(t, m.use(ch, "n\xff"), 501, m.class, m.method,
					fmt.Sprintf("FRAME_ERROR - Malformed UTF-8 in shortstr: %s %q", m.what, "n\xff"))
			})
		})
	}
}

func TestLineEndsAreTakenOutOfNames(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		q, err := ch.QueueDeclare("a\r\nb\n", warren.QueueOptions{})
		require.NoError(t, err)
		require.Equal(t, "ab", q.Name)
		brokertest.State(t, ch, "ab")
		q, err = ch.QueueDeclarePassive("\na\rb")
		require.NoError(t, err)
		require.Equal(t, "ab", q.Name)
		_, err = ch.QueueDelete("ab\r\n", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		_, err = ch.QueueDeclarePassive("ab")
		require.ErrorIs(t, err, warren.ErrNotFound)
		_, err = ch.QueueDeclare("\namq.q", warren.QueueOptions{})
		brokertest.Fails(t, err, 403, 50, 10, "ACCESS_REFUSED - queue name 'amq.q' contains reserved prefix 'amq.*'")

		require.NoError(t, ch.ExchangeDeclare("x\n", warren.Fanout, warren.ExchangeOptions{}))
		require.NoError(t, ch.ExchangeDeclarePassive("x"))
		require.NoError(t, ch.ExchangeDeclarePassive("x\r"))
		require.NoError(t, ch.ExchangeDelete("\rx", warren.ExchangeDeleteOptions{}))
		require.ErrorIs(t, ch.ExchangeDeclarePassive("x"), warren.ErrNotFound)
		brokertest.Fails(t, ch.ExchangeDeclare("\n", warren.Fanout, warren.ExchangeOptions{}), 403, 40, 10,
			"ACCESS_REFUSED - operation not permitted on the default exchange")
		brokertest.Fails(t, ch.ExchangeDelete("amq\n.topic", warren.ExchangeDeleteOptions{}), 403, 40, 20,
			"ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed")
	})
}
