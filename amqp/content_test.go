package amqp_test

import (
	"bytes"
	"maps"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

var someTime = time.Unix(1_700_000_000, 0)

// allHeaders has a value of each type, for the client.
func allHeaders() amqp091.Table {
	flat := amqp091.Table{
		"nil": nil, "bool": true, "int8": int8(-8), "uint8": byte(200), "int16": int16(-1600), "uint16": uint16(60000),
		"int32": int32(-3200000), "uint32": uint32(4e9), "int64": int64(-6.4e18), "float32": float32(1.5), "float64": 2.25,
		"decimal": amqp091.Decimal{Scale: 2, Value: -314}, "string": "grün", "bytes": []byte{0, 255}, "time": someTime, "empty": "",
	}
	deep := maps.Clone(flat)
	deep["table"] = amqp091.Table{"inner": amqp091.Table{"list": []any{int32(1), amqp091.Table{"x": "y"}, []any{"z", nil}}}}
	deep["list"] = []any{"a", int64(5), amqp091.Decimal{Scale: 1, Value: 7}, flat}
	return deep
}

// shownHeaders is the same as the broker shows it: all integers are of one type.
func shownHeaders() warren.Table {
	flat := warren.Table{
		"nil": nil, "bool": true, "int8": int64(-8), "uint8": int64(200), "int16": int64(-1600), "uint16": int64(60000),
		"int32": int64(-3200000), "uint32": int64(4e9), "int64": int64(-6.4e18), "float32": float32(1.5), "float64": 2.25,
		"decimal": warren.Decimal{Scale: 2, Value: -314}, "string": "grün", "bytes": []byte{0, 255}, "time": someTime, "empty": "",
	}
	deep := maps.Clone(flat)
	deep["table"] = warren.Table{"inner": warren.Table{"list": []any{int64(1), warren.Table{"x": "y"}, []any{"z", nil}}}}
	deep["list"] = []any{"a", int64(5), warren.Decimal{Scale: 1, Value: 7}, flat}
	return deep
}

// nativeHeaders is the same for the broker to publish.
func nativeHeaders() warren.Table {
	flat := warren.Table{
		"nil": nil, "bool": true, "int8": int8(-8), "uint8": uint8(200), "int16": int16(-1600), "uint16": uint16(60000),
		"int32": int32(-3200000), "uint32": uint32(4e9), "int64": int64(-6.4e18), "float32": float32(1.5), "float64": 2.25,
		"decimal": warren.Decimal{Scale: 2, Value: -314}, "string": "grün", "bytes": []byte{0, 255}, "time": someTime, "empty": "",
	}
	deep := maps.Clone(flat)
	deep["table"] = warren.Table{"inner": warren.Table{"list": []any{int32(1), warren.Table{"x": "y"}, []any{"z", nil}}}}
	deep["list"] = []any{"a", int64(5), warren.Decimal{Scale: 1, Value: 7}, flat}
	return deep
}

func fullPublishing(body []byte) amqp091.Publishing {
	return amqp091.Publishing{
		Headers: allHeaders(), ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 9,
		CorrelationId: "corr", ReplyTo: "reply", Expiration: "60000", MessageId: "mid", Timestamp: someTime,
		Type: "type", UserId: "guest", AppId: "app", Body: body,
	}
}

func fullMessage(body []byte) warren.Message {
	return warren.Message{
		Headers: nativeHeaders(), ContentType: "text/plain", ContentEncoding: "gzip", DeliveryMode: 2, Priority: 9,
		CorrelationId: "corr", ReplyTo: "reply", Expiration: "60000", MessageId: "mid", Timestamp: someTime,
		Type: "type", UserId: "guest", AppId: "app", Body: body,
	}
}

// asPublished shows a delivery in the form of a publishing.
func asPublished(d amqp091.Delivery) amqp091.Publishing {
	return amqp091.Publishing{
		Headers: d.Headers, ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode,
		Priority: d.Priority, CorrelationId: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration,
		MessageId: d.MessageId, Timestamp: d.Timestamp, Type: d.Type, UserId: d.UserId, AppId: d.AppId, Body: d.Body,
	}
}

// Times are compared as instants, in the zone of the expectation.
func inOneZone(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.In(someTime.Location())
	case amqp091.Table:
		for k := range v {
			v[k] = inOneZone(v[k])
		}
	case warren.Table:
		out := maps.Clone(v)
		for k := range out {
			out[k] = inOneZone(out[k])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = inOneZone(v[i])
		}
		return out
	}
	return v
}

