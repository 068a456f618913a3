package amqp_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

func TestChannelNumberIsFreeAfterCloseOk(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		for range 3 {
			r.send(1, &wire.ChannelClose{ReplyCode: 200, ReplyText: "bye"})
			expect[*wire.ChannelCloseOk](r)
			r.send(1, &wire.ChannelOpen{})
			expect[*wire.ChannelOpenOk](r)
		}
		// After an error all is ignored up to the client's close-ok.
		r.send(1, &wire.QueueDeclare{Queue: "nope", Passive: true}, &wire.QueueDeclare{Queue: "late"})
		r.write(r.publishing(1, "", "late", "x"))
		c := expect[*wire.ChannelClose](r)
		require.Equal(t, wire.ChannelClose{ReplyCode: 404, ReplyText: "NOT_FOUND - no queue 'nope' in vhost '/'", Cause: wire.QueueDeclareID}, *c)
		r.send(1, &wire.QueueDeclare{Queue: "late"})
		r.quiet(time.Millisecond)
		r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{}, &wire.QueueDeclare{Queue: "late", Passive: true})
		expect[*wire.ChannelOpenOk](r)
		require.Equal(t, "NOT_FOUND - no queue 'late' in vhost '/'", expect[*wire.ChannelClose](r).ReplyText)
	})
}

func TestChannelClosesOfBothSidesCross(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.QueueDeclare{Queue: "nope", Passive: true}, &wire.ChannelClose{ReplyCode: 200})
		expect[*wire.ChannelClose](r)
		expect[*wire.ChannelCloseOk](r)
		r.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
	})
}

func TestErrorsNameTheMethod(t *testing.T) {
	for name, c := range map[string]struct {
		method wire.Method
		code   uint16
		text   string
		conn   bool
	}{
		"exchange.declare":  {&wire.ExchangeDeclare{Exchange: "x", Type: "odd"}, 406, "PRECONDITION_FAILED - unknown exchange type 'odd'", false},
		"queue.bind":        {&wire.QueueBind{Queue: "q", Exchange: "x"}, 404, "NOT_FOUND - no exchange 'x' in vhost '/'", false},
		"basic.ack":         {&wire.BasicAck{DeliveryTag: 7}, 406, "PRECONDITION_FAILED - unknown delivery tag 7", false},
		"basic.qos":         {&wire.BasicQos{PrefetchSize: 9}, 540, "NOT_IMPLEMENTED - prefetch_size!=0 (9)", true},
		"tx.commit":         {&wire.TxCommit{}, 406, "PRECONDITION_FAILED - channel is not transactional", false},
		"channel.open":      {&wire.ChannelOpen{}, 504, "CHANNEL_ERROR - second 'channel.open' seen", true},
		"connection.close":  {&wire.ConnectionClose{}, 503, "COMMAND_INVALID - unimplemented method", true},
		"basic.deliver":     {&wire.BasicDeliver{}, 503, "COMMAND_INVALID - unimplemented method", true},
		"queue.declare-ok":  {&wire.QueueDeclareOk{}, 503, "COMMAND_INVALID - unimplemented method", true},
		"confirm.select-ok": {&wire.ConfirmSelectOk{}, 503, "COMMAND_INVALID - unimplemented method", true},
		"channel.close-ok":  {&wire.ChannelCloseOk{}, 503, "COMMAND_INVALID - unimplemented method", true},
		"channel.flow-ok":   {&wire.ChannelFlowOk{}, 503, "COMMAND_INVALID - unimplemented method", true},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				r := t.raw()
				r.send(1, c.method)
				if c.conn {
					require.Equal(t, wire.ConnectionClose{ReplyCode: c.code, ReplyText: c.text, Cause: c.method.ID()}, *expect[*wire.ConnectionClose](r))
					r.send(0, &wire.ConnectionCloseOk{})
					r.conn.SetReadDeadline(time.Now().Add(time.Minute))
					r.over()
				} else {
					require.Equal(t, wire.ChannelClose{ReplyCode: c.code, ReplyText: c.text, Cause: c.method.ID()}, *expect[*wire.ChannelClose](r))
				}
			})
		})
	}
}

func TestChannelsThatAreNotOpen(t *testing.T) {
	for channel, text := range map[uint16]string{
		0: "CHANNEL_ERROR - unexpected method in connection state running",
		2: "CHANNEL_ERROR - expected 'channel.open'",
	} {
		withServer(t, func(t *env) {
			r := t.raw()
			r.send(channel, &wire.QueueDeclare{Queue: "q"})
			require.Equal(t, wire.ConnectionClose{ReplyCode: 504, ReplyText: text, Cause: wire.QueueDeclareID}, *expect[*wire.ConnectionClose](r))
		})
	}
}

