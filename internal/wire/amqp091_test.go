package wire_test

import (
	"io"
	"maps"
	"net"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

// peer is a server by script for amqp091-go: it expects methods and answers
// them.
type peer struct {
	t      *testing.T
	conn   net.Conn
	frames *wire.FrameReader
	dec    wire.Decoder
}

func (p *peer) next(want wire.FrameType) wire.Frame {
	f, err := p.frames.Next()
	require.NoError(p.t, err)
	require.Equal(p.t, want, f.Type)
	return f
}

// expect reads a method of the given id, and writes the answers, if any.
func (p *peer) expect(id wire.MethodID, answers ...wire.Method) wire.Method {
	f := p.next(wire.FrameMethod)
	m, err := p.dec.Parse(f.Payload)
	require.NoError(p.t, err)
	require.Equal(p.t, id, m.ID())
	if again := m.Append(nil); id == wire.ConnectionStartOkID {
		require.Len(p.t, again, len(f.Payload)) // its table comes in any order
	} else {
		require.Equal(p.t, f.Payload, again)
	}
	var b []byte
	for _, a := range answers {
		b = wire.AppendMethod(b, f.Channel, a)
	}
	p.write(b)
	return m
}

func (p *peer) write(b []byte) {
	_, err := p.conn.Write(b)
	require.NoError(p.t, err)
}

// content reads the content of a message.
func (p *peer) content() (raw wire.RawProperties, props wire.Properties, body []byte) {
	h, err := wire.ParseContentHeader(p.next(wire.FrameHeader).Payload)
	require.NoError(p.t, err)
	raw = append(raw, h.Properties...)
	require.NoError(p.t, props.Parse(raw))
	for uint64(len(body)) < h.BodySize {
		body = append(body, p.next(wire.FrameBody).Payload...)
	}
	return raw, props, body
}

// handshake opens a connection and a channel, with as small frames as can be.
func (p *peer) handshake() *wire.ConnectionStartOk {
	header := make([]byte, len(wire.ProtocolHeader))
	_, err := io.ReadFull(p.conn, header)
	require.NoError(p.t, err)
	require.True(p.t, wire.AcceptProtocol(header))
	p.write(wire.AppendMethod(nil, 0, &wire.ConnectionStart{
		VersionMinor: 9, ServerProperties: wire.Table{"product": "wire"}, Mechanisms: "PLAIN", Locales: "en_US",
	}))
	startOk := p.expect(wire.ConnectionStartOkID, &wire.ConnectionTune{ChannelMax: 7, FrameMax: wire.FrameMinMax}).(*wire.ConnectionStartOk)
	p.expect(wire.ConnectionTuneOkID)
	p.frames.SetFrameMax(wire.FrameMinMax)
	p.expect(wire.ConnectionOpenID, &wire.ConnectionOpenOk{})
	p.expect(wire.ChannelOpenID, &wire.ChannelOpenOk{})
	return startOk
}

// dialPeer runs a client and a scripted server over a pipe.
func dialPeer(t *testing.T, client func(*testing.T, *amqp.Connection, *amqp.Channel), server func(*testing.T, *peer)) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		p := &peer{t: t, conn: ours, frames: wire.NewFrameReader(ours, make([]byte, 512))}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer ours.Close()
			server(t, p)
			p.expect(wire.ConnectionCloseID, &wire.ConnectionCloseOk{})
		}()
		conn, err := amqp.Open(theirs, amqp.Config{
			SASL:       []amqp.Authentication{&amqp.PlainAuth{Username: "user", Password: "secret"}},
			Vhost:      "/",
			Locale:     "en_US",
			Properties: maps.Clone(clientTable), // the client adds to it
		})
		require.NoError(t, err)
		ch, err := conn.Channel()
		require.NoError(t, err)
		client(t, conn, ch)
		require.NoError(t, conn.Close())
		<-done
	})
}

