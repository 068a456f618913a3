package wire_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/wire"
)

// methodCases has every method with its octets, as the specification lays them
// out: ids, then arguments. Where a method has flags, each is set in one row.
var methodCases = []struct {
	name   string
	method wire.Method
	octets string
}{
	{"connection.start", &wire.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9, ServerProperties: wire.Table{"a": true}, Mechanisms: "PLAIN AMQPLAIN", Locales: "en_US",
	}, "000a 000a 00 09 00000004 01'a' 't'01 0000000e'PLAIN AMQPLAIN' 00000005'en_US'"},
	{"connection.start-ok", &wire.ConnectionStartOk{
		ClientProperties: wire.Table{"a": nil}, Mechanism: "PLAIN", Response: "\x00u\x00p", Locale: "en_US",
	}, "000a 000b 00000003 01'a' 'V' 05'PLAIN' 00000004 00'u'00'p' 05'en_US'"},
	{"connection.secure", &wire.ConnectionSecure{Challenge: "what?"}, "000a 0014 00000005'what?'"},
	{"connection.secure-ok", &wire.ConnectionSecureOk{Response: "that"}, "000a 0015 00000004'that'"},
	{"connection.tune", &wire.ConnectionTune{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}, "000a 001e 07ff 00020000 003c"},
	{"connection.tune-ok", &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072, Heartbeat: 60}, "000a 001f 07ff 00020000 003c"},
	{"connection.open", &wire.ConnectionOpen{VirtualHost: "/"}, "000a 0028 01'/' 00 00"},
	{"connection.open-ok", &wire.ConnectionOpenOk{}, "000a 0029 00"},
	{"connection.close", &wire.ConnectionClose{ReplyCode: 540, ReplyText: "no", Cause: wire.BasicPublishID}, "000a 0032 021c 02'no' 003c 0028"},
	{"connection.close-ok", &wire.ConnectionCloseOk{}, "000a 0033"},
	{"connection.blocked", &wire.ConnectionBlocked{Reason: "low on memory"}, "000a 003c 0d'low on memory'"},
	{"connection.unblocked", &wire.ConnectionUnblocked{}, "000a 003d"},
	{"connection.update-secret", &wire.ConnectionUpdateSecret{NewSecret: "s", Reason: "old"}, "000a 0046 00000001's' 03'old'"},
	{"connection.update-secret-ok", &wire.ConnectionUpdateSecretOk{}, "000a 0047"},

	{"channel.open", &wire.ChannelOpen{}, "0014 000a 00"},
	{"channel.open-ok", &wire.ChannelOpenOk{}, "0014 000b 00000000"},
	{"channel.flow", &wire.ChannelFlow{Active: true}, "0014 0014 01"},
	{"channel.flow", &wire.ChannelFlow{}, "0014 0014 00"},
	{"channel.flow-ok", &wire.ChannelFlowOk{Active: true}, "0014 0015 01"},
	{"channel.close", &wire.ChannelClose{ReplyCode: 404, ReplyText: "none", Cause: wire.QueueDeclareID}, "0014 0028 0194 04'none' 0032 000a"},
	{"channel.close-ok", &wire.ChannelCloseOk{}, "0014 0029"},

	{"access.request", &wire.AccessRequest{Realm: "/data", Exclusive: true}, "001e 000a 05'/data' 01"},
	{"access.request", &wire.AccessRequest{Passive: true}, "001e 000a 00 02"},
	{"access.request", &wire.AccessRequest{Active: true}, "001e 000a 00 04"},
	{"access.request", &wire.AccessRequest{Write: true}, "001e 000a 00 08"},
	{"access.request", &wire.AccessRequest{Read: true}, "001e 000a 00 10"},
	{"access.request-ok", &wire.AccessRequestOk{Ticket: 1}, "001e 000b 0001"},

	{"exchange.declare", &wire.ExchangeDeclare{Exchange: "x", Type: "topic", Passive: true, Arguments: wire.Table{"a": int8(1)}},
		"0028 000a 0000 01'x' 05'topic' 01 00000004 01'a''b'01"},
	{"exchange.declare", &wire.ExchangeDeclare{Durable: true}, "0028 000a 0000 00 00 02 00000000"},
	{"exchange.declare", &wire.ExchangeDeclare{AutoDelete: true}, "0028 000a 0000 00 00 04 00000000"},
	{"exchange.declare", &wire.ExchangeDeclare{Internal: true}, "0028 000a 0000 00 00 08 00000000"},
	{"exchange.declare", &wire.ExchangeDeclare{NoWait: true}, "0028 000a 0000 00 00 10 00000000"},
	{"exchange.declare-ok", &wire.ExchangeDeclareOk{}, "0028 000b"},
	{"exchange.delete", &wire.ExchangeDelete{Exchange: "x", IfUnused: true}, "0028 0014 0000 01'x' 01"},
	{"exchange.delete", &wire.ExchangeDelete{Exchange: "x", NoWait: true}, "0028 0014 0000 01'x' 02"},
	{"exchange.delete-ok", &wire.ExchangeDeleteOk{}, "0028 0015"},
	{"exchange.bind", &wire.ExchangeBind{Destination: "d", Source: "s", RoutingKey: "k", NoWait: true, Arguments: wire.Table{"a": nil}},
		"0028 001e 0000 01'd' 01's' 01'k' 01 00000003 01'a''V'"},
	{"exchange.bind-ok", &wire.ExchangeBindOk{}, "0028 001f"},
	{"exchange.unbind", &wire.ExchangeUnbind{Destination: "d", Source: "s", RoutingKey: "k", NoWait: true, Arguments: wire.Table{"a": nil}},
		"0028 0028 0000 01'd' 01's' 01'k' 01 00000003 01'a''V'"},
	{"exchange.unbind-ok", &wire.ExchangeUnbindOk{}, "0028 0033"},

	{"queue.declare", &wire.QueueDeclare{Queue: "q", Passive: true, Arguments: wire.Table{"a": nil}}, "0032 000a 0000 01'q' 01 00000003 01'a''V'"},
	{"queue.declare", &wire.QueueDeclare{Durable: true}, "0032 000a 0000 00 02 00000000"},
	{"queue.declare", &wire.QueueDeclare{Exclusive: true}, "0032 000a 0000 00 04 00000000"},
	{"queue.declare", &wire.QueueDeclare{AutoDelete: true}, "0032 000a 0000 00 08 00000000"},
	{"queue.declare", &wire.QueueDeclare{NoWait: true}, "0032 000a 0000 00 10 00000000"},
	{"queue.declare-ok", &wire.QueueDeclareOk{Queue: "q", MessageCount: 258, ConsumerCount: 3}, "0032 000b 01'q' 00000102 00000003"},
	{"queue.bind", &wire.QueueBind{Queue: "q", Exchange: "x", RoutingKey: "k", NoWait: true, Arguments: wire.Table{"a": nil}},
		"0032 0014 0000 01'q' 01'x' 01'k' 01 00000003 01'a''V'"},
	{"queue.bind-ok", &wire.QueueBindOk{}, "0032 0015"},
	{"queue.purge", &wire.QueuePurge{Queue: "q", NoWait: true}, "0032 001e 0000 01'q' 01"},
	{"queue.purge-ok", &wire.QueuePurgeOk{MessageCount: 258}, "0032 001f 00000102"},
	{"queue.delete", &wire.QueueDelete{Queue: "q", IfUnused: true}, "0032 0028 0000 01'q' 01"},
	{"queue.delete", &wire.QueueDelete{Queue: "q", IfEmpty: true}, "0032 0028 0000 01'q' 02"},
	{"queue.delete", &wire.QueueDelete{Queue: "q", NoWait: true}, "0032 0028 0000 01'q' 04"},
	{"queue.delete-ok", &wire.QueueDeleteOk{MessageCount: 258}, "0032 0029 00000102"},
	{"queue.unbind", &wire.QueueUnbind{Queue: "q", Exchange: "x", RoutingKey: "k", Arguments: wire.Table{"a": nil}},
		"0032 0032 0000 01'q' 01'x' 01'k' 00000003 01'a''V'"},
	{"queue.unbind-ok", &wire.QueueUnbindOk{}, "0032 0033"},

	{"basic.qos", &wire.BasicQos{PrefetchSize: 65536, PrefetchCount: 258, Global: true}, "003c 000a 00010000 0102 01"},
	{"basic.qos-ok", &wire.BasicQosOk{}, "003c 000b"},
	{"basic.consume", &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("tag"), NoLocal: true, Arguments: wire.Table{"a": nil}},
		"003c 0014 0000 01'q' 03'tag' 01 00000003 01'a''V'"},
	{"basic.consume", &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte{}, NoAck: true}, "003c 0014 0000 01'q' 00 02 00000000"},
	{"basic.consume", &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte{}, Exclusive: true}, "003c 0014 0000 01'q' 00 04 00000000"},
	{"basic.consume", &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte{}, NoWait: true}, "003c 0014 0000 01'q' 00 08 00000000"},
	{"basic.consume-ok", &wire.BasicConsumeOk{ConsumerTag: []byte("tag")}, "003c 0015 03'tag'"},
	{"basic.cancel", &wire.BasicCancel{ConsumerTag: []byte("tag"), NoWait: true}, "003c 001e 03'tag' 01"},
	{"basic.cancel-ok", &wire.BasicCancelOk{ConsumerTag: []byte("tag")}, "003c 001f 03'tag'"},
	{"basic.publish", &wire.BasicPublish{Exchange: []byte("ex"), RoutingKey: []byte("key"), Mandatory: true}, "003c 0028 0000 02'ex' 03'key' 01"},
	{"basic.publish", &wire.BasicPublish{Exchange: []byte{}, RoutingKey: []byte("key"), Immediate: true}, "003c 0028 0000 00 03'key' 02"},
	{"basic.return", &wire.BasicReturn{ReplyCode: 312, ReplyText: []byte("NO_ROUTE"), Exchange: []byte("ex"), RoutingKey: []byte("key")},
		"003c 0032 0138 08'NO_ROUTE' 02'ex' 03'key'"},
	{"basic.deliver", &wire.BasicDeliver{ConsumerTag: []byte("tag"), DeliveryTag: 1<<40 + 2, Redelivered: true, Exchange: []byte("ex"), RoutingKey: []byte("key")},
		"003c 003c 03'tag' 0000010000000002 01 02'ex' 03'key'"},
	{"basic.get", &wire.BasicGet{Queue: []byte("q"), NoAck: true}, "003c 0046 0000 01'q' 01"},
	{"basic.get-ok", &wire.BasicGetOk{DeliveryTag: 2, Redelivered: true, Exchange: []byte("ex"), RoutingKey: []byte("key"), MessageCount: 258},
		"003c 0047 0000000000000002 01 02'ex' 03'key' 00000102"},
	{"basic.get-empty", &wire.BasicGetEmpty{}, "003c 0048 00"},
	{"basic.ack", &wire.BasicAck{DeliveryTag: 2, Multiple: true}, "003c 0050 0000000000000002 01"},
	{"basic.reject", &wire.BasicReject{DeliveryTag: 2, Requeue: true}, "003c 005a 0000000000000002 01"},
	{"basic.recover-async", &wire.BasicRecoverAsync{Requeue: true}, "003c 0064 01"},
	{"basic.recover", &wire.BasicRecover{Requeue: true}, "003c 006e 01"},
	{"basic.recover-ok", &wire.BasicRecoverOk{}, "003c 006f"},
	{"basic.nack", &wire.BasicNack{DeliveryTag: 2, Multiple: true}, "003c 0078 0000000000000002 01"},
	{"basic.nack", &wire.BasicNack{DeliveryTag: 2, Requeue: true}, "003c 0078 0000000000000002 02"},

	{"confirm.select", &wire.ConfirmSelect{NoWait: true}, "0055 000a 01"},
	{"confirm.select-ok", &wire.ConfirmSelectOk{}, "0055 000b"},

	{"tx.select", &wire.TxSelect{}, "005a 000a"},
	{"tx.select-ok", &wire.TxSelectOk{}, "005a 000b"},
	{"tx.commit", &wire.TxCommit{}, "005a 0014"},
	{"tx.commit-ok", &wire.TxCommitOk{}, "005a 0015"},
	{"tx.rollback", &wire.TxRollback{}, "005a 001e"},
	{"tx.rollback-ok", &wire.TxRollbackOk{}, "005a 001f"},
}

