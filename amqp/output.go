package amqp

import (
	"net"
	"sync"
	"sync/atomic"
)

// output is what waits to be written to a client. Everybody appends whole
// frames; the connection's writer takes all that has come and writes it at
// once.
type output struct {
	conn net.Conn
	wake chan struct{} // one slot: there is something to write

	limit int           // of buf: deliveries that can wait do so above it
	wrote atomic.Uint64 // calls of Write, for the heartbeat
	full  atomic.Bool   // the reader is to wait for room

	mu sync.Mutex
	// Guarded by mu.
	buf      []byte
	props    []byte // room to encode properties
	sleeping bool   // the writer waits
	stalled  bool   // some channel keeps deliveries back
	room     sync.Cond
	replies  int  // octets in buf of deliveries that cannot be kept back
	last     bool // nothing may follow: connection.close-ok is in buf
	closed   bool // nothing is written any more

	// Owned by the writer.
	spare []byte
}

// bigBuffer is the capacity above which a buffer is not kept.
const bigBuffer = 1 << 20

const (
	// Above so many times its limit, buf has room for nothing that the reader
	// would make.
	answersLimit = 4
	// Above so many times the limit, replies end the connection.
	repliesLimit = 16
)

func (o *output) init(c net.Conn, limit int) {
	o.conn, o.limit, o.wake = c, limit, make(chan struct{}, 1)
	o.room.L = &o.mu
}

// append adds frames. It does nothing once the connection is over.
func (o *output) append(f func(b []byte) []byte) {
	o.mu.Lock()
	if !o.closed && !o.last {
		o.buf = f(o.buf)
		o.watch()
	}
	o.unlock()
}

// watch has the reader wait if there is too much; mu is held.
func (o *output) watch() {
	if len(o.buf) > answersLimit*o.limit {
		o.full.Store(true)
	}
}

// waitForRoom keeps the reader from asking for more than the client reads. A
// client that reads is alive, although nobody hears it: heard counts.
func (o *output) waitForRoom(heard *atomic.Uint64) {
	o.mu.Lock()
	for len(o.buf) > answersLimit*o.limit && !o.closed {
		o.room.Wait()
		heard.Add(1)
	}
	o.full.Store(false)
	o.mu.Unlock()
}

// unlock gives up mu and wakes the writer if there is something to write.
func (o *output) unlock() {
	wake := o.sleeping && (len(o.buf) > 0 || o.closed || o.last)
	if wake {
		o.sleeping = false
	}
	o.mu.Unlock()
	if wake {
		o.wake <- struct{}{} // one sleeper, one slot
	}
}

// finish lets nothing follow what is there.
func (o *output) finish() {
	o.mu.Lock()
	o.last = true
	o.unlock()
}

// close ends the writer at once.
func (o *output) close() {
	o.mu.Lock()
	o.closed = true
	o.room.Signal()
	o.unlock()
}

// run writes until the connection is over. After each batch that had filled
// the buffer it calls relieved: there is room again.
func (o *output) run(relieved func()) {
	for {
		o.mu.Lock()
		for len(o.buf) == 0 && !o.closed {
			if o.last {
				o.closed = true
				break
			}
			o.sleeping = true
			o.mu.Unlock()
			<-o.wake
			o.mu.Lock()
		}
		if o.closed {
			o.mu.Unlock()
			return
		}
		batch := o.buf
		o.buf = o.spare[:0]
		wasStalled := o.stalled
		o.stalled, o.replies = false, 0
		o.room.Signal()
		o.mu.Unlock()
		_, err := o.conn.Write(batch)
		o.wrote.Add(1)
		if o.spare = batch; cap(batch) > bigBuffer {
			o.spare = nil
		}
		if err != nil {
			o.close()
		}
		if wasStalled {
			relieved()
		}
	}
}