// The same table with all types that both know, in theirs and in ours.
var (
	clientTable = amqp.Table{
		"nil": nil, "bool": true, "int8": int8(-1), "uint8": uint8(200), "int16": int16(-300), "uint16": uint16(60000),
		"int32": int32(-70000), "uint32": uint32(4000000000), "int64": int64(-1 << 40), "float32": float32(1.5), "float64": 2.5,
		"decimal": amqp.Decimal{Scale: 2, Value: 314}, "string": "text", "bytes": []byte("bytes"), "time": time.Unix(1700000000, 0),
		"array": []any{int32(1), "two", []any{true}}, "table": amqp.Table{"inner": amqp.Table{"k": "v"}},
	}
	wantTable = wire.Table{
		"nil": nil, "bool": true, "int8": int8(-1), "uint8": uint8(200), "int16": int16(-300), "uint16": uint16(60000),
		"int32": int32(-70000), "uint32": uint32(4000000000), "int64": int64(-1 << 40), "float32": float32(1.5), "float64": 2.5,
		"decimal": wire.Decimal{Scale: 2, Value: 314}, "string": "text", "bytes": []byte("bytes"), "time": time.Unix(1700000000, 0).UTC(),
		"array": []any{int32(1), "two", []any{true}}, "table": wire.Table{"inner": wire.Table{"k": "v"}},
	}
)

func TestAMQP091GoHandshake(t *testing.T) {
	dialPeer(t, func(t *testing.T, conn *amqp.Connection, _ *amqp.Channel) {
		require.Equal(t, amqp.Table{"product": "wire"}, conn.Properties)
		require.Equal(t, 4096, conn.Config.FrameSize)
	}, func(t *testing.T, p *peer) {
		ok := p.handshake()
		require.Equal(t, "PLAIN", ok.Mechanism)
		require.Equal(t, "\x00user\x00secret", ok.Response)
		for key, want := range wantTable {
			require.Equal(t, want, ok.ClientProperties[key], key)
		}
	})
}

func TestAMQP091GoDeclares(t *testing.T) {
	dialPeer(t, func(t *testing.T, _ *amqp.Connection, ch *amqp.Channel) {
		require.NoError(t, ch.ExchangeDeclare("x", "topic", true, false, true, false, nil))
		q, err := ch.QueueDeclare("q", true, false, true, false, amqp.Table{"x-max-length": 10})
		require.NoError(t, err)
		require.Equal(t, amqp.Queue{Name: "q", Messages: 258, Consumers: 3}, q)
		require.NoError(t, ch.QueueBind("q", "k", "x", false, nil))
		require.NoError(t, ch.Qos(10, 0, true))
		require.NoError(t, ch.Confirm(false))
		_, err = ch.QueueDelete("q", true, false, false)
		require.ErrorContains(t, err, "PRECONDITION_FAILED - queue 'q' in vhost '/' in use")
	}, func(t *testing.T, p *peer) {
		p.handshake()
		require.Equal(t, &wire.ExchangeDeclare{Exchange: "x", Type: "topic", Durable: true, Internal: true},
			p.expect(wire.ExchangeDeclareID, &wire.ExchangeDeclareOk{}))
		require.Equal(t, &wire.QueueDeclare{Queue: "q", Durable: true, Exclusive: true, Arguments: wire.Table{"x-max-length": int32(10)}},
			p.expect(wire.QueueDeclareID, &wire.QueueDeclareOk{Queue: "q", MessageCount: 258, ConsumerCount: 3}))
		require.Equal(t, &wire.QueueBind{Queue: "q", Exchange: "x", RoutingKey: "k"}, p.expect(wire.QueueBindID, &wire.QueueBindOk{}))
		require.Equal(t, &wire.BasicQos{PrefetchCount: 10, Global: true}, p.expect(wire.BasicQosID, &wire.BasicQosOk{}))
		p.expect(wire.ConfirmSelectID, &wire.ConfirmSelectOk{})
		p.expect(wire.QueueDeleteID, &wire.ChannelClose{
			ReplyCode: 406, ReplyText: "PRECONDITION_FAILED - queue 'q' in vhost '/' in use", Cause: wire.QueueDeleteID,
		})
		p.expect(wire.ChannelCloseOkID)
	})
}

