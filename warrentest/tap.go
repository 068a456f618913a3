package warrentest

import (
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/memconn"
	"github.com/warrenmq/warren/internal/wire"
)

// tap stands between a client and the listener. Two goroutines read frames, one of each
// side. Each method, with its content, becomes an op, which is noted, meets the faults that
// mean it, and is written to the other side:
//
//	read -> lane -> tap.handle -> strike -> tap.pass -> write
//
// A lane keeps the order of one channel in one direction.
type tap struct {
	broker   *Broker
	toClient *end
	toServer *end
	rate     atomic.Int64 // bytes per second; zero: no limit
	done     chan struct{}

	mu sync.Mutex
	// Guarded by mu.
	name, user, vhost string
	hearsBlocked      bool // the client knows connection.blocked
	frameMax          uint32
	channels          map[uint16]*channel
	lanes             map[laneID]*lane
	stalls, blocks    int
	resumed           chan struct{} // closed when there is no stall any more; nil: there is none
	unblocked         chan struct{} // likewise, of blocks
	closing           bool          // the tap has sent connection.close
	limit             *time.Timer   // for the client's answer to it
	isCut             bool
}

// end is a side of the connection, as the tap writes to it.
type end struct {
	tap  *tap
	conn net.Conn
	mu   sync.Mutex // held during writes
}

// to returns the end that gets what a side sends.
func (t *tap) to(from Side) *end {
	if from == Client {
		return t.toServer
	}
	return t.toClient
}

// connect puts a tap between a client and the listener.
func (b *Broker) connect(client net.Conn) *tap {
	mine, server := memconn.Pipe(0)
	t := &tap{
		broker: b, done: make(chan struct{}), frameMax: wire.FrameMinMax,
		channels: make(map[uint16]*channel), lanes: make(map[laneID]*lane),
	}
	t.toClient, t.toServer = &end{tap: t, conn: client}, &end{tap: t, conn: mine}
	b.taps.add(t)
	return t.serve(server)
}

// serve starts the tap and the listener's side.
func (t *tap) serve(server net.Conn) *tap {
	t.broker.taps.running.Go(func() { t.read(Client) })
	t.broker.taps.running.Go(func() { t.read(Server) })
	go t.broker.Server.ServeConn(peer{server, t.toClient.conn})
	return t
}

// peer is the listener's end, which shows the client's address.
type peer struct {
	net.Conn
	client net.Conn
}

// RemoteAddr implements net.Conn.
func (p peer) RemoteAddr() net.Addr { return p.client.RemoteAddr() }

// LocalAddr implements net.Conn.
func (p peer) LocalAddr() net.Addr { return p.client.LocalAddr() }

// cut ends the connection without a word. It may be called from any goroutine, many
// times.
func (t *tap) cut() {
	t.mu.Lock()
	if t.isCut {
		t.mu.Unlock()
		return
	}
	t.isCut = true
	if t.limit != nil {
		t.limit.Stop()
	}
	close(t.done)
	t.mu.Unlock()
	t.toClient.conn.Close()
	t.toServer.conn.Close()
	t.broker.taps.remove(t)
}

// sleep waits for d, or until the connection ends.
func (t *tap) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.done:
	}
}

// stall stops the connection. It returns what lets it go on.
func (t *tap) stall() (undo func()) {
	return t.suspend(&t.stalls, &t.resumed, func() {}, func() {})
}

// block lets publishes wait. It returns what lets them go on.
func (t *tap) block(reason string) (undo func()) {
	return t.suspend(&t.blocks, &t.unblocked,
		func() { t.tellBlocked(&wire.ConnectionBlocked{Reason: reason}) },
		func() { t.tellBlocked(&wire.ConnectionUnblocked{}) })
}

// suspend counts a reason to wait in n, while which over is open. It calls first for the
// first one, and last when there is none any more.
func (t *tap) suspend(n *int, over *chan struct{}, first, last func()) (undo func()) {
	t.mu.Lock()
	*n++
	begins := *n == 1
	if begins {
		*over = make(chan struct{})
	}
	t.mu.Unlock()
	if begins {
		first()
	}
	return sync.OnceFunc(func() {
		t.mu.Lock()
		*n--
		ends := *n == 0
		if ends {
			close(*over)
			*over = nil
		}
		t.mu.Unlock()
		if ends {
			last()
		}
	})
}

