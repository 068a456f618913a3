package amqp_test

import (
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

func TestEachPublishIsConfirmedOnce(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.ConfirmSelect{}, &wire.ConfirmSelect{})
		expect[*wire.QueueDeclareOk](r)
		expect[*wire.ConfirmSelectOk](r)
		expect[*wire.ConfirmSelectOk](r)
		const n = 2000
		var b []byte
		for i := range n {
			key := "q"
			if i%3 == 0 {
				key = "nowhere" // unroutable ones count, too
			}
			b = append(b, r.publishing(1, "", key, "x")...)
		}
		go r.conn.Write(b)
		next, frames := uint64(1), 0
		for next <= n {
			a := expect[*wire.BasicAck](r)
			frames++
			require.GreaterOrEqual(t, a.DeliveryTag, next)
			require.LessOrEqual(t, a.DeliveryTag, uint64(n))
			require.True(t, a.Multiple || a.DeliveryTag == next, "ack %d, but %d is next", a.DeliveryTag, next)
			next = a.DeliveryTag + 1
		}
		require.Less(t, frames, n/2, "acks are coalesced")
		r.quiet(time.Millisecond)
	})
}

func TestConfirmsOfSeveralChannels(t *testing.T) {
	withServer(t, func(t *env) {
		conn := t.dial()
		a, b, plain := brokertest.ClientChannel(t, conn), brokertest.ClientChannel(t, conn), brokertest.ClientChannel(t, conn)
		require.NoError(t, a.Confirm(false))
		require.NoError(t, b.Confirm(false))
		t.queue(plain, "q")
		var waiting []*amqp091.DeferredConfirmation
		for i := range 600 {
			ch := []*amqp091.Channel{a, b, plain}[i%3]
			dc, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "q", false, false, amqp091.Publishing{})
			require.NoError(t, err)
			if ch == plain {
				require.Nil(t, dc)
			} else {
				require.EqualValues(t, i/3+1, dc.DeliveryTag)
				waiting = append(waiting, dc)
			}
		}
		for _, dc := range waiting {
			require.True(t, dc.Wait())
		}
		require.Equal(t, 600, t.ready("q"))
	})
}

func TestReturnComesBeforeTheAck(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.ConfirmSelect{})
		expect[*wire.ConfirmSelectOk](r)
		m := wire.BasicPublish{RoutingKey: []byte("nowhere"), Mandatory: true}
		r.write(wire.AppendPublish(nil, 1, &m, nil, []byte("x"), 131072))
		ret := expect[*wire.BasicReturn](r)
		require.EqualValues(t, 312, ret.ReplyCode)
		require.Equal(t, "x", r.content())
		require.Equal(t, wire.BasicAck{DeliveryTag: 1}, *expect[*wire.BasicAck](r))
		r.quiet(time.Millisecond)
	})
}

func TestConfirmsAreSentBeforeTheChannelCloses(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.ConfirmSelect{NoWait: true})
		b := append(r.publishing(1, "", "a", "x"), r.publishing(1, "", "b", "y")...)
		r.write(append(b, r.publishing(1, "nope", "", "z")...))
		require.EqualValues(t, 2, readConfirms(r, 2).DeliveryTag)
		require.EqualValues(t, 404, expect[*wire.ChannelClose](r).ReplyCode)
		r.quiet(time.Millisecond) // the third is never answered
		r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{}, &wire.ConfirmSelect{})
		expect[*wire.ChannelOpenOk](r)
		expect[*wire.ConfirmSelectOk](r)
		r.write(r.publishing(1, "", "a", "x"))
		require.Equal(t, wire.BasicAck{DeliveryTag: 1}, *expect[*wire.BasicAck](r), "numbers begin anew")
	})
}

func TestConfirmAndTxExcludeEachOther(t *testing.T) {
	withServer(t, func(t *env) {
		t.channelFails(406, "PRECONDITION_FAILED - cannot switch from confirm to tx mode", func(ch *amqp091.Channel) error {
			require.NoError(t, ch.Confirm(false))
			return ch.Tx()
		})
		t.channelFails(406, "PRECONDITION_FAILED - cannot switch from tx to confirm mode", func(ch *amqp091.Channel) error {
			require.NoError(t, ch.Tx())
			return ch.Confirm(false)
		})
	})
}

func TestConfirmedMessageIsInItsQueue(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		require.NoError(t, ch.Confirm(false))
		t.queue(ch, "q")
		confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, 1))
		native := t.native()
		for i := range 20 {
			t.publish(ch, "", "q", false, false, amqp091.Publishing{})
			require.Equal(t, amqp091.Confirmation{DeliveryTag: uint64(i + 1), Ack: true}, <-confirms)
			q, err := native.QueueDeclarePassive("q")
			require.NoError(t, err)
			require.Equal(t, i+1, q.Messages)
		}
		synctest.Wait()
		require.Empty(t, confirms)
	})
}