func TestAMQP091GoMessages(t *testing.T) {
	body := make([]byte, 10000) // three frames
	for i := range body {
		body[i] = byte(i)
	}
	sent := amqp.Publishing{
		Headers: clientTable, ContentType: "ct", ContentEncoding: "ce", DeliveryMode: 2, Priority: 9, CorrelationId: "c",
		ReplyTo: "r", Expiration: "1000", MessageId: "m", Timestamp: time.Unix(1700000000, 0), Type: "t", UserId: "u", AppId: "a",
		Body: body,
	}
	dialPeer(t, func(t *testing.T, _ *amqp.Connection, ch *amqp.Channel) {
		require.NoError(t, ch.PublishWithContext(t.Context(), "x", "key", true, false, sent))
		deliveries, err := ch.Consume("q", "tag", false, true, false, false, amqp.Table{"x-priority": int64(3)})
		require.NoError(t, err)
		d := <-deliveries
		require.Equal(t, sent.Headers, d.Headers)
		require.Equal(t, []any{"ct", "ce", uint8(2), uint8(9), "c", "other", "1000", "m", sent.Timestamp, "t", "u", "a"},
			[]any{d.ContentType, d.ContentEncoding, d.DeliveryMode, d.Priority, d.CorrelationId, d.ReplyTo, d.Expiration,
				d.MessageId, d.Timestamp, d.Type, d.UserId, d.AppId})
		require.Equal(t, []any{"tag", uint64(7), true, "x", "key"},
			[]any{d.ConsumerTag, d.DeliveryTag, d.Redelivered, d.Exchange, d.RoutingKey})
		require.Equal(t, body, d.Body)
		require.NoError(t, d.Nack(false, true))

		got, ok, err := ch.Get("q", true)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, []any{uint32(5), "x", "key", 0}, []any{got.MessageCount, got.Exchange, got.RoutingKey, len(got.Body)})
		_, ok, err = ch.Get("q", true)
		require.NoError(t, err)
		require.False(t, ok)
	}, func(t *testing.T, p *peer) {
		p.handshake()
		require.Equal(t, &wire.BasicPublish{Exchange: []byte("x"), RoutingKey: []byte("key"), Mandatory: true}, p.expect(wire.BasicPublishID))
		raw, props, got := p.content()
		require.Equal(t, wire.Properties{
			Headers: wantTable, ContentType: "ct", ContentEncoding: "ce", DeliveryMode: 2, Priority: 9, CorrelationId: "c",
			ReplyTo: "r", Expiration: "1000", MessageId: "m", Timestamp: time.Unix(1700000000, 0).UTC(), Type: "t", UserId: "u", AppId: "a",
		}, props)
		require.Equal(t, body, got)

		consume := p.expect(wire.BasicConsumeID, &wire.BasicConsumeOk{ConsumerTag: []byte("tag")})
		require.Equal(t, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("tag"), Exclusive: true,
			Arguments: wire.Table{"x-priority": int64(3)}}, consume)
		p.write(wire.AppendDeliver(nil, 1, &wire.BasicDeliver{
			ConsumerTag: []byte("tag"), DeliveryTag: 7, Redelivered: true, Exchange: []byte("x"), RoutingKey: []byte("key"),
		}, raw.AppendWith(nil, wire.ReplyTo, []byte("other")), body, wire.FrameMinMax))
		require.Equal(t, &wire.BasicNack{DeliveryTag: 7, Requeue: true}, p.expect(wire.BasicNackID))

		require.Equal(t, &wire.BasicGet{Queue: []byte("q"), NoAck: true}, p.expect(wire.BasicGetID))
		p.write(wire.AppendGetOk(nil, 1, &wire.BasicGetOk{
			DeliveryTag: 8, Exchange: []byte("x"), RoutingKey: []byte("key"), MessageCount: 5,
		}, nil, nil, wire.FrameMinMax))
		p.expect(wire.BasicGetID, &wire.BasicGetEmpty{})
	})
}