func bodiesBySize() map[string][]byte {
	return map[string][]byte{"empty": {}, "small": []byte("x"), "1 MiB": bytes.Repeat([]byte("0123456789abcdef"), 1<<16)}
}

func TestPropertiesFromClientToClient(t *testing.T) {
	withServer(t, func(t *env) {
		ch, other := t.open(), t.open()
		c := t.consume(other, t.queue(ch, "q"), "", true)
		for _, body := range bodiesBySize() {
			t.publish(ch, "", "q", false, false, fullPublishing(body))
			got := asPublished(t.next(c))
			got.Headers, got.Timestamp = inOneZone(got.Headers).(amqp091.Table), got.Timestamp.Local()
			require.Equal(t, fullPublishing(body), got)
		}
		t.queue(ch, "got")
		t.publish(ch, "", "got", false, false, fullPublishing([]byte("g")))
		t.ready("got")
		d, ok, err := ch.Get("got", true)
		require.NoError(t, err)
		require.True(t, ok)
		got := asPublished(d)
		got.Headers, got.Timestamp = inOneZone(got.Headers).(amqp091.Table), got.Timestamp.Local()
		require.Equal(t, fullPublishing([]byte("g")), got)
	})
}

func TestPropertiesFromClientToProcess(t *testing.T) {
	withServer(t, func(t *env) {
		ch, native := t.open(), t.native()
		t.queue(ch, "q")
		c, err := native.Consume("q", warren.ConsumeOptions{NoAck: true})
		require.NoError(t, err)
		for name, body := range bodiesBySize() {
			t.publish(ch, "", "q", false, false, fullPublishing(body))
			d, err := c.Next(t.Context())
			require.NoError(t, err)
			d.Headers, d.Timestamp = inOneZone(d.Headers).(warren.Table), d.Timestamp.Local()
			want := fullMessage(body)
			want.Headers = shownHeaders()
			require.Equal(t, want, d.Message, name)
		}
		t.publish(ch, "", "q", false, false, amqp091.Publishing{Body: []byte("plain")})
		d, err := c.Next(t.Context())
		require.NoError(t, err)
		require.Equal(t, warren.Message{Body: []byte("plain")}, d.Message)
	})
}

func TestPropertiesFromProcessToClient(t *testing.T) {
	withServer(t, func(t *env) {
		ch, native := t.open(), t.native()
		c := t.consume(ch, t.queue(ch, "q"), "", true)
		for name, body := range bodiesBySize() {
			require.NoError(t, native.Publish(t.Context(), "", "q", fullMessage(body), warren.PublishOptions{}))
			got := asPublished(t.next(c))
			got.Headers, got.Timestamp = inOneZone(got.Headers).(amqp091.Table), got.Timestamp.Local()
			require.Equal(t, fullPublishing(body), got, name)
		}
		require.NoError(t, native.Publish(t.Context(), "", "q", warren.Message{Headers: warren.Table{"int": 5}}, warren.PublishOptions{}))
		require.Equal(t, amqp091.Table{"int": int64(5)}, t.next(c).Headers)
		require.NoError(t, native.Publish(t.Context(), "", "q", warren.Message{Body: []byte("plain")}, warren.PublishOptions{}))
		require.Equal(t, amqp091.Publishing{Headers: amqp091.Table{}, Body: []byte("plain")}, func() amqp091.Publishing {
			p := asPublished(t.next(c))
			if p.Headers == nil {
				p.Headers = amqp091.Table{}
			}
			return p
		}())
	})
}