func TestMethodsOnTheWire(t *testing.T) {
	for _, c := range methodCases {
		t.Run(c.name, func(t *testing.T) {
			octets := parseOctets(c.octets)
			require.Equal(t, c.name, c.method.ID().String())
			require.Equal(t, octets, c.method.Append(nil))
			require.Equal(t, append([]byte("before"), octets...), c.method.Append([]byte("before")))

			m, err := parseMethod(octets)
			require.NoError(t, err)
			require.Equal(t, c.method, m)
		})
	}
}

func TestEveryMethodIsTested(t *testing.T) {
	tested := map[wire.MethodID]bool{}
	for _, c := range methodCases {
		tested[c.method.ID()] = true
	}
	require.Len(t, tested, 66)
	known := 0
	for class := range uint32(100) {
		for method := range uint32(200) {
			id := wire.MethodID(class<<16 | method)
			require.Equal(t, tested[id], !strings.HasPrefix(id.String(), "method "), "%d.%d", class, method)
			_, err := parseMethod([]byte{0, byte(class), 0, byte(method)})
			if tested[id] {
				known++
				require.NotErrorIs(t, err, wire.ErrUnknownMethod)
			} else {
				require.ErrorIs(t, err, wire.ErrUnknownMethod)
			}
		}
	}
	require.Equal(t, 66, known)
}