// tellBlocked sends connection.blocked or unblocked to a client that can hear it.
func (t *tap) tellBlocked(m wire.Method) {
	t.mu.Lock()
	hears := t.hearsBlocked && !t.closing
	t.mu.Unlock()
	if hears {
		t.toClient.method(0, m)
	}
}

// await waits until over, one of the tap's fields, is closed or the connection ends.
func (t *tap) await(over *chan struct{}) {
	t.mu.Lock()
	c := *over
	t.mu.Unlock()
	if c != nil {
		select {
		case <-c:
		case <-t.done:
		}
	}
}

// event returns an event with what is known of the connection.
func (t *tap) event(from Side, channel uint16) Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Event{At: time.Now(), From: from, Connection: t.name, Channel: channel, User: t.user, VirtualHost: t.vhost}
}

// openChannels returns the numbers of the channels that are open.
func (t *tap) openChannels() (list []uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, c := range t.channels {
		if c.open && !c.closing {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// codeSuccess is the reply code of a close without an error.
const codeSuccess = 200

// closeTimeout is how long a client may take to answer connection.close, as with the
// listener.
const closeTimeout = 10 * time.Second

// closeConnection closes the connection on both sides.
func (t *tap) closeConnection(code uint16, text string, cause wire.MethodID) {
	t.mu.Lock()
	closing := t.closing
	if !closing && !t.isCut {
		t.closing = true
		t.limit = time.AfterFunc(closeTimeout, t.cut)
	}
	t.mu.Unlock()
	if closing {
		return
	}
	t.toClient.method(0, &wire.ConnectionClose{ReplyCode: code, ReplyText: text, Cause: cause})
	t.toServer.method(0, &wire.ConnectionClose{ReplyCode: codeSuccess, ReplyText: "closed by the test"})
}

// isClosing reports whether the tap has closed the connection.
func (t *tap) isClosing() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closing
}

// answerClosing handles what the client says after the tap's connection.close.
func (t *tap) answerClosing(o *op) {
	switch o.id {
	case wire.ConnectionCloseOkID:
		t.cut()
	case wire.ConnectionCloseID:
		t.toClient.method(0, &wire.ConnectionCloseOk{})
	}
}

// method writes a method.
func (e *end) method(channel uint16, m wire.Method) {
	e.write(wire.AppendMethod(nil, channel, m))
}

// write writes whole frames.
func (e *end) write(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tap.await(&e.tap.resumed)
	for len(b) > 0 {
		n := len(b)
		rate := e.tap.rate.Load()
		if rate > 0 {
			n = int(min(int64(n), max(1, rate/piecesPerSecond)))
		}
		if _, err := e.conn.Write(b[:n]); err != nil {
			e.tap.cut()
			return
		}
		b = b[n:]
		if rate > 0 {
			e.tap.sleep(time.Duration(n) * time.Second / time.Duration(rate))
		}
	}
}

// piecesPerSecond is how many pieces Slow makes of what it passes on in a second.
const piecesPerSecond = 100

// writePart writes the first n bytes of some frames.
func (e *end) writePart(frames [][]byte, n int) {
	for _, f := range frames {
		part := f[:min(n, len(f))]
		e.write(part)
		n -= len(part)
	}
}

// taps are the connections of a broker.
type taps struct {
	running sync.WaitGroup // goroutines

	mu     sync.Mutex
	open   []*tap // guarded by mu
	number int    // guarded by mu; of connections that there have been
}

// add adds a connection that others may cut from now on, and gives it a name until it
// has one.
func (s *taps) add(t *tap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	t.name = "#" + strconv.Itoa(s.number)
	s.open = append(s.open, t)
}

func (s *taps) remove(t *tap) {
	s.mu.Lock()
	s.open = slices.DeleteFunc(s.open, func(o *tap) bool { return o == t })
	s.mu.Unlock()
}

func (s *taps) list() []*tap {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.open)
}