func TestPropertiesTravelAsTheyAre(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c"), NoAck: true},
			&wire.BasicConsume{Queue: []byte("amq.rabbitmq.reply-to"), ConsumerTag: []byte("r"), NoAck: true})
		expect[*wire.QueueDeclareOk](r)
		expect[*wire.BasicConsumeOk](r)
		expect[*wire.BasicConsumeOk](r)
		round := func(props wire.RawProperties) wire.RawProperties {
			m := wire.BasicPublish{RoutingKey: []byte("q")}
			r.write(wire.AppendPublish(nil, 1, &m, props, []byte("body"), 131072))
			expect[*wire.BasicDeliver](r)
			h, err := wire.ParseContentHeader(r.nextFrame().Payload)
			require.NoError(t, err)
			props = bytes.Clone(h.Properties)
			require.Equal(t, "body", string(r.nextFrame().Payload))
			return props
		}
		// Old tags, an empty property that is set, the deprecated cluster id,
		// an entry twice: none is lost.
		odd := wire.RawProperties{0x20 | 0x80, 0x04, 0,
			0, 0, 0, 23, 1, 'a', 'L', 0, 0, 0, 0, 0, 0, 0, 7, 1, 'b', 'U', 0, 1, 1, 'a', 't', 1, 1, 'c', 'V',
			2, 'i', 'd'}
		require.NoError(t, odd.Check())
		require.Equal(t, odd, round(odd))

		// A reply_to is spliced in between others.
		all := wire.RawProperties((&wire.Properties{
			ContentType: "t", Headers: wire.Table{"a": int32(1)}, CorrelationId: "c", ReplyTo: "amq.rabbitmq.reply-to",
			Expiration: "5", MessageId: "m", Timestamp: someTime, AppId: "a",
		}).Append(nil))
		got := round(all)
		address, ok := got.Get(wire.ReplyTo)
		require.True(t, ok)
		require.Regexp(t, `^amq\.rabbitmq\.reply-to\.[A-Za-z0-9_-]{22,}$`, string(address))
		require.Equal(t, all, wire.RawProperties(got.AppendWith(nil, wire.ReplyTo, []byte("amq.rabbitmq.reply-to"))))
	})
}

func TestMalformedHeaderClosesTheConnection(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		m := wire.BasicPublish{RoutingKey: []byte("q")}
		r.write(wire.AppendPublish(nil, 1, &m, wire.RawProperties{0x80, 0, 9, 'x'}, []byte("body"), 131072))
		require.EqualValues(t, 501, expect[*wire.ConnectionClose](r).ReplyCode)
	})
}

func TestDeadLettersGoByTheKeysInBCC(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		t.queue(ch, "b")
		t.exchange(ch, "dlx", "direct")
		require.NoError(t, ch.QueueBind("b", "bcc", "dlx", false, nil))
		_, err := ch.QueueDeclare("a", false, false, false, false, amqp091.Table{"x-dead-letter-exchange": "dlx"})
		require.NoError(t, err)
		t.publish(ch, "", "a", false, false, amqp091.Publishing{Headers: amqp091.Table{"BCC": []any{"bcc"}, "h": "v"}})
		d := t.next(t.consume(ch, "a", "", false))
		require.Equal(t, amqp091.Table{"h": "v"}, d.Headers)
		require.NoError(t, d.Reject(false))
		d = t.next(t.consume(ch, "b", "", true))
		require.Equal(t, []any{"a"}, d.Headers["x-death"].([]any)[0].(amqp091.Table)["routing-keys"])
		require.NotContains(t, d.Headers, "BCC")
	})
}