func TestArgumentsMustBeAllThereAndNoMore(t *testing.T) {
	for _, c := range methodCases {
		octets := parseOctets(c.octets)
		var bad *wire.MethodError
		for n := range octets {
			_, err := parseMethod(octets[:n])
			require.ErrorIs(t, err, wire.ErrTruncated, "%s, %d octets", c.name, n)
			require.ErrorAs(t, err, &bad)
			if n >= 4 {
				require.Equal(t, c.method.ID(), bad.ID)
			}
		}
		_, err := parseMethod(append(octets, 0))
		require.ErrorIs(t, err, wire.ErrTrailing, c.name)
		require.ErrorAs(t, err, &bad)
		require.Equal(t, c.method.ID(), bad.ID)
		require.EqualError(t, err, "wire: "+c.name+": octets are left over")
	}
}

func TestUnknownMethodsAreNamedByTheirIds(t *testing.T) {
	_, err := parseMethod(parseOctets("003c 0029 00"))
	var bad *wire.MethodError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, uint16(60), bad.ID.Class())
	require.Equal(t, uint16(41), bad.ID.Method())
	require.EqualError(t, err, "wire: method 60.41: unknown method")
}

func TestReservedArgumentsMayHoldAnything(t *testing.T) {
	for _, c := range []struct {
		octets string
		method wire.Method
	}{
		{"000a 0028 01'/' 03'abc' 01", &wire.ConnectionOpen{VirtualHost: "/"}},
		{"000a 0029 01'x'", &wire.ConnectionOpenOk{}},
		{"0014 000a 01'x'", &wire.ChannelOpen{}},
		{"0014 000b 00000001'x'", &wire.ChannelOpenOk{}},
		{"0032 001e ffff 01'q' fe", &wire.QueuePurge{Queue: "q"}}, // a ticket, and bits without a name
		{"003c 0048 01'1'", &wire.BasicGetEmpty{}},
	} {
		m, err := parseMethod(parseOctets(c.octets))
		require.NoError(t, err, c.octets)
		require.Equal(t, c.method, m)
	}
}