func TestAccessRequestIsGranted(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1, &wire.AccessRequest{Realm: "/data"})
		require.EqualValues(t, 1, expect[*wire.AccessRequestOk](r).Ticket)
	})
}

func TestPipelinedMethodsAreAnsweredInOrder(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(1,
			&wire.ConfirmSelect{NoWait: true},
			&wire.ExchangeDeclare{Exchange: "x", Type: "fanout", NoWait: true},
			&wire.QueueDeclare{Queue: "q"},
			&wire.QueueBind{Queue: "q", Exchange: "x"},
			&wire.BasicQos{PrefetchCount: 1})
		r.write(append(r.publishing(1, "x", "", "one"), r.publishing(1, "x", "", "two")...))
		r.send(1, &wire.BasicGet{Queue: []byte("q"), NoAck: true}, &wire.QueuePurge{Queue: "q"}, &wire.ChannelClose{})
		expect[*wire.QueueDeclareOk](r)
		expect[*wire.QueueBindOk](r)
		expect[*wire.BasicQosOk](r)
		require.Equal(t, wire.BasicAck{DeliveryTag: 2, Multiple: true}, *readConfirms(r, 2))
		require.EqualValues(t, 1, expect[*wire.BasicGetOk](r).MessageCount)
		require.Equal(t, "one", r.content())
		require.EqualValues(t, 1, expect[*wire.QueuePurgeOk](r).MessageCount)
		expect[*wire.ChannelCloseOk](r)
	})
}

// readConfirms reads acks up to a number, and gives them as one.
func readConfirms(r *rawClient, last uint64) *wire.BasicAck {
	r.t.Helper()
	for next := uint64(1); ; {
		a := *expect[*wire.BasicAck](r)
		require.True(r.t, a.Multiple && a.DeliveryTag >= next || a.DeliveryTag == next, "ack %+v, next is %d", a, next)
		if next = a.DeliveryTag + 1; next > last {
			return &wire.BasicAck{DeliveryTag: a.DeliveryTag, Multiple: true}
		}
	}
}

func TestContentOfSeveralChannelsInterleaves(t *testing.T) {
	withServer(t, func(t *env) {
		r := t.raw()
		r.send(2, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		r.send(1, &wire.QueueDeclare{Queue: "q"})
		expect[*wire.QueueDeclareOk](r)
		var parts [3][]wire.Frame
		for ch := uint16(1); ch <= 2; ch++ {
			m := wire.BasicPublish{RoutingKey: []byte("q")}
			body := []string{1: "onetwo", 2: "threefour"}[ch]
			h := wire.ContentHeader{BodySize: uint64(len(body))}
			for _, f := range []wire.Frame{
				{Type: wire.FrameMethod, Payload: m.Append(nil)}, {Type: wire.FrameHeader, Payload: h.Append(nil)},
				{Type: wire.FrameBody, Payload: []byte(body[:3])}, {Type: wire.FrameBody}, {Type: wire.FrameBody, Payload: []byte(body[3:])},
			} {
				f.Channel = ch
				parts[ch] = append(parts[ch], f)
			}
		}
		var b []byte
		for i := range parts[1] {
			b = wire.AppendFrame(wire.AppendFrame(b, parts[1][i]), parts[2][i])
		}
		r.write(b)
		for _, want := range []string{"onetwo", "threefour"} {
			r.send(1, &wire.BasicGet{Queue: []byte("q"), NoAck: true})
			expect[*wire.BasicGetOk](r)
			require.Equal(t, want, r.content())
		}
	})
}

func TestContentOutOfPlaceClosesTheConnection(t *testing.T) {
	publish := wire.Frame{Type: wire.FrameMethod, Channel: 1, Payload: (&wire.BasicPublish{RoutingKey: []byte("q")}).Append(nil)}
	header := wire.Frame{Type: wire.FrameHeader, Channel: 1, Payload: wire.ContentHeader{BodySize: 2}.Append(nil)}
	foreign := wire.Frame{Type: wire.FrameHeader, Channel: 1, Payload: append([]byte{0, 50}, header.Payload[2:]...)}
	body := wire.Frame{Type: wire.FrameBody, Channel: 1, Payload: []byte("abc")}
	get := wire.Frame{Type: wire.FrameMethod, Channel: 1, Payload: (&wire.BasicGet{Queue: []byte("q")}).Append(nil)}
	for name, c := range map[string]struct {
		frames []wire.Frame
		code   uint16
		text   string
		cause  wire.MethodID
	}{
		"header first":            {[]wire.Frame{header}, 505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0},
		"body first":              {[]wire.Frame{body}, 505, "UNEXPECTED_FRAME - expected method frame, got non method frame instead", 0},
		"body before header":      {[]wire.Frame{publish, body}, 505, "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead", wire.BasicPublishID},
		"method before header":    {[]wire.Frame{publish, get}, 505, "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead", wire.BasicPublishID},
		"header of another class": {[]wire.Frame{publish, foreign}, 505, "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead", wire.BasicPublishID},
		"method before body":      {[]wire.Frame{publish, header, get}, 505, "UNEXPECTED_FRAME - expected content body, got non content body frame instead", wire.BasicPublishID},
		"second header":           {[]wire.Frame{publish, header, header}, 505, "UNEXPECTED_FRAME - expected content body, got non content body frame instead", wire.BasicPublishID},
		"body too long":           {[]wire.Frame{publish, header, body}, 501, "FRAME_ERROR - content body frame exceeds remaining content size", wire.BasicPublishID},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				r := t.raw()
				var b []byte
				for _, f := range c.frames {
					b = wire.AppendFrame(b, f)
				}
				r.write(b)
				require.Equal(t, wire.ConnectionClose{ReplyCode: c.code, ReplyText: c.text, Cause: c.cause}, *expect[*wire.ConnectionClose](r))
			})
		})
	}
}

