package amqp

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/warrenmq/warren/internal/flow"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// output is the buffer of what is to be written to a client. Any goroutine appends
// whole frames. The connection's writer takes all of the buffer and writes it at once.
//
// When there are more bytes in it than its limit, room is closed: deliveries stay in
// their queues until the writer has written enough. It lets the channels that wait have
// their turns. The limit is lower while the buffers of all connections hold much.
type output struct {
	conn net.Conn
	wake chan struct{}   // has one slot: there is something to do for the writer
	room flow.Connection // for deliveries that can be held back

	most  int           // bytes; the highest limit
	all   *link.Buffers // of all connections
	wrote atomic.Uint64 // number of calls of Write, for the heartbeat
	sent  atomic.Uint64 // octets
	full  atomic.Bool   // the reader is to wait

	mu sync.Mutex
	// Guarded by mu.
	buf      []byte
	other    int       // capacity of the buffer that the writer has
	counted  int       // bytes of both that all has counted
	unlooked int       // bytes that buf may have before watch looks at the limit again
	props    []byte    // reused by encode
	sleeping bool      // the writer waits
	drained  sync.Cond // the reader waits for it
	replies  int       // octets in buf of deliveries that cannot be kept back
	last     bool      // finish was called: nothing may be appended
	closed   bool      // nothing is written any more

	// Owned by the writer.
	spare []byte // used in turn with buf
}

// bigBuffer is the capacity above which a buffer is not kept.
const bigBuffer = 1 << 20

const (
	// Above this many times the limit, the reader waits: it reads no methods that
	// would be answered.
	answersLimit = 4
	// Above this many times the limit, replies by direct reply-to end the
	// connection.
	repliesLimit = 16
)

// countStep is by how much the buffers may grow before that is counted.
const countStep = 4 << 10

func (o *output) init(c net.Conn, most int, all *link.Buffers) {
	o.conn, o.most, o.all, o.wake = c, most, all, make(chan struct{}, 1)
	o.drained.L = &o.mu
	o.room.Wake = func() {
		o.mu.Lock()
		o.unlock()
	}
}

// append adds the frames that f appends. After finish or close it does nothing.
func (o *output) append(f func(b []byte) []byte) {
	o.mu.Lock()
	if !o.closed && !o.last {
		o.buf = f(o.buf)
		o.watch()
	}
	o.unlock()
}

// appendHeartbeat appends a heartbeat, unless something waits to be written anyway.
func (o *output) appendHeartbeat() {
	o.mu.Lock()
	if len(o.buf) == 0 && !o.closed && !o.last {
		o.buf = wire.AppendHeartbeat(o.buf)
	}
	o.unlock()
}

// watch keeps deliveries back if there is too much in the buffer, and makes the reader
// wait if there is far too much. It is called with mu held, after something has been
// appended.
func (o *output) watch() {
	if cap(o.buf)+o.other-o.counted >= countStep || len(o.buf) > o.unlooked {
		o.look()
	}
}

// look is watch for a buffer that has grown by some deliveries.
func (o *output) look() {
	if grown := cap(o.buf) + o.other - o.counted; grown >= countStep {
		o.counted += grown
		o.all.Add(int64(grown))
	}
	limit := o.limit()
	o.unlooked = min(len(o.buf)+countStep, limit)
	if len(o.buf) > limit {
		o.room.Close()
		if len(o.buf) > answersLimit*limit {
			o.full.Store(true)
		}
	}
}

// limit returns how many bytes may be in the buffer. Above it, deliveries that can be
// held back are.
func (o *output) limit() int { return o.all.Limit(o.most) }

// waitForRoom makes the reader wait until the client has read enough. A client that
// reads is alive, although the reader reads nothing meanwhile, so it counts in heard.
func (o *output) waitForRoom(heard *atomic.Uint64) {
	o.mu.Lock()
	for len(o.buf) > answersLimit*o.limit() && !o.closed {
		o.drained.Wait()
		heard.Add(1)
	}
	o.full.Store(false)
	o.mu.Unlock()
}

// unlock releases mu and wakes the writer if there is something for it to do.
func (o *output) unlock() {
	wake := o.sleeping && o.isDue()
	if wake {
		o.sleeping = false
	}
	o.mu.Unlock()
	if wake {
		o.wake <- struct{}{} // it does not block: only the writer sleeps, and there is one slot
	}
}

// isDue reports whether there is something for the writer to do. It is called with mu
// held.
func (o *output) isDue() bool { return len(o.buf) > 0 || o.closed || o.last || o.room.Awaited() }

// finish ends the writer after it has written what is in the buffer.
func (o *output) finish() {
	o.mu.Lock()
	o.last = true
	o.unlock()
}

// close ends the writer at once.
func (o *output) close() {
	o.mu.Lock()
	o.closed = true
	o.drained.Signal()
	o.unlock()
}

// run writes until the connection is over. Between two writes it lets the channels that
// wait for room have their turns.
func (o *output) run() {
	for {
		o.room.Serve()
		batch, ok := o.take()
		if !ok {
			o.free()
			return
		}
		if len(batch) == 0 {
			continue // channels have begun to wait
		}
		n, err := o.conn.Write(batch)
		o.wrote.Add(1)
		o.sent.Add(uint64(max(0, n)))
		o.keep(batch)
		if err != nil {
			o.close()
		}
		o.reopen()
	}
}

// take waits until there is something to do, and takes what is in the buffer. Ok is
// false if there will be nothing more.
func (o *output) take() (batch []byte, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.isDue() {
		o.sleeping = true
		o.mu.Unlock()
		<-o.wake
		o.mu.Lock()
	}
	if o.closed || len(o.buf) == 0 && o.last {
		o.closed = true
		return nil, false
	}
	if len(o.buf) == 0 {
		return nil, true
	}
	batch = o.buf
	o.buf = o.spare[:0]
	o.spare, o.other, o.unlooked = nil, cap(batch), 0
	o.replies = 0
	o.drained.Signal()
	return batch, true
}

// keep keeps the writer's buffer for later, unless it is big.
func (o *output) keep(batch []byte) {
	if cap(batch) <= min(bigBuffer, 4*o.limit()) {
		o.spare = batch
		return
	}
	o.mu.Lock()
	o.other = 0
	freed := o.counted - cap(o.buf)
	o.counted -= freed
	o.mu.Unlock()
	o.all.Add(-int64(freed))
}

// free gives all back at the end.
func (o *output) free() {
	o.mu.Lock()
	freed := o.counted
	o.buf, o.other, o.counted = nil, 0, 0
	o.mu.Unlock()
	o.spare = nil
	o.all.Add(-int64(freed))
}

// reopen lets deliveries go on if there is room.
func (o *output) reopen() {
	if !o.room.IsClosed() {
		return
	}
	o.mu.Lock()
	if len(o.buf) <= o.limit() {
		o.room.Open()
	}
	o.mu.Unlock()
}
