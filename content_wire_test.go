package warren_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/flow"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// sink keeps what a connection would write.
type sink struct {
	tags       []string
	deliveries []link.Delivery
	props      []wire.RawProperties
	cancelled  []string
}

func (s *sink) Consuming(tag string)          { s.tags = append(s.tags, tag) }
func (s *sink) Got(d link.Delivery, left int) { s.Deliver(d) }
func (s *sink) Cancelled(tag string)          { s.cancelled = append(s.cancelled, tag) }
func (s *sink) Deliver(d link.Delivery) {
	var p wire.RawProperties
	if d.Properties != nil {
		p = d.Properties.AppendTo(nil)
	}
	s.deliveries, s.props = append(s.deliveries, d), append(s.props, p)
}

func wireHeaders() (wire.Table, warren.Table) {
	at := time.Unix(1_700_000_000, 0).UTC()
	return wire.Table{
			"d": wire.Decimal{Scale: 2, Value: -5}, "t": wire.Table{"in": []any{wire.Table{"x": wire.Decimal{Value: 1}}, "s"}}, "at": at, "n": nil,
		}, warren.Table{
			"d": warren.Decimal{Scale: 2, Value: -5}, "t": warren.Table{"in": []any{warren.Table{"x": warren.Decimal{Value: 1}}, "s"}}, "at": at, "n": nil,
		}
}

func TestEncodedPropertiesAreDecodedForConsumersInProcess(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "a", "b")
		brokertest.Exchanges(t, ch, warren.Fanout, "x")
		require.NoError(t, ch.QueueBind("a", "", "x", nil))
		require.NoError(t, ch.QueueBind("b", "", "x", nil))
		encoded, want := wireHeaders()
		raw := wire.RawProperties((&wire.Properties{Headers: encoded, Priority: 3, MessageId: "m"}).Append(nil))
		before := bytes.Clone(raw)
		body := []byte("body")
		a, err := ch.Link().Publish(t.Context(), &link.Publish{Exchange: []byte("x"), Properties: raw, Body: body})
		require.NoError(t, err)
		require.False(t, a.Nacked)

		for range 2 { // the queues share the message
			name := "a"
			d := brokertest.Take(t, ch, name)
			d.Timestamp = time.Time{}
			require.Equal(t, warren.Message{Headers: want, Priority: 3, MessageId: "m", Body: body}, d.Message)
			require.NoError(t, d.Nack(false, true))
		}
		var s sink
		ok, err := ch.Link().Get("b", true, &s)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, before, []byte(s.props[0]), "decoding has changed nothing")
	})
}

func TestPropertiesOfTheProcessAreEncodedForConnections(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		var s sink
		require.NoError(t, ch.Link().Consume(&link.Consume{Queue: "q", Tag: "c", NoAck: true}, &s))
		require.Equal(t, []string{"c"}, s.tags)
		want, headers := wireHeaders()
		m := warren.Message{Headers: headers, AppId: "a", Body: []byte("x")}
		require.NoError(t, brokertest.Send(ch, "", "q", m, warren.PublishOptions{}))
		var p wire.Properties
		require.NoError(t, p.Parse(s.props[0]))
		for k, v := range p.Headers {
			if at, ok := v.(time.Time); ok {
				p.Headers[k] = at.UTC()
			}
		}
		require.Equal(t, wire.Properties{Headers: want, AppId: "a"}, p)
		_, unchanged := wireHeaders()
		require.Equal(t, unchanged, m.Headers)
		require.NoError(t, brokertest.Send(ch, "", "q", warren.Message{Body: []byte("plain")}, warren.PublishOptions{}))
		require.Nil(t, s.deliveries[1].Properties, "no property is set")
		require.EqualValues(t, 2, s.deliveries[1].Tag)
	})
}

func TestHeadersExchangeSeesEncodedHeaders(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		require.NoError(t, ch.QueueBind("q", "", "amq.headers", warren.Table{"x-match": "all", "n": 1}))
		for n := range int32(3) {
			raw := (&wire.Properties{Headers: wire.Table{"n": n}}).Append(nil)
			_, err := ch.Link().Publish(t.Context(), &link.Publish{Exchange: []byte("amq.headers"), Properties: raw, Body: []byte{byte('0' + n)}})
			require.NoError(t, err)
		}
		require.Equal(t, []string{"1"}, brokertest.Drain(t, ch, "q"))
	})
}

func TestAChannelOfAFullConnectionGetsNothing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *warren.Broker) {
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		var s sink
		var room flow.Connection
		ch.Link().Join(&room)
		require.NoError(t, ch.Link().Consume(&link.Consume{Queue: "q"}, &s))
		room.Close()
		brokertest.Put(t, ch, "", "q", "a", "b")
		require.Empty(t, s.deliveries)
		require.Equal(t, 2, brokertest.Ready(t, ch, "q"))
		room.Open()
		room.Serve()
		require.Len(t, s.deliveries, 2)
		require.NoError(t, ch.Recover(false))
		require.Len(t, s.deliveries, 4)
		require.Equal(t, []uint64{1, 2, 3, 4}, []uint64{s.deliveries[0].Tag, s.deliveries[1].Tag, s.deliveries[2].Tag, s.deliveries[3].Tag})
		require.True(t, s.deliveries[2].Redelivered)
		require.NoError(t, ch.Ack(4, true))
		_, err := ch.QueueDelete("q", warren.QueueDeleteOptions{})
		require.NoError(t, err)
		require.Equal(t, s.tags, s.cancelled)
	})
}

// refusingChannel gives a client's channel whose queue q refuses the body "no, no".
func refusingChannel(t *testing.T) *amqp091.Channel {
	t.Helper()
	_, srv := brokertest.Serve(t, nil, nil)
	ch := brokertest.ClientChannel(t, brokertest.Dial(t, srv.Dial, amqp091.Config{}))
	_, err := ch.QueueDeclare("q", false, false, false, false, amqp091.Table{"x-max-length-bytes": 10, "x-overflow": "reject-publish"})
	require.NoError(t, err)
	return ch
}

func TestRefusedMessagesAreNackedByWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := refusingChannel(t)
		require.NoError(t, ch.Confirm(false))
		confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, 10))
		for i, body := range []string{"yes", "yes", "no, no", "no, no", "yes"} {
			require.NoError(t, ch.PublishWithContext(t.Context(), "", "q", i%2 == 0, false, amqp091.Publishing{Body: []byte(body)}))
		}
		for i, ack := range []bool{true, true, false, false, true} {
			require.Equal(t, amqp091.Confirmation{DeliveryTag: uint64(i + 1), Ack: ack}, <-confirms)
		}
		synctest.Wait()
		require.Empty(t, confirms, "each is answered once")
	})
}

func TestTransactionThatIsRefusedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch := refusingChannel(t)
		require.NoError(t, ch.Tx())
		for _, body := range []string{"yes", "no, no", "yes"} {
			require.NoError(t, ch.PublishWithContext(t.Context(), "", "q", false, false, amqp091.Publishing{Body: []byte(body)}))
		}
		var e *amqp091.Error
		require.ErrorAs(t, ch.TxCommit(), &e)
		require.Equal(t, 406, e.Code)
		require.Equal(t, "PRECONDITION_FAILED - partial tx completion", e.Reason)
	})
}
