package wire_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

var (
	benchProperties = (&wire.Properties{ContentType: "application/json", DeliveryMode: 2, CorrelationId: "4711", ReplyTo: "amq.direct.reply-to"}).Append(nil)
	body16          = make([]byte, 16)

	exchangeName, routingKey, consumerTag = "orders", "order.created.in.some.country.of.the.north", "amq.ctag-0123456789abcdefghijkl"
)

// readPublish reads the three frames of a message as a server does.
func readPublish(d *wire.Decoder, b []byte) (*wire.BasicPublish, wire.ContentHeader, []byte) {
	method, n, _ := wire.ParseFrame(b, 131072)
	header, m, _ := wire.ParseFrame(b[n:], 131072)
	body, _, _ := wire.ParseFrame(b[n+m:], 131072)
	publish, err := d.Parse(method.Payload)
	if err != nil {
		panic(err)
	}
	h, err := wire.ParseContentHeader(header.Payload)
	if err != nil {
		panic(err)
	}
	return publish.(*wire.BasicPublish), h, body.Payload
}

func appendDeliver(b []byte, tag uint64) []byte {
	return wire.AppendDeliver(b, 1, &wire.BasicDeliver{
		ConsumerTag: []byte(consumerTag),
		DeliveryTag: tag,
		Exchange:    []byte(exchangeName),
		RoutingKey:  []byte(routingKey),
	}, benchProperties, body16, 131072)
}

func publishOctets() []byte {
	return wire.AppendPublish(nil, 1, &wire.BasicPublish{Exchange: []byte(exchangeName), RoutingKey: []byte(routingKey)}, benchProperties, body16, 131072)
}

func TestAMessageIsReadAndWrittenWithoutAllocation(t *testing.T) {
	var d wire.Decoder
	in, out := publishOctets(), make([]byte, 0, 4096)
	for name, f := range map[string]func(){
		"publish": func() { readPublish(&d, in) },
		"deliver": func() { out = appendDeliver(out[:0], 1) },
		"reply-to": func() {
			_, h, _ := readPublish(&d, in)
			out = h.Properties.AppendWith(out[:0], wire.ReplyTo, []byte("amq.direct.reply-to.0123456789abcdefghijkl"))
		},
		"confirm": func() {
			var at int
			out, at = wire.OpenFrame(out[:0], wire.FrameMethod, 1)
			out = wire.CloseFrame((&wire.BasicAck{DeliveryTag: 1}).Append(out), at)
		},
	} {
		require.Zero(t, testing.AllocsPerRun(100, f), name)
	}
	for _, m := range []wire.Method{
		&wire.BasicAck{}, &wire.BasicNack{}, &wire.BasicReject{}, &wire.BasicGet{Queue: []byte("q")},
		&wire.BasicGetOk{Exchange: []byte("x")}, &wire.BasicConsume{Queue: []byte("q")}, &wire.BasicDeliver{Exchange: []byte("x")},
	} {
		octets := m.Append(nil)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := d.Parse(octets); err != nil {
				panic(err)
			}
		}), m.ID())
	}
}

func BenchmarkReadPublish(b *testing.B) {
	var d wire.Decoder
	in := publishOctets()
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		readPublish(&d, in)
	}
}

func BenchmarkAppendDeliver(b *testing.B) {
	var tag uint64
	out := appendDeliver(nil, tag)
	b.ReportAllocs()
	b.SetBytes(int64(len(out)))
	for b.Loop() {
		tag++
		out = appendDeliver(out[:0], tag)
	}
}

func BenchmarkReplaceReplyTo(b *testing.B) {
	out := make([]byte, 0, 4096)
	address := []byte("amq.direct.reply-to.0123456789abcdefghijkl")
	b.ReportAllocs()
	for b.Loop() {
		out = wire.RawProperties(benchProperties).AppendWith(out[:0], wire.ReplyTo, address)
	}
}

func BenchmarkParseTable(b *testing.B) {
	entries := wire.AppendTable(nil, wire.Table{"x-max-length": int32(1000), "x-queue-type": "classic", "tags": []any{"a", "b"}})[4:]
	b.Run("build", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = wire.ParseTable(entries)
		}
	})
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = wire.CheckTable(entries)
		}
	})
}
