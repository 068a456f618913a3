package amqp_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/wire"
)

// lcRaw is a client that says exactly what a test tells it to say.
type lcRaw struct {
	t      *testing.T
	conn   net.Conn
	frames *wire.FrameReader
}

// lcServer makes a broker with a server; both end with the test.
func lcServer(t *testing.T, o *amqp.Options) (*warren.Broker, *amqp.Server) {
	b := warren.New(nil)
	srv := amqp.NewServer(b, o)
	t.Cleanup(func() {
		require.NoError(t, srv.Close())
		require.NoError(t, b.Close())
	})
	return b, srv
}

// lcDial connects and says nothing yet.
func lcDial(t *testing.T, srv *amqp.Server) *lcRaw {
	c, err := srv.Dial("", "")
	require.NoError(t, err)
	return lcOver(t, c)
}

func lcOver(t *testing.T, c net.Conn) *lcRaw {
	t.Cleanup(func() { c.Close() })
	return &lcRaw{t: t, conn: c, frames: wire.NewFrameReader(c, make([]byte, 4096))}
}

// lcOpen connects and goes through the handshake with a client that has the
// capabilities.
func lcOpen(t *testing.T, srv *amqp.Server, capabilities ...string) *lcRaw {
	r := lcDial(t, srv)
	r.open(0, capabilities...)
	return r
}

// lcChannel is lcOpen with channel 1 open.
func lcChannel(t *testing.T, srv *amqp.Server, capabilities ...string) *lcRaw {
	r := lcOpen(t, srv, capabilities...)
	r.send(1, &wire.ChannelOpen{})
	lcNext[*wire.ChannelOpenOk](r)
	return r
}

// open goes through the handshake.
func (r *lcRaw) open(heartbeat uint16, capabilities ...string) {
	r.login(capabilities...)
	tune := lcNext[*wire.ConnectionTune](r)
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: tune.ChannelMax, FrameMax: tune.FrameMax, Heartbeat: heartbeat})
	r.frames.SetFrameMax(tune.FrameMax)
	r.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
	lcNext[*wire.ConnectionOpenOk](r)
}

// login goes as far as start-ok.
func (r *lcRaw) login(capabilities ...string) {
	r.write([]byte(wire.ProtocolHeader))
	lcNext[*wire.ConnectionStart](r)
	r.send(0, lcStartOk("PLAIN", "\x00guest\x00guest", capabilities...))
}

func lcStartOk(mechanism, response string, capabilities ...string) *wire.ConnectionStartOk {
	can := wire.Table{}
	for _, name := range capabilities {
		can[name] = true
	}
	return &wire.ConnectionStartOk{
		ClientProperties: wire.Table{"capabilities": can}, Mechanism: mechanism, Response: response, Locale: "en_US",
	}
}

func (r *lcRaw) write(b []byte) {
	_, err := r.conn.Write(b)
	require.NoError(r.t, err)
}

func (r *lcRaw) send(channel uint16, methods ...wire.Method) {
	var b []byte
	for _, m := range methods {
		b = wire.AppendMethod(b, channel, m)
	}
	r.write(b)
}

// frame sends a frame of any kind.
func (r *lcRaw) frame(kind wire.FrameType, channel uint16, payload string) {
	r.write(wire.AppendFrame(nil, wire.Frame{Type: kind, Channel: channel, Payload: []byte(payload)}))
}

// header is the payload of a content header without properties.
func lcHeader(size uint64) string {
	return string(wire.ContentHeader{BodySize: size}.Append(nil))
}

// publish sends a message to the default exchange.
func (r *lcRaw) publish(channel uint16, key, body string) {
	r.write(wire.AppendPublish(nil, channel, &wire.BasicPublish{RoutingKey: []byte(key)}, nil, []byte(body), 4096))
}

// nextFrame reads the next frame that is no heartbeat.
func (r *lcRaw) nextFrame() wire.Frame {
	for {
		f, err := r.frames.Next()
		require.NoError(r.t, err)
		if f.Type != wire.FrameHeartbeat {
			return f
		}
	}
}

// next reads the next method and the channel that it is on.
func (r *lcRaw) next() (wire.Method, uint16) {
	f := r.nextFrame()
	require.Equal(r.t, wire.FrameMethod, f.Type)
	var d wire.Decoder
	m, err := d.Parse(f.Payload)
	require.NoError(r.t, err)
	return m, f.Channel
}

// lcNext reads the next method, which must be an M.
func lcNext[M wire.Method](r *lcRaw) M {
	r.t.Helper()
	m, _ := r.next()
	require.IsType(r.t, *new(M), m, "%+v", m)
	return m.(M)
}

// closed expects connection.close with code and text, then answers it.
func (r *lcRaw) closed(code uint16, text string) *wire.ConnectionClose {
	r.t.Helper()
	m, channel := r.next()
	c, ok := m.(*wire.ConnectionClose)
	require.True(r.t, ok, "%T %+v", m, m)
	require.Equal(r.t, text, c.ReplyText)
	require.Equal(r.t, code, c.ReplyCode)
	require.Zero(r.t, channel)
	// The server may not wait for it.
	r.conn.Write(wire.AppendMethod(nil, 0, &wire.ConnectionCloseOk{}))
	r.over()
	return c
}

// over expects the end of the connection, with nothing but heartbeats before.
func (r *lcRaw) over() {
	r.t.Helper()
	for {
		f, err := r.frames.Next()
		if err != nil {
			require.Equal(r.t, io.EOF, err)
			return
		}
		require.Equal(r.t, wire.FrameHeartbeat, f.Type, "%v", f)
	}
}

// quiet expects that nothing comes within d.
func (r *lcRaw) quiet(d time.Duration) {
	r.t.Helper()
	require.NoError(r.t, r.conn.SetReadDeadline(time.Now().Add(d)))
	_, err := r.frames.Next()
	var timeout net.Error
	require.ErrorAs(r.t, err, &timeout)
	require.True(r.t, timeout.Timeout())
	require.NoError(r.t, r.conn.SetReadDeadline(time.Time{}))
}

// hangUp closes as clients should.
func (r *lcRaw) hangUp() {
	r.t.Helper()
	r.send(0, &wire.ConnectionClose{ReplyCode: 200, ReplyText: "bye"})
	lcNext[*wire.ConnectionCloseOk](r)
	r.conn.Close() // the server leaves that to the client
}
