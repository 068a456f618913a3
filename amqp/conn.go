package amqp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// conn is a client's connection. One goroutine, the reader, reads frames and handles
// them. Another writes. A timer runs the heartbeat.
type conn struct {
	server    *Server
	net       net.Conn
	out       output
	ctx       context.Context // ends with the connection
	cancel    context.CancelFunc
	connected time.Time // when it was accepted

	heard    atomic.Uint64         // number of reads that returned octets, for the heartbeat
	received atomic.Uint64         // octets
	blocked  atomic.Pointer[block] // the reader waits for memory or the disk, and so cannot read; nil: it does not
	ending   atomic.Bool           // the connection itself closes the session
	opened   atomic.Bool           // the handshake is over: what it has set does not change any more

	// Owned by the reader.
	frames      *wire.FrameReader
	decoder     wire.Decoder
	frameMax    uint32
	channelMax  uint16
	heartbeat   time.Duration
	client      client
	login       Login // of the user that is logged in
	session     *warren.Session
	recent      *channel     // channel of the last frame; nil: none
	unflushed   []*channel   // channels with confirms to send
	waits       func(string) // the method wait, as a function value that is made once
	memory      link.Account // of messages that have begun
	unwatchPeer func()       // set while the reader waits
	closing     bool         // connection.close is sent: only connection.close and its answer count
	lingers     bool         // the client has yet to hear what was sent last: see linger
	leaving     bool         // the client has sent connection.close

	asked atomic.Bool // there are requests for the reader

	mu       sync.Mutex
	requests []func() // functions that the reader is to call, guarded by mu
	// Guarded by mu; written by the reader alone, which reads without it.
	channels map[uint16]*channel
	limit    *time.Timer // ends a connection that does not end by itself; guarded by mu
}

const (
	// closeTimeout is how long a client may take to answer connection.close.
	closeTimeout = 10 * time.Second
	// lingerTimeout is how long a client may take to hear what was sent last, after
	// which nothing more is handled.
	lingerTimeout = 3 * time.Second
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, net: nc, connected: time.Now(), channels: make(map[uint16]*channel)}
	c.waits = c.wait
	c.out.init(nc, s.options.Buffer, s.broker.Link().Buffers())
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// errOver ends the reader without a log entry, because all has been sent and logged.
var errOver = errors.New("amqp: connection over")

// serve runs the connection to its end.
func (c *conn) serve() {
	var writer sync.WaitGroup
	writer.Go(func() {
		c.out.run()
		c.cancel() // nobody can be told of a publish that waits
	})
	err := c.handshake()
	if err == nil {
		stop := c.watch()
		err = c.read()
		stop()
	}
	c.cancel()
	c.endChannels()
	if c.session != nil {
		c.memory.End()
	}
	c.out.finish()
	c.endWithin(closeTimeout)
	writer.Wait()
	if c.lingers || c.leaving {
		c.linger()
	}
	c.net.Close()
	c.cut()
	c.mu.Lock()
	c.limit.Stop()
	c.mu.Unlock()
	c.logEnd(err)
}

// linger reads and discards until the client has heard what was sent last: it answers
// with connection.close-ok, or hangs up. When a connection is closed while received
// octets are unread, TCP drops octets that were sent. Nor may the server shut down its
// own direction first: some clients look for the end of the stream before they read,
// and report a lost connection in place of the reason.
func (c *conn) linger() {
	c.net.SetReadDeadline(time.Now().Add(lingerTimeout))
	closeOk := wire.AppendMethod(nil, 0, &wire.ConnectionCloseOk{})
	var last []byte // the octets that came last
	room := make([]byte, 4<<10)
	for !bytes.HasSuffix(last, closeOk) {
		n, err := c.net.Read(room)
		if err != nil {
			return
		}
		last = append(last, room[:n]...)
		last = append(last[:0], last[max(0, len(last)-len(closeOk)):]...)
	}
}

// read handles frames until the connection is over.
func (c *conn) read() error {
	for {
		if !c.frames.Ready() {
			c.flush()
		}
		c.waitForRoom()
		f, err := c.frames.Next()
		woken := errors.Is(err, os.ErrDeadlineExceeded) // only do sets one
		if woken {
			c.net.SetReadDeadline(time.Time{})
		}
		if c.asked.Load() {
			c.doRequests()
		}
		if woken {
			continue
		}
		if err != nil {
			var bad *wire.FrameError
			if !errors.As(err, &bad) {
				return err
			}
			if !c.closing {
				c.close(wire.ConnectionClose{ReplyCode: wire.CodeFrameError, ReplyText: "FRAME_ERROR - " + bad.Text()})
			}
			c.lingers = true
			return errOver // what follows cannot be read
		}
		if err := c.frame(f); err != nil {
			return err
		}
	}
}

// waitForRoom makes the reader wait while too much is to be written. Whoever appends
// several answers to one method calls it between them.
func (c *conn) waitForRoom() {
	if c.out.full.Load() {
		c.out.waitForRoom(&c.heard)
	}
}

// frame handles one frame.
func (c *conn) frame(f wire.Frame) error {
	if f.Type == wire.FrameHeartbeat {
		if f.Channel != 0 && !c.closing {
			c.fail(unexpectedFrame("%s", f.Shown()))
		}
		return nil
	}
	if c.closing || f.Channel == 0 {
		return c.connectionFrame(f)
	}
	if c.recent == nil || c.recent.number != f.Channel {
		ch := c.channels[f.Channel]
		if ch == nil {
			return c.strangerFrame(f)
		}
		c.recent = ch
	}
	c.recent.frame(f)
	return nil
}

