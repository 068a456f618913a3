package warren_test

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// onDiskByWire is onDisk with a server.
func onDiskByWire(t *testing.T, f func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker)) {
	t.Helper()
	onDisk(t, func(t *testing.T, b *warren.Broker, d *warren.FakeDisk) {
		srv := amqp.NewServer(b, nil)
		defer srv.Close()
		f(t, srv, d, b)
	})
}

// rawConfirms is a client with channel 1 in confirm mode that says what a test says.
type rawConfirms struct {
	t      *testing.T
	conn   net.Conn
	frames *wire.FrameReader
}

func dialRaw(t *testing.T, srv *amqp.Server) *rawConfirms {
	c, err := srv.Dial("", "")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	r := &rawConfirms{t, c, wire.NewFrameReader(c, make([]byte, 4096))}
	_, err = c.Write([]byte(wire.ProtocolHeader))
	require.NoError(t, err)
	expect[*wire.ConnectionStart](r)
	can := wire.Table{"capabilities": wire.Table{"connection.blocked": true, "basic.nack": true}}
	r.send(0, &wire.ConnectionStartOk{ClientProperties: can, Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"})
	tune := expect[*wire.ConnectionTune](r)
	r.frames.SetFrameMax(tune.FrameMax)
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: tune.ChannelMax, FrameMax: tune.FrameMax}, &wire.ConnectionOpen{VirtualHost: "/"})
	expect[*wire.ConnectionOpenOk](r)
	r.send(1, &wire.ChannelOpen{})
	expect[*wire.ChannelOpenOk](r)
	return r
}

func rawConfirmChannel(t *testing.T, srv *amqp.Server) *rawConfirms {
	r := dialRaw(t, srv)
	r.send(1, &wire.ConfirmSelect{})
	expect[*wire.ConfirmSelectOk](r)
	return r
}

func (r *rawConfirms) write(b []byte) {
	r.t.Helper()
	_, err := r.conn.Write(b)
	require.NoError(r.t, err)
}

func (r *rawConfirms) send(channel uint16, methods ...wire.Method) {
	r.t.Helper()
	var b []byte
	for _, m := range methods {
		b = wire.AppendMethod(b, channel, m)
	}
	r.write(b)
}

var deliveryMode2 = (&wire.Properties{DeliveryMode: 2}).Append(nil)

// publish sends messages to queues at once: persistent ones, but to those with a minus
// in front.
func (r *rawConfirms) publish(queues ...string) {
	r.t.Helper()
	var b []byte
	for _, q := range queues {
		props := deliveryMode2
		if q[0] == '-' {
			q, props = q[1:], nil
		}
		b = wire.AppendPublish(b, 1, &wire.BasicPublish{RoutingKey: []byte(q)}, props, []byte("body"), 131072)
	}
	r.write(b)
	synctest.Wait()
}

func expect[M wire.Method](r *rawConfirms) M {
	r.t.Helper()
	require.NoError(r.t, r.conn.SetReadDeadline(time.Now().Add(time.Minute)))
	f, err := r.frames.Next()
	require.NoError(r.t, err)
	var d wire.Decoder
	m, err := d.Parse(f.Payload)
	require.NoError(r.t, err)
	require.IsType(r.t, *new(M), m, "%+v", m)
	return m.(M)
}

func (r *rawConfirms) acked(number uint64, multiple bool) {
	r.t.Helper()
	require.Equal(r.t, wire.BasicAck{DeliveryTag: number, Multiple: multiple}, *expect[*wire.BasicAck](r))
}

func (r *rawConfirms) nacked(number uint64, multiple bool) {
	r.t.Helper()
	require.Equal(r.t, wire.BasicNack{DeliveryTag: number, Multiple: multiple}, *expect[*wire.BasicNack](r))
}

