package amqp_test

import (
	"bufio"
	"net"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/wire"
)

// These measure the listener with a client whose frames are encoded
// beforehand, in the same process: the allocations are the server's. Package
// bench measures rates, with the client in a process of its own.

// benchClient is such a client, over TCP.
type benchClient struct {
	net.Conn
	in *bufio.Reader
}

func benchServer(b *testing.B) *amqp.Server {
	_, srv := benchBroker(b)
	return srv
}

func benchBroker(b *testing.B) (*warren.Broker, *amqp.Server) {
	broker := warren.New(nil)
	srv := amqp.NewServer(broker, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	go srv.Serve(l)
	b.Cleanup(func() {
		srv.Close()
		broker.Close()
	})
	ch, err := broker.Channel()
	require.NoError(b, err)
	_, err = ch.QueueDeclare("q", warren.QueueOptions{})
	require.NoError(b, err)
	for srv.Addr() == nil {
		runtime.Gosched()
	}
	return broker, srv
}

// benchDial connects and opens channel 1.
func benchDial(b *testing.B, srv *amqp.Server) *benchClient {
	nc, err := net.Dial("tcp", srv.Addr().String())
	require.NoError(b, err)
	b.Cleanup(func() { nc.Close() })
	c := &benchClient{nc, bufio.NewReaderSize(nc, 1<<18)}
	c.Write([]byte(wire.ProtocolHeader))
	c.frame()
	c.send(0, &wire.ConnectionStartOk{Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"})
	c.frame()
	c.send(0, &wire.ConnectionTuneOk{ChannelMax: 10, FrameMax: 131072})
	c.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
	c.frame()
	c.call(&wire.ChannelOpen{})
	return c
}

func (c *benchClient) send(channel uint16, m wire.Method) {
	c.Write(wire.AppendMethod(nil, channel, m))
}

// call sends a method and reads the answer.
func (c *benchClient) call(m wire.Method) {
	c.send(1, m)
	c.frame()
}

// frame reads past a frame.
func (c *benchClient) frame() wire.FrameType {
	head, err := c.in.Peek(7)
	if err != nil {
		return 0
	}
	kind := wire.FrameType(head[0])
	c.in.Discard(8 + int(uint32(head[3])<<24|uint32(head[4])<<16|uint32(head[5])<<8|uint32(head[6])))
	return kind
}

func publishFrames(n, size int, key string, p *wire.Properties) (out []byte) {
	m := wire.BasicPublish{RoutingKey: []byte(key)}
	var raw wire.RawProperties
	if p != nil {
		raw = p.Append(nil)
	}
	for range n {
		out = wire.AppendPublish(out, 1, &m, raw, make([]byte, size), 131072)
	}
	return out
}

func benchmarkListenerPublish(b *testing.B, size int) {
	srv := benchServer(b)
	c := benchDial(b, srv)
	const batch = 100
	several := publishFrames(batch, size, "q", nil)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%batch == 0 {
			c.Write(several)
		}
		if n%100_000 == 0 {
			c.call(&wire.QueuePurge{Queue: "q"})
		}
	}
	c.call(&wire.QueuePurge{Queue: "q"})
}

func BenchmarkListenerPublish16(b *testing.B)   { benchmarkListenerPublish(b, 16) }
func BenchmarkListenerPublish1024(b *testing.B) { benchmarkListenerPublish(b, 1024) }

func benchmarkListenerConsume(b *testing.B, noAck bool) {
	srv := benchServer(b)
	c, p := benchDial(b, srv), benchDial(b, srv)
	const batch = 1000
	several := publishFrames(batch, 16, "q", nil)
	c.call(&wire.BasicConsume{Queue: []byte("q"), NoAck: noAck})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n%batch == 0 {
			p.Write(several)
		}
		n++
		for c.frame() != wire.FrameBody {
		}
		if !noAck && n%500 == 0 {
			c.send(1, &wire.BasicAck{Multiple: true})
		}
	}
}

func BenchmarkListenerEndToEnd(b *testing.B)     { benchmarkListenerConsume(b, true) }
func BenchmarkListenerEndToEndAcks(b *testing.B) { benchmarkListenerConsume(b, false) }

// BenchmarkListenerReplyTo is a call by direct reply-to, request and reply.
func BenchmarkListenerReplyTo(b *testing.B) {
	srv := benchServer(b)
	c, server := benchDial(b, srv), benchDial(b, srv)
	c.call(&wire.BasicConsume{Queue: []byte(warren.DirectReplyTo), NoAck: true})
	server.call(&wire.BasicConsume{Queue: []byte("q"), NoAck: true})
	request := publishFrames(1, 16, "q", &wire.Properties{ReplyTo: warren.DirectReplyTo, CorrelationId: "1"})
	c.Write(request)
	to := benchReplyAddress(b, server)
	reply := publishFrames(1, 16, to, &wire.Properties{CorrelationId: "1"})
	go func() {
		server.Write(reply)
		for server.frame() != 0 {
			server.frame()
			server.frame()
			server.Write(reply)
		}
	}()
	for range 3 {
		c.frame()
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Write(request)
		for c.frame() != wire.FrameBody {
		}
	}
}

// benchReplyAddress reads a request and gives the address in it.
func benchReplyAddress(b *testing.B, c *benchClient) string {
	r := wire.NewFrameReader(c.in, make([]byte, 4096))
	for {
		f, err := r.Next()
		require.NoError(b, err)
		if f.Type == wire.FrameHeader {
			h, err := wire.ParseContentHeader(f.Payload)
			require.NoError(b, err)
			to, _ := h.Properties.Get(wire.ReplyTo)
			return string(to)
		}
	}
}