// strangerFrame handles a frame on a channel that is not open.
func (c *conn) strangerFrame(f wire.Frame) error {
	if f.Type != wire.FrameMethod {
		c.fail(unexpectedFrame("expected method frame, got non method frame instead"))
		return nil
	}
	m, err := c.decoder.Parse(f.Payload)
	if err != nil {
		c.fail(malformed(err))
		return nil
	}
	switch m.(type) {
	case *wire.ChannelOpen:
		c.openChannel(f.Channel)
	case *wire.ChannelCloseOk: // of a channel that the client closed at the same time
	default:
		c.fail(blame(failure(wire.CodeChannelError, "expected 'channel.open'"), m.ID()))
	}
	return nil
}

// openChannel answers channel.open.
func (c *conn) openChannel(number uint16) {
	if len(c.channels) >= int(c.channelMax) { // the number of channels counts, not the channel's number
		c.fail(failure(wire.CodeNotAllowed, "number of channels opened (%d) has reached the negotiated channel_max (%d)", len(c.channels), c.channelMax))
		return
	}
	core, err := c.session.Channel()
	if err != nil {
		c.fail(asError(err))
		return
	}
	ch := newChannel(c, number, core)
	c.mu.Lock()
	c.channels[number] = ch
	c.mu.Unlock()
	c.send(number, &wire.ChannelOpenOk{})
}

func (c *conn) removeChannel(ch *channel) {
	c.mu.Lock()
	delete(c.channels, ch.number)
	c.mu.Unlock()
	if c.recent == ch {
		c.recent = nil
	}
}

// send writes a method.
func (c *conn) send(channel uint16, m wire.Method) {
	c.out.append(func(b []byte) []byte { return wire.AppendMethod(b, channel, m) })
}

// fail closes the connection because of an error, and then waits for
// connection.close-ok.
func (c *conn) fail(e *warren.Error) {
	c.close(wire.ConnectionClose{ReplyCode: e.Code, ReplyText: short(e.Text), Cause: cause(e)})
}

// close sends connection.close, after it has closed the session.
func (c *conn) close(m wire.ConnectionClose) {
	c.closing = true
	c.log(slog.LevelWarn, "connection closed by the server", "code", int(m.ReplyCode), "text", m.ReplyText)
	m.ReplyText = short(m.ReplyText)
	c.flush()
	c.endChannels()
	c.send(0, &m)
	c.endWithin(closeTimeout)
}

// endWithin cuts the connection off after d. The first call counts. It may be called
// from any goroutine.
func (c *conn) endWithin(d time.Duration) {
	c.mu.Lock()
	if c.limit == nil {
		c.limit = time.AfterFunc(d, c.cut)
	}
	c.mu.Unlock()
}

// endChannels closes the session. Unsettled messages go back to their queues at once,
// however long the client takes to end the connection.
func (c *conn) endChannels() {
	c.ending.Store(true)
	if c.session == nil {
		return
	}
	c.session.Close()
	for _, ch := range c.channels {
		ch.release()
		ch.content = content{}
	}
}

// sessionEnded is called when the broker has closed the session.
func (c *conn) sessionEnded(reason string) {
	if !c.ending.Load() {
		c.ask(reason)
	}
}

// ask makes the reader close the connection in good order. It may be called from any
// goroutine.
func (c *conn) ask(reason string) {
	c.cancel() // a publish that waits for memory fails
	c.do(func() {
		if !c.closing {
			c.close(wire.ConnectionClose{ReplyCode: wire.CodeConnectionForced, ReplyText: "CONNECTION_FORCED - " + reason})
		}
	})
	c.endWithin(closeTimeout) // the reader may be waiting for the client to read
}

// do makes the reader call f after the frame at hand. It may be called from any
// goroutine.
func (c *conn) do(f func()) {
	c.mu.Lock()
	c.requests = append(c.requests, f)
	c.mu.Unlock()
	c.asked.Store(true)
	c.net.SetReadDeadline(time.Unix(1, 0)) // wake the reader
}

// doRequests calls the functions of do.
func (c *conn) doRequests() {
	c.asked.Store(false)
	c.mu.Lock()
	requests := c.requests
	c.requests = nil
	c.mu.Unlock()
	for _, f := range requests {
		f()
	}
}

// cut closes the connection at once. It may be called from any goroutine. TLS is not
// asked to close, because it would write, and wait for a client that does not read.
func (c *conn) cut() {
	c.cancel() // a publish may be waiting for memory
	c.out.close()
	if t, ok := c.net.(*tls.Conn); ok {
		t.NetConn().Close()
		return
	}
	c.net.Close()
}

// flush sends the confirms that have been collected.
func (c *conn) flush() {
	for _, ch := range c.unflushed {
		ch.flushConfirms()
	}
	clear(c.unflushed)
	c.unflushed = c.unflushed[:0]
}

// listening reads from the network for the frame reader and counts reads. Any octets
// show that the client is alive, even if they are a part of a frame.
type listening struct{ c *conn }

// Read implements io.Reader.
func (l listening) Read(b []byte) (int, error) {
	n, err := l.c.net.Read(b)
	if n > 0 {
		l.c.heard.Add(1)
		l.c.received.Add(uint64(n))
	}
	return n, err
}
