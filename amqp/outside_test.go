package amqp_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// TestClientsAreToldOfEndsFromOutside ends a consumer, its channel and its connection, as
// a management tool does.
func TestClientsAreToldOfEndsFromOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		r := dialRaw(t, srv)
		r.open(0, "consumer_cancel_notify")
		r.send(7, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		r.send(7, &wire.QueueDeclare{Queue: "q"})
		expect[*wire.QueueDeclareOk](r)
		r.send(7, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c")})
		expect[*wire.BasicConsumeOk](r)
		r.publish(7, "q", "body")
		expect[*wire.BasicDeliver](r)
		require.Equal(t, "body", r.content())

		sessions, channels := b.Sessions(), b.Channels()
		require.Len(t, sessions, 1)
		require.True(t, sessions[0].Remote)
		require.Equal(t, "guest", sessions[0].User)
		require.EqualValues(t, 7, channels[0].Number, "the client's number")
		id := sessions[0].ID
		v, err := b.VirtualHost("/")
		require.NoError(t, err)
		require.True(t, v.Consumers()[0].Remote)

		require.NoError(t, b.ConsumerCancel(id, 7, "c"))
		require.Equal(t, "c", string(expect[*wire.BasicCancel](r).ConsumerTag))
		require.Equal(t, []int{0, 1}, []int{b.Stats().Ready, b.Stats().Unacked}, "the channel still has it")
		r.send(7, &wire.BasicAck{DeliveryTag: 1})

		require.NoError(t, b.ChannelClose(id, 7, "by hand"))
		end := expect[*wire.ChannelClose](r)
		require.Equal(t, uint16(406), end.ReplyCode)
		require.Equal(t, "PRECONDITION_FAILED - by hand", end.ReplyText)
		r.send(7, &wire.ChannelCloseOk{})
		synctest.Wait()
		require.Zero(t, b.Stats().Unacked)
		require.Empty(t, b.Channels())

		require.NoError(t, b.SessionClose(id, "Closed via management plugin"))
		r.closed(320, "CONNECTION_FORCED - Closed via management plugin")
		synctest.Wait()
		require.Empty(t, b.Sessions())
	})
}

// TestConsumersOfClientsThatHearNoCancelEndSilently: RabbitMQ sends basic.cancel only to
// clients that say that they know it.
func TestConsumersOfClientsThatHearNoCancelEndSilently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		r := rawChannel(t, srv)
		r.declare(wire.QueueDeclare{Queue: "q"})
		r.send(1, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c")})
		expect[*wire.BasicConsumeOk](r)
		require.NoError(t, b.ConsumerCancel(b.Sessions()[0].ID, 1, "c"))
		r.send(1, &wire.BasicQos{})
		expect[*wire.BasicQosOk](r)
		require.Zero(t, b.Stats().Consumers)
		require.NoError(t, b.ChannelClose(b.Sessions()[0].ID, 1, "x"))
		expect[*wire.ChannelClose](r)
		require.ErrorIs(t, b.ChannelClose(b.Sessions()[0].ID, 1, "x"), warren.ErrNotFound)
	})
}
