package amqp_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/wire"
)

// lhEnv is a broker with a server, in a bubble.
type lhEnv struct {
	*testing.T
	broker *warren.Broker
	server *amqp.Server
}

func lhTest(t *testing.T, f func(t *lhEnv)) { lhTestWith(t, nil, nil, f) }

func lhTestWith(t *testing.T, o *warren.Options, so *amqp.Options, f func(t *lhEnv)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := warren.New(o)
		t.Cleanup(func() { b.Close() })
		s := amqp.NewServer(b, so)
		t.Cleanup(func() { s.Close() })
		f(&lhEnv{t, b, s})
	})
}

// dial connects the official client.
func (t *lhEnv) dial() *amqp091.Connection {
	t.Helper()
	return t.dialConfig(amqp091.Config{})
}

func (t *lhEnv) dialConfig(c amqp091.Config) *amqp091.Connection {
	t.Helper()
	c.Dial = t.server.Dial
	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", c)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// open opens a channel on a connection of its own.
func (t *lhEnv) open() *amqp091.Channel {
	t.Helper()
	return t.channel(t.dial())
}

func (t *lhEnv) channel(conn *amqp091.Connection) *amqp091.Channel {
	t.Helper()
	ch, err := conn.Channel()
	require.NoError(t, err)
	return ch
}

// native opens a channel of the broker itself.
func (t *lhEnv) native() *warren.Channel {
	t.Helper()
	ch, err := t.broker.Channel()
	require.NoError(t, err)
	return ch
}

func (t *lhEnv) queue(ch *amqp091.Channel, name string) string {
	t.Helper()
	q, err := ch.QueueDeclare(name, false, false, false, false, nil)
	require.NoError(t, err)
	return q.Name
}

func (t *lhEnv) exchange(ch *amqp091.Channel, name, kind string) {
	t.Helper()
	require.NoError(t, ch.ExchangeDeclare(name, kind, false, false, false, false, nil))
}

func (t *lhEnv) put(ch *amqp091.Channel, exchange, key string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		require.NoError(t, ch.PublishWithContext(t.Context(), exchange, key, false, false, amqp091.Publishing{Body: []byte(body)}))
	}
}

func (t *lhEnv) consume(ch *amqp091.Channel, queue, tag string, autoAck bool) <-chan amqp091.Delivery {
	t.Helper()
	c, err := ch.Consume(queue, tag, autoAck, false, false, false, nil)
	require.NoError(t, err)
	return c
}

// next reads a delivery, which must come.
func (t *lhEnv) next(c <-chan amqp091.Delivery) amqp091.Delivery {
	t.Helper()
	select {
	case d, ok := <-c:
		require.True(t, ok, "the consumer has ended")
		return d
	case <-time.After(time.Second):
		require.FailNow(t, "no delivery")
	}
	panic("not reached")
}

// none requires that no delivery is there.
func (t *lhEnv) none(c <-chan amqp091.Delivery) {
	t.Helper()
	synctest.Wait()
	select {
	case d, ok := <-c:
		require.False(t, ok, "a delivery: %q", d.Body)
	default:
	}
}

func (t *lhEnv) bodies(c <-chan amqp091.Delivery, n int) (list []string) {
	t.Helper()
	for range n {
		list = append(list, string(t.next(c).Body))
	}
	t.none(c)
	return list
}

// ready is the number of ready messages of a queue.
func (t *lhEnv) ready(queue string) int {
	t.Helper()
	synctest.Wait()
	ch := t.native()
	defer ch.Close()
	q, err := ch.QueueDeclarePassive(queue)
	require.NoError(t, err)
	return q.Messages
}