// So no delivery of the channel can follow, and who reads the answer finds
// everything in its place.
func TestChannelIsClosedBeforeTheClientHears(t *testing.T) {
	for name, ending := range map[string]wire.Method{
		"by the client": &wire.ChannelClose{ReplyCode: 200}, "by an error": &wire.BasicAck{DeliveryTag: 99},
	} {
		t.Run(name, func(t *testing.T) {
			withServer(t, func(t *env) {
				r := t.raw()
				r.send(2, &wire.ChannelOpen{})
				expect[*wire.ChannelOpenOk](r)
				r.send(1, &wire.QueueDeclare{Queue: "q"})
				expect[*wire.QueueDeclareOk](r)
				for channel := uint16(1); channel <= 2; channel++ {
					r.send(channel, &wire.BasicConsume{Queue: []byte("q"), ConsumerTag: []byte("c")})
					expect[*wire.BasicConsumeOk](r)
				}
				r.write(r.publishing(1, "", "q", "x"))
				expect[*wire.BasicDeliver](r)
				require.Equal(t, "x", r.content())
				r.send(1, ending)
				f := r.nextFrame()
				require.EqualValues(t, 2, f.Channel, "the other consumer has the message")
				m := r.method(f)
				require.True(t, m.(*wire.BasicDeliver).Redelivered)
				require.Equal(t, "x", r.content())
				f = r.nextFrame()
				require.EqualValues(t, 1, f.Channel)
				m = r.method(f)
				require.Equal(t, wire.ClassChannel, int(m.ID().Class()))
			})
		})
	}
}

func TestManyChannelsOnOneConnection(t *testing.T) {
	withServer(t, func(t *env) {
		conn := t.dial()
		const n = 200
		var channels [n]*amqp091.Channel
		for i := range n {
			channels[i] = brokertest.ClientChannel(t, conn)
		}
		var consumers [n]<-chan amqp091.Delivery
		for i, ch := range channels {
			consumers[i] = t.consume(ch, t.queue(ch, fmt.Sprint(i)), "same", true)
		}
		for i, ch := range channels {
			t.put(ch, "", fmt.Sprint(n-1-i), fmt.Sprint(n-1-i))
		}
		for i, c := range consumers {
			require.Equal(t, []string{fmt.Sprint(i)}, t.bodies(c, 1))
		}
	})
}

func TestFlowStopsDeliveries(t *testing.T) {
	withServer(t, func(t *env) {
		ch := t.open()
		q := t.queue(ch, "q")
		c := t.consume(ch, q, "", true)
		require.NoError(t, ch.Flow(false))
		t.put(ch, "", q, "a", "b")
		t.none(c)
		require.Equal(t, 2, t.ready(q))
		require.NoError(t, ch.Flow(true))
		require.Equal(t, []string{"a", "b"}, t.bodies(c, 2))
	})
}

func TestClientRecoversAfterTheConnectionIsLost(t *testing.T) {
	withServer(t, func(t *env) {
		var last net.Conn
		conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", amqp091.Config{
			Dial: func(network, addr string) (net.Conn, error) {
				var err error
				last, err = t.server.Dial(network, addr)
				return last, err
			},
			Recovery: &amqp091.Recovery{ReconnectionConfig: amqp091.DefaultReconnectionConfig},
		})
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		ch := brokertest.ClientChannel(t, conn)
		q, err := ch.QueueDeclare("mine", false, false, true, false, nil)
		require.NoError(t, err)
		c := t.consume(ch, q.Name, "c", true)
		last.Close()
		time.Sleep(time.Minute)
		t.put(t.open(), "", q.Name, "after")
		require.Equal(t, "after", string(t.next(c).Body))
	})
}
