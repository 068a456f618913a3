package amqp_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/wire"
)

// rawClient is a client that says exactly what a test tells it to say.
type rawClient struct {
	t        *testing.T
	conn     net.Conn
	frames   *wire.FrameReader
	patience time.Duration // how long a frame may take to come; zero: for ever
}

// dialRaw connects and says nothing yet.
func dialRaw(t *testing.T, srv *amqp.Server) *rawClient {
	c, err := srv.Dial("", "")
	require.NoError(t, err)
	return rawOver(t, c)
}

func rawOver(t *testing.T, c net.Conn) *rawClient {
	t.Cleanup(func() { c.Close() })
	return &rawClient{t: t, conn: c, frames: wire.NewFrameReader(c, make([]byte, 4096))}
}

// openRaw connects and goes through the handshake with a client that has the
// capabilities.
func openRaw(t *testing.T, srv *amqp.Server, capabilities ...string) *rawClient {
	r := dialRaw(t, srv)
	r.open(0, capabilities...)
	return r
}

// rawChannel is openRaw with channel 1 open.
func rawChannel(t *testing.T, srv *amqp.Server, capabilities ...string) *rawClient {
	r := openRaw(t, srv, capabilities...)
	r.send(1, &wire.ChannelOpen{})
	expect[*wire.ChannelOpenOk](r)
	return r
}

// open goes through the handshake.
func (r *rawClient) open(heartbeat uint16, capabilities ...string) {
	r.login(capabilities...)
	tune := expect[*wire.ConnectionTune](r)
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: tune.ChannelMax, FrameMax: tune.FrameMax, Heartbeat: heartbeat})
	r.frames.SetFrameMax(tune.FrameMax)
	r.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
	expect[*wire.ConnectionOpenOk](r)
}

// login goes as far as start-ok.
func (r *rawClient) login(capabilities ...string) {
	r.write([]byte(wire.ProtocolHeader))
	expect[*wire.ConnectionStart](r)
	r.send(0, startOk("PLAIN", "\x00guest\x00guest", capabilities...))
}

func startOk(mechanism, response string, capabilities ...string) *wire.ConnectionStartOk {
	can := wire.Table{}
	for _, name := range capabilities {
		can[name] = true
	}
	return &wire.ConnectionStartOk{
		ClientProperties: wire.Table{"capabilities": can}, Mechanism: mechanism, Response: response, Locale: "en_US",
	}
}

func (r *rawClient) write(b []byte) {
	r.t.Helper()
	_, err := r.conn.Write(b)
	require.NoError(r.t, err)
}

// send writes methods at once.
func (r *rawClient) send(channel uint16, methods ...wire.Method) {
	r.t.Helper()
	var b []byte
	for _, m := range methods {
		b = wire.AppendMethod(b, channel, m)
	}
	r.write(b)
}

// sendFrame sends a frame of any kind.
func (r *rawClient) sendFrame(kind wire.FrameType, channel uint16, payload string) {
	r.write(wire.AppendFrame(nil, wire.Frame{Type: kind, Channel: channel, Payload: []byte(payload)}))
}

// contentHeader is the payload of a content header without properties.
func contentHeader(size uint64) string {
	return string(wire.ContentHeader{BodySize: size}.Append(nil))
}

// publish sends a message to the default exchange.
func (r *rawClient) publish(channel uint16, key, body string) {
	r.write(wire.AppendPublish(nil, channel, &wire.BasicPublish{RoutingKey: []byte(key)}, nil, []byte(body), 4096))
}

// publishing is a message as frames.
func (r *rawClient) publishing(channel uint16, exchange, key, body string) []byte {
	m := wire.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)}
	return wire.AppendPublish(nil, channel, &m, nil, []byte(body), 131072)
}

// nextFrame reads the next frame that is no heartbeat.
func (r *rawClient) nextFrame() wire.Frame {
	r.t.Helper()
	if r.patience > 0 {
		require.NoError(r.t, r.conn.SetReadDeadline(time.Now().Add(r.patience)))
	}
	for {
		f, err := r.frames.Next()
		require.NoError(r.t, err)
		if f.Type != wire.FrameHeartbeat {
			return f
		}
	}
}

// next reads the next method and the channel that it is on.
func (r *rawClient) next() (wire.Method, uint16) {
	r.t.Helper()
	f := r.nextFrame()
	return r.method(f), f.Channel
}

// method is the method in a frame, which must be one.
func (r *rawClient) method(f wire.Frame) wire.Method {
	r.t.Helper()
	require.Equal(r.t, wire.FrameMethod, f.Type)
	var d wire.Decoder // the method stays
	m, err := d.Parse(f.Payload)
	require.NoError(r.t, err)
	return m
}

// content reads a header and the body.
func (r *rawClient) content() string {
	r.t.Helper()
	h, err := wire.ParseContentHeader(r.nextFrame().Payload)
	require.NoError(r.t, err)
	var body []byte
	for uint64(len(body)) < h.BodySize {
		f := r.nextFrame()
		require.Equal(r.t, wire.FrameBody, f.Type)
		body = append(body, f.Payload...)
	}
	return string(body)
}

// expect reads the next method, which must be an M.
func expect[M wire.Method](r *rawClient) M {
	r.t.Helper()
	m, _ := r.next()
	require.IsType(r.t, *new(M), m, "%+v", m)
	return m.(M)
}

// closed expects connection.close with code and text, then answers it.
func (r *rawClient) closed(code uint16, text string) *wire.ConnectionClose {
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
func (r *rawClient) over() {
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
func (r *rawClient) quiet(d time.Duration) {
	r.t.Helper()
	require.NoError(r.t, r.conn.SetReadDeadline(time.Now().Add(d)))
	_, err := r.frames.Next()
	var timeout net.Error
	require.ErrorAs(r.t, err, &timeout)
	require.True(r.t, timeout.Timeout())
	require.NoError(r.t, r.conn.SetReadDeadline(time.Time{}))
}

// hangUp closes as clients should.
func (r *rawClient) hangUp() {
	r.t.Helper()
	r.send(0, &wire.ConnectionClose{ReplyCode: 200, ReplyText: "bye"})
	expect[*wire.ConnectionCloseOk](r)
	r.conn.Close() // the server leaves that to the client
}
