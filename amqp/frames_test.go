package amqp_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/wire"
)

// publishNowhere is basic.publish to a queue that is not there.
var publishNowhere = &wire.BasicPublish{RoutingKey: []byte("nowhere")}

func TestFaultyFramesCloseTheConnection(t *testing.T) {
	body := func(s string) func(r *rawClient) {
		return func(r *rawClient) { r.sendFrame(wire.FrameBody, 1, s) }
	}
	header := func(s string) func(r *rawClient) {
		return func(r *rawClient) { r.sendFrame(wire.FrameHeader, 1, s) }
	}
	method := func(channel uint16, m wire.Method) func(r *rawClient) {
		return func(r *rawClient) { r.send(channel, m) }
	}
	octets := func(s string) func(r *rawClient) {
		return func(r *rawClient) { r.write([]byte(s)) }
	}
	publish := method(1, publishNowhere)
	const noMethod = "UNEXPECTED_FRAME - expected method frame, got non method frame instead"
	const noHeader = "UNEXPECTED_FRAME - expected content header for class 60, got non content header frame instead"
	const noBody = "UNEXPECTED_FRAME - expected content body, got non content body frame instead"
	const stranger = "CHANNEL_ERROR - expected 'channel.open'"
	const running = "CHANNEL_ERROR - unexpected method in connection state running"
	const unknown = "COMMAND_INVALID - unimplemented method"
	for name, c := range map[string]struct {
		code uint16
		text string
		send []func(r *rawClient)
	}{
		"frame too large":             {501, "FRAME_ERROR - type 1, all octets = <<>>: {frame_too_large,131073,131064}", []func(*rawClient){octets("\x01\x00\x01\x00\x02\x00\x01")}},
		"wrong end octet":             {501, "FRAME_ERROR - type 1, all octets = <<0,20,0,40>>: {invalid_frame_end_marker,205}", []func(*rawClient){octets("\x01\x00\x01\x00\x00\x00\x04\x00\x14\x00\x28\xcd")}},
		"unknown type of frame":       {501, `FRAME_ERROR - type 4, all octets = <<"hello">>: unknown_frame`, []func(*rawClient){octets("\x04\x00\x01\x00\x00\x00\x05hello\xce")}},
		"protocol header once more":   {501, "FRAME_ERROR - type 65, all octets = <<>>: {frame_too_large,1342177289,131064}", []func(*rawClient){octets(wire.ProtocolHeader)}},
		"header on channel 0":         {505, "UNEXPECTED_FRAME - type 2, all octets = <<>>", []func(*rawClient){func(r *rawClient) { r.sendFrame(wire.FrameHeader, 0, "") }}},
		"body on channel 0":           {505, `UNEXPECTED_FRAME - type 3, first 16 octets = <<"0123456789abcdef">>`, []func(*rawClient){func(r *rawClient) { r.sendFrame(wire.FrameBody, 0, "0123456789abcdefg") }}},
		"channel.open on channel 0":   {504, running, []func(*rawClient){method(0, &wire.ChannelOpen{})}},
		"queue.declare on channel 0":  {504, running, []func(*rawClient){method(0, &wire.QueueDeclare{Queue: "q"})}},
		"basic.publish on channel 0":  {504, running, []func(*rawClient){method(0, publishNowhere)}},
		"start-ok when running":       {504, running, []func(*rawClient){method(0, startOk("PLAIN", ""))}},
		"open when running":           {504, running, []func(*rawClient){method(0, &wire.ConnectionOpen{VirtualHost: "/"})}},
		"blocked by the client":       {504, running, []func(*rawClient){method(0, &wire.ConnectionBlocked{})}},
		"close-ok unasked for":        {504, running, []func(*rawClient){method(0, &wire.ConnectionCloseOk{})}},
		"unknown method on channel 0": {503, unknown, []func(*rawClient){func(r *rawClient) { r.sendFrame(wire.FrameMethod, 0, "\x00\x0a\x00\x63") }}},
		"unknown method":              {503, unknown, []func(*rawClient){func(r *rawClient) { r.sendFrame(wire.FrameMethod, 1, "\x00\x3c\x00\x63") }}},
		"unknown class":               {503, unknown, []func(*rawClient){func(r *rawClient) { r.sendFrame(wire.FrameMethod, 1, "\x00\x63\x00\x0a") }}},
		"a server's method":           {503, unknown, []func(*rawClient){method(1, &wire.QueueDeclareOk{})}},
		"connection.close on another": {503, unknown, []func(*rawClient){method(1, &wire.ConnectionClose{})}},
		"update-secret on another":    {503, unknown, []func(*rawClient){method(1, &wire.ConnectionUpdateSecret{})}},
		"method without channel":      {504, stranger, []func(*rawClient){method(2, &wire.QueueDeclare{Queue: "q"})}},
		"publish without channel":     {504, stranger, []func(*rawClient){method(2, publishNowhere)}},
		"close without channel":       {504, stranger, []func(*rawClient){method(2, &wire.ChannelClose{})}},
		"header without channel":      {505, noMethod, []func(*rawClient){func(r *rawClient) { r.sendFrame(wire.FrameHeader, 2, contentHeader(1)) }}},
		"body without channel":        {505, noMethod, []func(*rawClient){func(r *rawClient) { r.sendFrame(wire.FrameBody, 2, "x") }}},
		"second channel.open":         {504, "CHANNEL_ERROR - second 'channel.open' seen", []func(*rawClient){method(1, &wire.ChannelOpen{})}},
		"header without publish":      {505, noMethod, []func(*rawClient){header(contentHeader(1))}},
		"body without publish":        {505, noMethod, []func(*rawClient){body("x")}},
		"body without header":         {505, noHeader, []func(*rawClient){publish, body("x")}},
		"header of another class":     {505, "UNEXPECTED_FRAME - expected content header for class 60, got one for class 50 instead", []func(*rawClient){publish, header("\x00\x32" + contentHeader(1)[2:])}},
		"second header":               {505, noBody, []func(*rawClient){publish, header(contentHeader(5)), header(contentHeader(5))}},
		"publish before header":       {505, noHeader, []func(*rawClient){publish, publish}},
		"method before header":        {505, noHeader, []func(*rawClient){publish, method(1, &wire.BasicQos{})}},
		"method before body":          {505, noBody, []func(*rawClient){publish, header(contentHeader(5)), method(1, &wire.BasicQos{})}},
		"method within the body":      {505, noBody, []func(*rawClient){publish, header(contentHeader(5)), body("x"), method(1, &wire.ChannelClose{})}},
		"body longer than announced":  {501, "FRAME_ERROR - content body frame exceeds remaining content size", []func(*rawClient){publish, header(contentHeader(5)), body("123"), body("456")}},
		"body of an empty message":    {505, noMethod, []func(*rawClient){publish, header(contentHeader(0)), body("")}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, srv := brokertest.Serve(t, nil, nil)
				r := rawChannel(t, srv)
				for _, send := range c.send {
					send(r)
				}
				r.closed(c.code, c.text)
				_, err := b.Call(t.Context(), "q", warren.Message{})
				require.ErrorIs(t, err, warren.ErrNoRoute, "the queue must not have been declared")
			})
		})
	}
}

