package amqp_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// These tests send properties that no encoder here would make: headers in no order,
// and the fourteenth property, which AMQP keeps for itself.

// header is a header with a string.
func header(name, text string) []byte {
	b := append([]byte{byte(len(name))}, name...)
	return append(binary.BigEndian.AppendUint32(append(b, 'S'), uint32(len(text))), text...)
}

// properties are encoded: content-type, headers, perhaps an expiration, cluster-id.
func properties(expiration string, headers ...[]byte) wire.RawProperties {
	flags := uint16(0xA004)
	table := bytes.Join(headers, nil)
	b := append([]byte{0, 0, 4}, "text"...)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(table))), table...)
	if expiration != "" {
		flags |= 0x0100
		b = append(append(b, byte(len(expiration))), expiration...)
	}
	binary.BigEndian.PutUint16(b, flags)
	return append(append(b, 3), "own"...)
}

func (r *rawClient) publishWith(exchange, key string, mandatory bool, props wire.RawProperties) {
	r.t.Helper()
	r.write(wire.AppendPublish(nil, 1, &wire.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key), Mandatory: mandatory}, props, []byte("body"), 4096))
}

// propertiesOf reads the content that follows a method.
func (r *rawClient) propertiesOf() wire.RawProperties {
	r.t.Helper()
	h, err := wire.ParseContentHeader(r.nextFrame().Payload)
	require.NoError(r.t, err)
	props := bytes.Clone(h.Properties)
	require.Equal(r.t, "body", string(r.nextFrame().Payload))
	return props
}

func (r *rawClient) get(queue string) wire.RawProperties {
	r.t.Helper()
	r.send(1, &wire.BasicGet{Queue: []byte(queue), NoAck: true})
	expect[*wire.BasicGetOk](r)
	return r.propertiesOf()
}

// edited are what props become when these headers follow the others.
func edited(t *testing.T, props, got wire.RawProperties, names ...string) wire.RawProperties {
	var p wire.Properties
	require.NoError(t, p.Parse(got))
	var e wire.Edit
	for _, name := range names {
		require.Contains(t, p.Headers, name)
		e.Set = append(e.Set, wire.Header{Name: name, Value: p.Headers[name]})
	}
	return props.AppendEdited(nil, &e)
}

// TestPropertiesLeaveOctetByOctet: what the broker does not change goes out as it
// came, beside what it adds.
func TestPropertiesLeaveOctetByOctet(t *testing.T) {
	z, a, m := header("z", "1"), header("a", "2"), header("m", "3")
	bcc := append(append([]byte{3}, "BCC"...), 'A', 0, 0, 0, 0)
	withServer(t, func(t *env) {
		ch := t.native()
		brokertest.Queue(t, ch, "q", warren.QueueOptions{DeadLetter: &warren.DeadLetter{RoutingKey: "dead"}})
		brokertest.Queue(t, ch, "limited", warren.QueueOptions{DeliveryLimit: 9})
		brokertest.Queues(t, ch, "dead")
		require.NoError(t, ch.ExchangeDeclare("later", warren.DelayedMessage, warren.ExchangeOptions{DelayedType: warren.Fanout}))
		require.NoError(t, ch.QueueBind("limited", "", "later", nil))
		r := rawChannel(t.T, t.server)

		t.Log("delivered")
		plain := properties("", z, a, m)
		r.publishWith("", "limited", false, plain)
		require.Equal(t, plain, r.get("limited"))

		t.Log("returned, outside a transaction and in one")
		r.publishWith("", "nowhere", true, plain)
		expect[*wire.BasicReturn](r)
		require.Equal(t, plain, r.propertiesOf())
		r.publishWith("", "nowhere", true, properties("", z, bcc, a, m))
		expect[*wire.BasicReturn](r)
		require.Equal(t, plain, r.propertiesOf(), "nobody sees BCC")

		t.Log("without BCC")
		r.publishWith("", "limited", false, properties("", z, bcc, a, m))
		require.Equal(t, plain, r.get("limited"))

		t.Log("dead-lettered: without the expiration, with the death")
		r.publishWith("", "q", false, properties("60000", z, a, m))
		r.send(1, &wire.BasicGet{Queue: []byte("q")})
		tag := expect[*wire.BasicGetOk](r).DeliveryTag
		r.propertiesOf()
		r.send(1, &wire.BasicReject{DeliveryTag: tag})
		got := r.get("dead")
		require.Equal(t, edited(t.T, plain, got, "x-death",
			"x-first-death-reason", "x-first-death-queue", "x-first-death-exchange",
			"x-last-death-reason", "x-last-death-queue", "x-last-death-exchange"), got)

		t.Log("given back: with a count")
		r.publishWith("", "limited", false, plain)
		r.send(1, &wire.BasicGet{Queue: []byte("limited")})
		tag = expect[*wire.BasicGetOk](r).DeliveryTag
		r.propertiesOf()
		r.send(1, &wire.BasicReject{DeliveryTag: tag, Requeue: true})
		got = r.get("limited")
		require.Equal(t, edited(t.T, plain, got, "x-delivery-count"), got)

		t.Log("delayed: the header keeps its place")
		r.publishWith("later", "", false, properties("", z, header("x-delay", "1000"), a))
		brokertest.Later(1000 * 1000 * 1000)
		got = r.get("limited")
		require.Equal(t, edited(t.T, properties("", z, header("x-delay", "1000"), a), got, "x-delay"), got)
		var p wire.Properties
		require.NoError(t, p.Parse(got))
		require.Equal(t, wire.Table{"z": "1", "x-delay": int32(-1000), "a": "2"}, p.Headers)
		require.Equal(t, "own", p.ClusterId)

		t.Log("returned by the commit")
		r.send(1, &wire.TxSelect{})
		expect[*wire.TxSelectOk](r)
		r.publishWith("", "nowhere", true, plain)
		r.send(1, &wire.TxCommit{})
		expect[*wire.BasicReturn](r)
		require.Equal(t, plain, r.propertiesOf())
		expect[*wire.TxCommitOk](r)
	})
}