// quiet requires that nothing comes.
func (r *rawConfirms) quiet() {
	r.t.Helper()
	require.NoError(r.t, r.conn.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err := r.frames.Next()
	var timeout net.Error
	require.ErrorAs(r.t, err, &timeout)
	require.True(r.t, timeout.Timeout())
}

func TestByWireOneAckIsForAllThatASyncHasStored(t *testing.T) {
	onDiskByWire(t, func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker) {
		r := rawConfirmChannel(t, srv)
		r.publish("q", "r", "q", "q")
		r.quiet()
		d.Sync(1)
		r.acked(3, true)
		r.publish("q")
		d.Sync(0)
		r.acked(5, true)
		r.publish("q")
		d.Sync(0)
		r.acked(6, false)
		r.quiet()
		now, ever := d.Waiters()
		require.Zero(t, now)
		require.Equal(t, 3, ever)
	})
}

func TestByWireWhatNeedNotWaitIsAckedAtOnce(t *testing.T) {
	onDiskByWire(t, func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker) {
		r := rawConfirmChannel(t, srv)
		r.publish("-q", "-q", "t")
		r.acked(3, true)
		r.publish("-q", "-q", "q", "q", "-q", "t", "q", "nobody", "q")
		r.acked(5, true)
		r.acked(8, false) // 6 and 7 still wait
		r.acked(9, false)
		r.acked(11, false)
		r.quiet()
		d.Sync(1)
		r.acked(7, true)
		r.acked(10, false)
		r.publish("-q")
		r.acked(13, false)
		d.Sync(0)
		r.acked(12, false)
		r.publish("-q", "-q")
		r.acked(15, true)
		r.quiet()
	})
}

func TestByWireAFailureIsANackForAllThatWait(t *testing.T) {
	onDiskByWire(t, func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker) {
		r := rawConfirmChannel(t, srv)
		r.publish("q", "q", "q", "-q", "q")
		r.acked(4, false)
		d.Sync(3)
		r.acked(1, false)
		d.Fail(errors.New("no such device"))
		r.nacked(3, true)
		r.nacked(5, false)
		r.publish("q")
		d.Sync(0)
		r.acked(6, false)
		r.quiet()
	})
}

func TestByWireConfirmsThatWaitAreDroppedWithTheirChannel(t *testing.T) {
	onDiskByWire(t, func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker) {
		r := rawConfirmChannel(t, srv)
		r.publish("q", "q")
		r.send(1, &wire.ChannelClose{ReplyText: "bye"})
		expect[*wire.ChannelCloseOk](r)
		d.Sync(0)
		r.quiet()
		r.send(1, &wire.ChannelOpen{}, &wire.ConfirmSelect{})
		expect[*wire.ChannelOpenOk](r)
		expect[*wire.ConfirmSelectOk](r)
		r.publish("q")
		d.Sync(0)
		r.acked(1, false)

		r.publish("q", "-q")
		r.acked(3, false)
		r.send(0, &wire.ConnectionClose{ReplyText: "bye"})
		expect[*wire.ConnectionCloseOk](r)
		d.Sync(0)
	})
}

