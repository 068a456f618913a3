package amqp_test

import (
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

func TestTxHoldsPublishesUntilCommit(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		require.NoError(t, ch.Tx())
		require.NoError(t, ch.Tx())
		t.queue(ch, "q")
		t.put(ch, "", "q", "lost")
		require.NoError(t, ch.TxRollback())
		t.publish(ch, "", "q", false, false, fullPublishing([]byte("1")))
		t.put(ch, "", "q", "2")
		require.Zero(t, t.ready("q"))
		require.NoError(t, ch.TxCommit())
		require.Equal(t, 2, t.ready("q"))
		d, _, err := ch.Get("q", true)
		require.NoError(t, err)
		got := asPublished(d)
		got.Headers, got.Timestamp = inOneZone(got.Headers).(amqp091.Table), got.Timestamp.Local()
		require.Equal(t, fullPublishing([]byte("1")), got)
		t.put(ch, "", "q", "never committed")
		require.NoError(t, ch.Close())
		require.Equal(t, 1, t.ready("q"))
	})
}

func TestTxHoldsAcksUntilCommit(t *testing.T) {
	withServer(t, func(t *env) {
		ch, list := t.taken("1", "2", "3", "4")
		require.NoError(t, ch.Tx())
		require.NoError(t, list[0].Ack(false))
		require.NoError(t, list[1].Nack(false, true))
		require.NoError(t, ch.TxRollback())
		require.Zero(t, t.ready("q"), "they wait to be settled again")
		require.NoError(t, list[0].Ack(false))
		require.NoError(t, list[1].Nack(false, true))
		require.NoError(t, list[2].Reject(false))
		require.Zero(t, t.ready("q"))
		require.NoError(t, ch.TxCommit())
		require.Equal(t, 1, t.ready("q"))
		require.NoError(t, list[3].Ack(false)) // not committed
		require.Equal(t, []string{"2 again", "4 again"}, t.waiting(ch))
	})
}

func TestTxReturnsAtCommit(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.TxSelect{})
		expect[*wire.TxSelectOk](r)
		props := (&wire.Properties{MessageId: "m", Headers: wire.Table{"a": int8(1)}}).Append(nil)
		for _, body := range []string{"1", "2"} {
			m := wire.BasicPublish{RoutingKey: []byte("nowhere"), Mandatory: true}
			r.write(wire.AppendPublish(nil, 1, &m, props, []byte(body), 131072))
		}
		r.quiet(time.Millisecond)
		r.send(1, &wire.TxCommit{})
		for _, body := range []string{"1", "2"} {
			ret := expect[*wire.BasicReturn](r)
			require.Equal(t, wire.BasicReturn{ReplyCode: 312, ReplyText: []byte("NO_ROUTE"), Exchange: []byte{}, RoutingKey: []byte("nowhere")}, *ret)
			h, err := wire.ParseContentHeader(r.nextFrame().Payload)
			require.NoError(t, err)
			require.Equal(t, wire.RawProperties(props), h.Properties)
			require.Equal(t, body, string(r.nextFrame().Payload))
		}
		expect[*wire.TxCommitOk](r)
		r.quiet(time.Millisecond)
	})
}

func TestTxErrors(t *testing.T) {
	withServer(t, func(t *env) {
		t.channelFails(406, "PRECONDITION_FAILED - channel is not transactional", func(ch *amqp091.Channel) error { return ch.TxCommit() })
		t.channelFails(406, "PRECONDITION_FAILED - channel is not transactional", func(ch *amqp091.Channel) error { return ch.TxRollback() })
		t.channelFails(404, "NOT_FOUND - no exchange 'nope' in vhost '/'", func(ch *amqp091.Channel) error {
			require.NoError(t, ch.Tx())
			return ch.PublishWithContext(t.Context(), "nope", "", false, false, amqp091.Publishing{}) // at once, not at commit
		})
		ch, list := t.taken("1")
		closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
		require.NoError(t, ch.Tx())
		require.NoError(t, list[0].Ack(false))
		require.NoError(t, list[0].Ack(false))
		t.isClose(closed, 406, "PRECONDITION_FAILED - unknown delivery tag 1")
		require.Equal(t, 1, t.ready("q"), "the first was not committed")
	})
}

func TestTxHoldsReplies(t *testing.T) {
	withServer(t, func(t *env) {
		client, server := t.open(), t.open()
		replies := t.consume(client, "amq.rabbitmq.reply-to", "", true)
		t.queue(server, "rpc")
		require.NoError(t, server.Tx())
		t.publish(client, "", "rpc", false, false, amqp091.Publishing{ReplyTo: "amq.rabbitmq.reply-to"})
		t.ready("rpc")
		request, ok, err := server.Get("rpc", true)
		require.NoError(t, err)
		require.True(t, ok)
		t.put(server, "", request.ReplyTo, "rolled back")
		require.NoError(t, server.TxRollback())
		t.put(server, "", request.ReplyTo, "committed")
		t.none(replies)
		require.NoError(t, server.TxCommit())
		require.Equal(t, []string{"committed"}, t.bodies(replies, 1))
	})
}

// The same operations by the native API and by wire give the same deliveries.
func TestNativeAndWireAgree(t *testing.T) {
	type delivery struct {
		exchange, key, body, id string
		tag                     uint64
		redelivered             bool
	}
	topics := []string{"a", "a.b", "a.b.c", "b", "a..c"}
	native := func(t *env) (all []delivery) {
		ch := t.native()
		require.NoError(t, ch.ExchangeDeclare("x", warren.Topic, warren.ExchangeOptions{}))
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "a.*", "x", nil))
		require.NoError(t, ch.QueueBind("q", "#.c", "x", nil))
		for _, key := range topics {
			require.NoError(t, ch.Publish(t.Context(), "x", key, warren.Message{MessageId: "id " + key, Body: []byte(key)}, warren.PublishOptions{}))
		}
		for i := range 8 {
			d, ok, err := ch.Get("q", false)
			require.NoError(t, err)
			if !ok {
				break
			}
			all = append(all, delivery{d.Exchange, d.RoutingKey, string(d.Body), d.MessageId, d.DeliveryTag, d.Redelivered})
			if i%2 == 0 {
				require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
			}
		}
		return all
	}
	byWire := func(t *env) (all []delivery) {
		ch := t.open()
		t.exchange(ch, "x", "topic")
		t.queue(ch, "q")
		require.NoError(t, ch.QueueBind("q", "a.*", "x", false, nil))
		require.NoError(t, ch.QueueBind("q", "#.c", "x", false, nil))
		for _, key := range topics {
			t.publish(ch, "x", key, false, false, amqp091.Publishing{MessageId: "id " + key, Body: []byte(key)})
		}
		synctest.Wait()
		for i := range 8 {
			d, ok, err := ch.Get("q", false)
			require.NoError(t, err)
			if !ok {
				break
			}
			all = append(all, delivery{d.Exchange, d.RoutingKey, string(d.Body), d.MessageId, d.DeliveryTag, d.Redelivered})
			if i%2 == 0 {
				require.NoError(t, ch.Nack(d.DeliveryTag, false, true))
			}
		}
		return all
	}
	var lists [2][]delivery
	for i, run := range []func(t *env) []delivery{native, byWire} {
		withServer(t, func(t *env) { lists[i] = run(t) })
	}
	require.NotEmpty(t, lists[0])
	require.Equal(t, lists[0], lists[1])
}
