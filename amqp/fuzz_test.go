package amqp_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/memconn"
	"github.com/warrenmq/warren/internal/wire"
)

// recordingConn records what is written to a connection.
type recordingConn struct {
	net.Conn
	written bytes.Buffer
}

func (c *recordingConn) Write(b []byte) (int, error) {
	c.written.Write(b)
	return c.Conn.Write(b)
}

// helloFrames is a handshake without its answers.
func helloFrames() []byte {
	b := []byte(wire.ProtocolHeader)
	b = wire.AppendMethod(b, 0, startOk("PLAIN", "\x00guest\x00guest", "connection.blocked", "consumer_cancel_notify"))
	b = wire.AppendMethod(b, 0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 4096, Heartbeat: 5})
	return wire.AppendMethod(b, 0, &wire.ConnectionOpen{VirtualHost: "/"})
}

// clientTraffic is what the official client says in a session that uses most of
// AMQP.
func clientTraffic(t testing.TB) []byte {
	b := warren.New(nil)
	defer b.Close()
	srv := amqp.NewServer(b, nil)
	defer srv.Close()
	tee := &recordingConn{}
	conn, err := amqp091.DialConfig("amqp://guest:guest@localhost/", amqp091.Config{FrameSize: 4096, Dial: func(network, addr string) (net.Conn, error) {
		c, err := srv.Dial(network, addr)
		tee.Conn = c
		return tee, err
	}})
	require.NoError(t, err)
	ch, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(false))
	require.NoError(t, ch.Qos(10, 0, false))
	require.NoError(t, ch.ExchangeDeclare("x", "topic", false, false, false, false, amqp091.Table{"a": []any{int32(1), "two"}}))
	q, err := ch.QueueDeclare("q", false, true, false, false, amqp091.Table{"note": int64(5)})
	require.NoError(t, err)
	require.NoError(t, ch.QueueBind(q.Name, "a.#", "x", false, nil))
	msgs, err := ch.Consume(q.Name, "c", false, false, false, false, nil)
	require.NoError(t, err)
	replies, err := ch.Consume("amq.rabbitmq.reply-to", "", true, false, false, false, nil)
	require.NoError(t, err)
	for _, m := range []amqp091.Publishing{
		{Body: []byte("x")}, {ContentType: "text/plain", Headers: amqp091.Table{"CC": []any{"b"}, "t": time.Unix(1, 0)}},
		{Body: make([]byte, 5000), ReplyTo: "amq.rabbitmq.reply-to", Expiration: "1000", Priority: 3},
	} {
		dc, err := ch.PublishWithDeferredConfirm("x", "a.b", true, false, m)
		require.NoError(t, err)
		d := <-msgs
		require.NoError(t, d.Ack(true))
		require.True(t, dc.Wait())
		if d.ReplyTo != "" {
			require.NoError(t, ch.Publish("", d.ReplyTo, false, false, amqp091.Publishing{Body: d.Body}))
			<-replies
		}
	}
	_, ok, err := ch.Get(q.Name, false)
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, ch.Cancel("c", false))
	require.NoError(t, ch.Close())
	ch, err = conn.Channel()
	require.NoError(t, err)
	require.NoError(t, ch.Tx())
	require.NoError(t, ch.Publish("", "nowhere", true, false, amqp091.Publishing{}))
	require.NoError(t, ch.TxCommit())
	_, err = ch.QueueDeclarePassive("nope", false, false, false, false, nil)
	require.Error(t, err)
	require.NoError(t, conn.Close())
	return tee.written.Bytes()
}

// FuzzConnection says anything to a server. Whatever it is, the server does
// not panic, and when the client has gone nothing of it is left: the bubble
// fails if a goroutine is, or if one waits for ever.
func FuzzConnection(f *testing.F) {
	traffic := clientTraffic(f)
	f.Add(false, traffic)
	f.Add(false, traffic[:len(traffic)/2])
	f.Add(true, []byte{})
	for _, name := range []string{"pika", "amqplib"} { // what real ones have said
		said, err := os.ReadFile("../internal/wire/testdata/traffic/" + name)
		require.NoError(f, err)
		f.Add(false, said)
		f.Add(true, said[handshakeLength(f, said):])
	}
	// behind the handshake, which a mutation hardly leaves as it is
	f.Add(true, traffic[handshakeLength(f, traffic):])
	for _, payload := range []string{"\x00\x0a\x00\x32", "\x00\x3c\x00\x28", "\x00\x32\x00\x0a"} {
		f.Add(true, wire.AppendFrame(nil, wire.Frame{Type: wire.FrameMethod, Channel: 1, Payload: []byte(payload)}))
	}
	f.Fuzz(func(t *testing.T, hello bool, said []byte) {
		if hello {
			said = append(helloFrames(), said...)
		}
		synctest.Test(t, func(t *testing.T) { say(t, said) })
	})
}

// handshakeLength is the length of the handshake that the traffic begins with:
// the header and three methods.
func handshakeLength(t testing.TB, traffic []byte) int {
	at := len(wire.ProtocolHeader)
	for range 3 {
		_, size, err := wire.ParseFrame(traffic[at:], 131072)
		require.NoError(t, err)
		require.NotZero(t, size)
		at += size
	}
	return at
}

// say has a client say something and go away.
func say(t *testing.T, said []byte) {
	b := warren.New(&warren.Options{MemoryLimit: 1 << 20})
	srv := amqp.NewServer(b, &amqp.Options{Buffer: 4 << 10})
	c, err := srv.Dial("", "")
	require.NoError(t, err)
	read := make(chan struct{})
	go func() {
		io.Copy(io.Discard, c)
		close(read)
	}()
	c.SetWriteDeadline(time.Now().Add(time.Hour))
	c.Write(said) // as much as the server hears
	c.(*memconn.Conn).CloseWrite()
	time.Sleep(time.Minute)
	start := time.Now()
	require.NoError(t, srv.Shutdown(context.Background()))
	require.LessOrEqual(t, time.Since(start), 10*time.Second)
	<-read
	require.NoError(t, b.Close())
}

// TestTrafficThatIsCutShortLeavesNothing ends a session anywhere.
func TestTrafficThatIsCutShortLeavesNothing(t *testing.T) {
	traffic := clientTraffic(t)
	for n := 0; n < len(traffic); n += 97 {
		synctest.Test(t, func(t *testing.T) { say(t, traffic[:n]) })
	}
}