func TestByWireCommitOkComesWhenTheTransactionIsOnDisk(t *testing.T) {
	onDiskByWire(t, func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker) {
		r := dialRaw(t, srv)
		r.send(1, &wire.TxSelect{})
		expect[*wire.TxSelectOk](r)
		r.publish("q", "-q", "r")
		r.send(1, &wire.TxCommit{})
		r.quiet()
		d.Sync(1)
		r.quiet()
		d.Sync(0)
		expect[*wire.TxCommitOk](r)

		r.publish("-q", "t")
		r.send(1, &wire.TxCommit{})
		expect[*wire.TxCommitOk](r)

		r.publish("q")
		r.send(1, &wire.TxCommit{}, &wire.TxRollback{})
		r.send(2, &wire.ChannelOpen{})
		r.quiet()
		d.Sync(0)
		expect[*wire.TxCommitOk](r)
		expect[*wire.TxRollbackOk](r)
		expect[*wire.ChannelOpenOk](r)

		r.publish("q")
		r.send(1, &wire.TxCommit{})
		r.send(2, &wire.QueueDeclare{Queue: "other channels go on"})
		expect[*wire.QueueDeclareOk](r)
		r.send(1, &wire.BasicGet{Queue: []byte("q")})
		require.Equal(t, "the disk is slow", expect[*wire.ConnectionBlocked](r).Reason)
		d.Fail(errors.New("no such device"))
		expect[*wire.ConnectionUnblocked](r)
		c := expect[*wire.ChannelClose](r)
		require.EqualValues(t, 406, c.ReplyCode)
		require.Equal(t, "PRECONDITION_FAILED - partial tx completion", c.ReplyText)
		require.Equal(t, wire.TxCommitID, c.Cause)
		r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{}, &wire.TxSelect{})
		expect[*wire.ChannelOpenOk](r)
		expect[*wire.TxSelectOk](r)

		r.publish("q")
		r.send(1, &wire.TxCommit{})
		synctest.Wait()
		d.Fail(errors.New("no such device"))
		require.EqualValues(t, 406, expect[*wire.ChannelClose](r).ReplyCode, "the client says nothing more")
		r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{}, &wire.TxSelect{})
		expect[*wire.ChannelOpenOk](r)
		expect[*wire.TxSelectOk](r)

		r.publish("q")
		r.send(1, &wire.TxCommit{}, &wire.ChannelClose{ReplyText: "bye"})
		expect[*wire.ChannelCloseOk](r)
		d.Sync(0)
		r.quiet()
	})
}

func TestTheOfficialClientIsConfirmedWhenItIsSynced(t *testing.T) {
	onDiskByWire(t, func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker) {
		conn := brokertest.Dial(t, srv.Dial, amqp091.Config{})
		ch := brokertest.ClientChannel(t, conn)
		require.NoError(t, ch.Confirm(false))
		confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, 100))
		publish := func(mode uint8) *amqp091.DeferredConfirmation {
			c, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", "q", false, false, amqp091.Publishing{DeliveryMode: mode})
			require.NoError(t, err)
			return c
		}
		answers := func(first, last uint64, ack bool) {
			t.Helper()
			for n := first; n <= last; n++ {
				require.Equal(t, amqp091.Confirmation{DeliveryTag: n, Ack: ack}, <-confirms)
			}
		}
		var list []*amqp091.DeferredConfirmation
		for range 20 {
			list = append(list, publish(amqp091.Persistent), publish(amqp091.Transient))
		}
		synctest.Wait()
		require.False(t, list[0].Acked())
		require.True(t, list[1].Wait())
		require.Empty(t, confirms, "the client gives them in their order")
		d.Sync(10)
		answers(1, 20, true)
		d.Fail(errors.New("no such device"))
		for n := uint64(21); n <= 40; n += 2 {
			answers(n, n, false)
			answers(n+1, n+1, true)
		}
		require.False(t, list[38].Wait())
		last := publish(amqp091.Persistent)
		synctest.Wait()
		d.Sync(0)
		require.True(t, last.Wait())
		answers(41, 41, true)

		lost := publish(amqp091.Persistent)
		require.NoError(t, ch.Close())
		require.False(t, lost.Wait())
	})
}

func TestAnsweredConnectionsThatAreGoneHurtNobody(t *testing.T) {
	onDiskByWire(t, func(t *testing.T, srv *amqp.Server, d *warren.FakeDisk, b *warren.Broker) {
		gone, other := rawConfirmChannel(t, srv), rawConfirmChannel(t, srv)
		gone.publish("q", "q")
		other.publish("q")
		gone.conn.Close()
		d.Sync(0)
		other.acked(1, false)

		tx := dialRaw(t, srv)
		tx.send(1, &wire.TxSelect{})
		expect[*wire.TxSelectOk](tx)
		tx.publish("q")
		tx.send(1, &wire.TxCommit{}, &wire.TxRollback{})
		synctest.Wait()
		tx.conn.Close()
		time.Sleep(5 * time.Second)
		d.Sync(0)
		other.publish("q")
		d.Sync(0)
		other.acked(2, false)
	})
}