func TestBadTablesMakeBadArguments(t *testing.T) {
	_, err := parseMethod(parseOctets("0032 000a 0000 01'q' 00 00000003 01'a' '?'"))
	require.ErrorIs(t, err, wire.TagError('?'))
	require.EqualError(t, err, "wire: queue.declare: unknown field type '?'")
}

func TestParsingForgetsTheMethodBefore(t *testing.T) {
	var d wire.Decoder
	_, err := d.Parse(parseOctets("003c 0014 0000 01'q' 03'tag' 0f 00000003 01'a''V'"))
	require.NoError(t, err)
	m, err := d.Parse(parseOctets("003c 0014 0000 00 00 00 00000000"))
	require.NoError(t, err)
	require.Equal(t, &wire.BasicConsume{Queue: []byte{}, ConsumerTag: []byte{}}, m)
}

func TestShortStringsOfClassBasicAliasTheInputAndOthersDoNot(t *testing.T) {
	octets := parseOctets("003c 0028 0000 02'ex' 03'key' 00")
	m, err := parseMethod(octets)
	require.NoError(t, err)
	publish := m.(*wire.BasicPublish)
	copy(octets[7:], "XX")
	require.Equal(t, "XX", string(publish.Exchange))
	_ = append(publish.Exchange, "!!"...)
	require.Equal(t, "key", string(publish.RoutingKey))

	octets = parseOctets("0032 001e 0000 01'q' 00")
	m, err = parseMethod(octets)
	require.NoError(t, err)
	clear(octets)
	require.Equal(t, "q", m.(*wire.QueuePurge).Queue)
}

func TestOnlyFourMethodsHaveContent(t *testing.T) {
	var names []string
	for _, c := range methodCases {
		if id := c.method.ID(); id.HasContent() && (len(names) == 0 || names[len(names)-1] != c.name) {
			names = append(names, c.name)
		}
	}
	require.Equal(t, []string{"basic.publish", "basic.return", "basic.deliver", "basic.get-ok"}, names)
}

func TestShortStringsAreCutAt255OctetsButNotWithinACharacter(t *testing.T) {
	for text, want := range map[string]int{
		strings.Repeat("a", 255):             255,
		strings.Repeat("a", 256):             255,
		strings.Repeat("a", 254) + "ä":       254,
		strings.Repeat("a", 253) + "äb":      255,
		strings.Repeat("a", 252) + "😀b":      252,
		strings.Repeat("\x80", 300):          251, // no text at all
		strings.Repeat("a", 251) + "😀" + "b": 255,
	} {
		octets := (&wire.ConnectionBlocked{Reason: text}).Append(nil)
		require.Equal(t, want, int(octets[4]))
		require.Equal(t, text[:want], string(octets[5:]))
		octets = (&wire.BasicCancelOk{ConsumerTag: []byte(text)}).Append(nil)
		require.Equal(t, text[:want], string(octets[5:]))
	}
}

func TestAppendMethodMakesAFrame(t *testing.T) {
	require.Equal(t, parseOctets("'before' 01 0102 00000008 0032 001f 00000007 ce"),
		wire.AppendMethod([]byte("before"), 0x0102, &wire.QueuePurgeOk{MessageCount: 7}))
}
