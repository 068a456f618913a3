package amqp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// conn is a client's connection. One goroutine reads and does what the client
// asks for, another writes; a timer watches the silence of both sides.
type conn struct {
	server *Server
	net    net.Conn
	out    output
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc

	heard  atomic.Uint64 // reads that brought something, for the heartbeat
	busy   atomic.Bool   // the reader waits for memory, and cannot hear
	ending atomic.Bool   // the session is closed by the connection itself

	// Owned by the reader.
	frames       *wire.FrameReader
	decoder      wire.Decoder
	frameMax     uint32
	channelMax   uint16
	heartbeat    time.Duration
	capabilities wire.Table // of the client
	login        Login      // of who is logged in
	session      *warren.Session
	recent       *channel   // that the frame before was on
	unflushed    []*channel // with confirms to send
	blocks       func()     // block, made once
	closing      bool       // connection.close is sent: only its answer counts
	lingers      bool       // the last words were not asked for: see linger
	leaving      bool       // the client has closed in good order

	asked atomic.Bool // there are requests

	mu       sync.Mutex
	requests []func() // for the reader, guarded by mu
	// Guarded by mu; written by the reader alone, which reads without it.
	channels map[uint16]*channel
}

const (
	// closeTimeout is how long a client may take to answer connection.close.
	closeTimeout = 10 * time.Second
	// lingerTimeout is how long a client may take to read last words that it
	// need not answer.
	lingerTimeout = 3 * time.Second
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, net: nc, channels: make(map[uint16]*channel)}
	c.blocks = c.block
	c.out.init(nc, s.options.Buffer)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// errOver ends the reader without a word: all has been said.
var errOver = errors.New("amqp: connection over")

// serve runs the connection to its end.
func (c *conn) serve() {
	var writer sync.WaitGroup
	writer.Go(func() {
		c.out.run(c.relieved)
		c.cancel() // nobody will hear of what a publish waits for
	})
	err := c.handshake()
	if err == nil {
		stop := c.watch()
		err = c.read()
		stop()
	}
	c.cancel()
	c.endChannels()
	c.out.finish()
	deadline := time.AfterFunc(closeTimeout, c.cut)
	writer.Wait()
	deadline.Stop()
	if c.lingers || c.leaving {
		c.linger()
	}
	c.cut()
	c.log(err)
}

func (c *conn) log(err error) {
	if err == nil || errors.Is(err, errOver) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrDeadlineExceeded) { // asked to go during the handshake
		return
	}
	c.server.log(slog.LevelWarn, "connection lost", "peer", c.net.RemoteAddr().String(), "error", err.Error())
}

// linger waits until the client has read the last words: TCP drops what was
// sent when a connection is closed with octets that nobody has read. A client
// that leaves in good order hangs up itself; some take it badly if the server
// is faster.
func (c *conn) linger() {
	if c.leaving {
		c.net.SetReadDeadline(time.Now().Add(lingerTimeout))
		io.Copy(io.Discard, c.net)
		return
	}
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.net.SetReadDeadline(time.Now().Add(lingerTimeout))
	io.Copy(io.Discard, c.net)
}

// read does what the frames say until the connection is over.
func (c *conn) read() error {
	for {
		if !c.frames.Ready() {
			c.flush()
		}
		if c.out.full.Load() {
			c.out.waitForRoom(&c.heard)
		}
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
			if errors.As(err, &bad) && !c.closing {
				c.close(wire.ConnectionClose{ReplyCode: wire.CodeFrameError, ReplyText: "FRAME_ERROR - " + bad.Text()})
				c.lingers = true
				return errOver // what follows cannot be read
			}
			return err
		}
		if err := c.frame(f); err != nil {
			return err
		}
	}
}

// frame does what one frame says.
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

// strangerFrame is one on a channel that is not open.
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

func (c *conn) openChannel(number uint16) {
	if len(c.channels) >= int(c.channelMax) { // how many there are counts, not the number
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

func (c *conn) close(m wire.ConnectionClose) {
	c.closing = true
	c.server.log(slog.LevelWarn, "connection closed by the server", "peer", c.net.RemoteAddr().String(), "code", int(m.ReplyCode), "text", m.ReplyText)
	m.ReplyText = short(m.ReplyText)
	c.flush()
	c.endChannels()
	c.send(0, &m)
	time.AfterFunc(closeTimeout, c.cut)
}

// endChannels gives back what the channels hold, so that others can have it
// while the client takes its time to go.
func (c *conn) endChannels() {
	c.ending.Store(true)
	if c.session != nil {
		c.session.Close()
	}
}

// sessionEnded is called when the broker has closed the session.
func (c *conn) sessionEnded(reason string) {
	if !c.ending.Load() {
		c.ask(reason)
	}
}

// ask has the reader close the connection in good order. It may be called from
// any goroutine.
func (c *conn) ask(reason string) {
	c.cancel() // a publish waits no longer
	c.do(func() {
		if !c.closing {
			c.close(wire.ConnectionClose{ReplyCode: wire.CodeConnectionForced, ReplyText: "CONNECTION_FORCED - " + reason})
		}
	})
	time.AfterFunc(closeTimeout, c.cut) // the reader may wait for the client to read
}

// do has the reader call f when it is done with what it is about. It may be
// called from any goroutine.
func (c *conn) do(f func()) {
	c.mu.Lock()
	c.requests = append(c.requests, f)
	c.mu.Unlock()
	c.asked.Store(true)
	c.net.SetReadDeadline(time.Unix(1, 0)) // wake the reader
}

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

// cut ends the connection at once. It may be called from any goroutine.
func (c *conn) cut() {
	c.cancel() // a publish may wait for memory
	c.out.close()
	c.net.Close()
}

// relieved lets the channels have deliveries again.
func (c *conn) relieved() {
	c.mu.Lock()
	channels := make([]*channel, 0, len(c.channels))
	for _, ch := range c.channels {
		channels = append(channels, ch)
	}
	c.mu.Unlock()
	for _, ch := range channels {
		ch.link.Stall(false)
	}
}

// flush sends the confirms that have come together.
func (c *conn) flush() {
	for _, ch := range c.unflushed {
		ch.flushConfirms()
	}
	clear(c.unflushed)
	c.unflushed = c.unflushed[:0]
}

// listening is the connection's network side for the frame reader: all that
// comes shows that the client is alive, a part of a frame too.
type listening struct{ c *conn }

func (l listening) Read(b []byte) (int, error) {
	n, err := l.c.net.Read(b)
	if n > 0 {
		l.c.heard.Add(1)
	}
	return n, err
}