// TestMalformedMethodsCloseTheConnection has arguments whose lengths lie. What
// comes is a connection error, and never anything that depends on the length.
func TestMalformedMethodsCloseTheConnection(t *testing.T) {
	declare := string((&wire.QueueDeclare{Queue: "q", Arguments: wire.Table{"a": "b"}}).Append(nil))
	table := strings.Index(declare, "\x01aS") - 4
	for name, payload := range map[string]string{
		"nothing":                    "",
		"half an id":                 "\x00\x32\x00",
		"no arguments":               declare[:4],
		"cut short":                  declare[:len(declare)-1],
		"octets left over":           declare + "\x00",
		"table longer than the rest": declare[:table] + "\xff\xff\xff\xff" + declare[table+4:],
		"table shorter than it is":   declare[:table] + "\x00\x00\x00\x03" + declare[table+4:],
		"value longer than table":    declare[:table+7] + "\x7f\xff\xff\xff" + declare[table+11:],
		"unknown type of value":      declare[:table+6] + "?" + declare[table+7:],
		"name longer than the rest":  declare[:6] + "\xff" + declare[7:],
		"tables in tables":           declare[:table] + nestedTable(500),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := brokertest.Serve(t, nil, nil)
				r := rawChannel(t, srv)
				r.sendFrame(wire.FrameMethod, 1, payload)
				m, channel := r.next()
				require.Zero(t, channel)
				require.IsType(t, &wire.ConnectionClose{}, m)
				require.Contains(t, []uint16{501, 502}, m.(*wire.ConnectionClose).ReplyCode)
				r.send(0, &wire.ConnectionCloseOk{})
				r.over()
			})
		})
	}
}