// channelFails requires that the operation closes the channel, and it alone.
func (t *lhEnv) channelFails(code int, text string, f func(ch *amqp091.Channel) error) {
	t.Helper()
	conn := t.dial()
	ch := t.channel(conn)
	closed := ch.NotifyClose(make(chan *amqp091.Error, 1))
	err := f(ch)
	t.isClose(closed, code, text)
	var e *amqp091.Error
	if err != nil {
		require.ErrorAs(t, err, &e)
		require.Equal(t, code, e.Code)
	}
	_, err = ch.QueueDeclare("", false, false, true, false, nil)
	require.ErrorIs(t, err, amqp091.ErrClosed, "the channel is unusable")
	require.False(t, conn.IsClosed(), "the connection stays")
	again := t.channel(conn)
	_, err = again.QueueDeclare("", false, false, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

// connectionFails requires that the operation closes the connection.
func (t *lhEnv) connectionFails(code int, text string, f func(ch *amqp091.Channel) error) {
	t.Helper()
	conn := t.dial()
	ch := t.channel(conn)
	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	f(ch)
	t.isClose(closed, code, text)
	require.True(t, conn.IsClosed())
}

func (t *lhEnv) isClose(closed <-chan *amqp091.Error, code int, text string) {
	t.Helper()
	select {
	case e := <-closed:
		require.NotNil(t, e, "closed without an error")
		require.Equal(t, text, e.Reason)
		require.Equal(t, code, e.Code)
		require.True(t, e.Server)
	case <-time.After(time.Second):
		require.FailNow(t, "nothing was closed", "expected %d %s", code, text)
	}
}

// lhRaw is a client that shows frames as they are.
type lhRaw struct {
	t       *lhEnv
	conn    net.Conn
	frames  *wire.FrameReader
	decoder wire.Decoder
}

// raw connects a client with some capabilities and opens channel 1.
func (t *lhEnv) raw(capabilities ...string) *lhRaw {
	t.Helper()
	nc, err := t.server.Dial("", "")
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	r := &lhRaw{t: t, conn: nc, frames: wire.NewFrameReader(nc, make([]byte, 4096))}
	r.write([]byte("AMQP\x00\x00\x09\x01"))
	list := wire.Table{}
	for _, c := range capabilities {
		list[c] = true
	}
	lhRead[*wire.ConnectionStart](r)
	r.send(0, &wire.ConnectionStartOk{
		ClientProperties: wire.Table{"capabilities": list},
		Mechanism:        "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US",
	})
	lhRead[*wire.ConnectionTune](r)
	r.send(0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: 131072})
	r.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
	lhRead[*wire.ConnectionOpenOk](r)
	r.frames.SetFrameMax(131072)
	r.send(1, &wire.ChannelOpen{})
	lhRead[*wire.ChannelOpenOk](r)
	return r
}

func (r *lhRaw) write(b []byte) {
	r.t.Helper()
	_, err := r.conn.Write(b)
	require.NoError(r.t, err)
}

// send writes methods at once.
func (r *lhRaw) send(channel uint16, list ...wire.Method) {
	r.t.Helper()
	var b []byte
	for _, m := range list {
		b = wire.AppendMethod(b, channel, m)
	}
	r.write(b)
}

// publishing is a message as frames.
func (r *lhRaw) publishing(channel uint16, exchange, key, body string) []byte {
	m := wire.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)}
	return wire.AppendPublish(nil, channel, &m, nil, []byte(body), 131072)
}

// frame reads the next frame but heartbeats.
func (r *lhRaw) frame() wire.Frame {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(time.Second))
	f, err := r.frames.Next()
	require.NoError(r.t, err)
	return f
}

// silent requires that nothing more has come.
func (r *lhRaw) silent() {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	f, err := r.frames.Next()
	require.ErrorContains(r.t, err, "timeout", "a frame: %+v", f)
}

// ended requires that the server has closed the connection.
func (r *lhRaw) ended() {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(time.Minute))
	_, err := r.frames.Next()
	require.ErrorIs(r.t, err, io.EOF)
}

// lhRead reads the next frame, which must be a method of type M.
func lhRead[M wire.Method](r *lhRaw) M {
	r.t.Helper()
	f := r.frame()
	require.Equal(r.t, wire.FrameMethod, f.Type)
	m, err := r.decoder.Parse(f.Payload)
	require.NoError(r.t, err)
	got, ok := m.(M)
	require.True(r.t, ok, "got %T %+v", m, m)
	return got
}

// content reads a header and the body.
func (r *lhRaw) content() string {
	r.t.Helper()
	h, err := wire.ParseContentHeader(r.frame().Payload)
	require.NoError(r.t, err)
	var body []byte
	for uint64(len(body)) < h.BodySize {
		f := r.frame()
		require.Equal(r.t, wire.FrameBody, f.Type)
		body = append(body, f.Payload...)
	}
	return string(body)
}