// nestedTable is a table within tables.
func nestedTable(depth int) string {
	inner := ""
	for range depth {
		inner = "\x01aF" + string([]byte{0, 0, byte(len(inner) >> 8), byte(len(inner))}) + inner
	}
	return string([]byte{0, 0, byte(len(inner) >> 8), byte(len(inner))}) + inner
}

func TestMalformedHeadersCloseTheConnection(t *testing.T) {
	for name, payload := range map[string]string{
		"nothing":               "",
		"cut short":             contentHeader(1)[:11],
		"weight":                "\x00\x3c\x00\x01" + contentHeader(1)[4:],
		"property without data": "\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x80\x00",
		"unknown flag":          "\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x02",
		"lying headers":         "\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x20\x00\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, srv := brokertest.Serve(t, nil, nil)
				r := rawChannel(t, srv)
				r.send(1, publishNowhere)
				r.sendFrame(wire.FrameHeader, 1, payload)
				c := expect[*wire.ConnectionClose](r)
				require.Contains(t, []uint16{501, 502, 505}, c.ReplyCode)
			})
		})
	}
}

func TestFramesOfChannelsMayMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, srv := brokertest.Serve(t, nil, nil)
		ch := brokertest.Channel(t, b)
		brokertest.Queues(t, ch, "q")
		r := rawChannel(t, srv)
		r.send(2, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		publish := &wire.BasicPublish{RoutingKey: []byte("q")}
		for channel := range uint16(2) {
			r.send(channel+1, publish)
			r.sendFrame(wire.FrameHeader, channel+1, contentHeader(6))
		}
		for _, part := range []string{"ab", "", "cd", "ef"} { // an empty frame is none too many
			for channel := range uint16(2) {
				r.sendFrame(wire.FrameBody, channel+1, part)
				r.write(wire.AppendHeartbeat(nil))
			}
		}
		r.send(1, publish)
		r.sendFrame(wire.FrameHeader, 1, contentHeader(0)) // complete without a body
		r.hangUp()
		for _, want := range []string{"abcdef", "abcdef", ""} {
			d, ok, err := ch.Get("q", true)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, want, string(d.Body))
		}
		require.NoError(t, ch.Close())
	})
}

func TestContentThatIsNeverFinishedIsNeverPublished(t *testing.T) {
	for name, end := range map[string]func(r *rawClient){
		"hang up":  func(r *rawClient) { r.hangUp() },
		"vanish":   func(r *rawClient) { r.conn.Close() },
		"shutdown": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, srv := brokertest.Serve(t, nil, nil)
				ch := brokertest.Channel(t, b)
				brokertest.Queues(t, ch, "q")
				r := rawChannel(t, srv)
				r.send(1, &wire.BasicPublish{RoutingKey: []byte("q")})
				r.sendFrame(wire.FrameHeader, 1, contentHeader(100<<20))
				r.sendFrame(wire.FrameBody, 1, "the beginning")
				if end != nil {
					end(r)
				}
				require.NoError(t, srv.Close())
				q, err := ch.QueueDeclarePassive("q")
				require.NoError(t, err)
				require.Zero(t, q.Messages)
				require.NoError(t, ch.Close())
			})
		})
	}
}

func TestChannelMaxCountsOpenChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, &amqp.Options{ChannelMax: 3})
		r := openRaw(t, srv)
		for _, number := range []uint16{1, 2, 65535} { // numbers may be any
			r.send(number, &wire.ChannelOpen{})
			_, channel := r.next()
			require.Equal(t, number, channel)
		}
		r.send(2, &wire.ChannelClose{})
		expect[*wire.ChannelCloseOk](r)
		r.send(3, &wire.ChannelOpen{})
		expect[*wire.ChannelOpenOk](r)
		r.send(4, &wire.ChannelOpen{})
		r.closed(530, "NOT_ALLOWED - number of channels opened (3) has reached the negotiated channel_max (3)")
	})
}

func TestUpdateSecretIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		r := openRaw(t, srv)
		r.send(0, &wire.ConnectionUpdateSecret{Reason: "it is time"})
		expect[*wire.ConnectionUpdateSecretOk](r)
		r.hangUp()
	})
}

func TestFramesAreReadHoweverTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		r := openRaw(t, srv)
		var b []byte
		b = wire.AppendMethod(b, 1, &wire.ChannelOpen{})
		b = wire.AppendMethod(b, 1, &wire.QueueDeclare{Queue: "q"})
		for _, octet := range b {
			r.write([]byte{octet})
			time.Sleep(time.Millisecond)
		}
		expect[*wire.ChannelOpenOk](r)
		expect[*wire.QueueDeclareOk](r)
		r.hangUp()
	})
}
