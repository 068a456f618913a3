package remote

import (
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	mostGathered = 256 << 10   // bytes that wait to be written before who writes has to wait
	aloneFor     = 4           // times in a row that one was the only one before he does not wait for others
	lastWrite    = time.Second // how long what is left may take to be written when the connection is closed
)

// gatherer is a network connection whose Write does not wait for the network. amqp091-go
// writes each message, and each ack, by itself, which costs more than all the rest of a
// call. So what several write goes out at once:
//
//   - Who calls hold before he writes, and release after it, lets others write first who are
//     about to. Then he writes what all have written.
//   - Where several have not met of late, each writes at once.
//   - A goroutine writes what the network does not take at once, and what nobody releases.
//
// It is closed when nothing comes from it any more, so that who writes to a peer that is
// gone does not wait for ever. It counts what is written, to tell what cannot have been
// sent.
type gatherer struct {
	net.Conn
	try  func([]byte) (int, error) // writes what the network takes at once; nil: it cannot
	done chan struct{}             // closed when nothing is written any more
	held atomic.Int32              // how many are about to call release

	mu   sync.Mutex
	work sync.Cond // the goroutine has something to do, or err is set
	room sync.Cond // less waits, or err is set
	// Guarded by mu.
	waits   []byte
	led     bool   // somebody is about to write what waits
	alone   int    // times in a row that he was the only one, since several have met
	writing bool   // somebody writes
	given   uint64 // octets that were to be written
	taken   uint64 // octets of them that the connection has taken
	over    bool   // it takes no more
	err     error  // of every Write from now on
}

func newGatherer(c net.Conn) *gatherer {
	g := &gatherer{Conn: c, try: tryWrite(c), done: make(chan struct{})}
	g.work.L, g.room.L = &g.mu, &g.mu
	go g.run()
	return g
}

// Write implements net.Conn. It fails if an earlier write has failed.
func (g *gatherer) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.waits) >= mostGathered && g.err == nil {
		g.work.Signal()
		g.room.Wait()
	}
	if g.err != nil {
		return 0, g.err
	}
	g.given += uint64(len(b))
	if g.try != nil && g.alone >= aloneFor && !g.writing && len(g.waits) == 0 {
		n, err := g.writeAtOnce(b)
		if err != nil {
			return n, err
		}
		return len(b), nil
	}
	g.waits = append(g.waits, b...)
	if g.held.Load() == 0 {
		g.work.Signal()
	}
	return len(b), nil
}

// writeAtOnce writes what the network takes at once, and leaves the rest.
func (g *gatherer) writeAtOnce(b []byte) (int, error) {
	n, err := g.write(b, g.try)
	if err == nil && (n < len(b) || len(g.waits) > 0) {
		g.waits = slices.Concat(b[n:], g.waits)
		g.work.Signal()
	}
	return n, err
}

// hold lets what is written wait until release is called, if several write.
func (g *gatherer) hold() {
	if g.held.Add(1) > 1 {
		g.meet()
	}
}

// meet says that several write at the same time.
func (g *gatherer) meet() {
	g.mu.Lock()
	g.alone = 0
	g.mu.Unlock()
}

// release writes what waits, unless somebody else is about to.
func (g *gatherer) release() {
	g.held.Add(-1)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.led || len(g.waits) == 0:
		return
	case g.try == nil || g.writing || g.err != nil:
		g.work.Signal()
		return
	}
	g.led = true
	n := len(g.waits)
	g.yield()
	if g.alone++; len(g.waits) > n {
		g.alone = 0
	}
	g.led = false
	if g.writing || g.err != nil || len(g.waits) == 0 {
		g.work.Signal()
		return
	}
	b := g.waits
	g.waits = nil
	if g.writeAtOnce(b); g.waits == nil {
		g.waits = b[:0]
	}
}

// isBusy reports whether several have met of late.
func (g *gatherer) isBusy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.alone < aloneFor
}

// yield lets those go first who are about to write.
func (g *gatherer) yield() {
	g.mu.Unlock()
	runtime.Gosched()
	g.mu.Lock()
}

// write lets f write, without the lock.
func (g *gatherer) write(b []byte, f func([]byte) (int, error)) (int, error) {
	g.writing = true
	g.room.Broadcast()
	g.mu.Unlock()
	n, err := f(b)
	g.mu.Lock()
	g.writing = false
	g.taken += uint64(n)
	if err != nil {
		g.over = true
		g.fail(err)
	}
	if g.err != nil || len(g.waits) > 0 {
		g.work.Signal() // it has not gone on while somebody wrote
	}
	return n, err
}

// run writes what waits, until a write fails or all is written after Close.
func (g *gatherer) run() {
	defer close(g.done)
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []byte
	for !g.over {
		switch {
		case g.writing || len(g.waits) == 0 && g.err == nil:
			g.work.Wait()
			continue
		case len(g.waits) == 0:
			g.over = true
			return
		}
		g.yield()
		if !g.writing && len(g.waits) > 0 {
			out, g.waits = g.waits, out[:0]
			g.write(out, g.Conn.Write)
		}
	}
}

// accepted returns how many octets were to be written so far.
func (g *gatherer) accepted() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.given
}

// hasNone reports whether it is certain that nothing was sent of what was to be written
// when there were so many octets before it.
func (g *gatherer) hasNone(before uint64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.over && g.taken <= before
}

// failed reports whether nothing is written any more.
func (g *gatherer) failed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err != nil
}

// Read implements net.Conn.
func (g *gatherer) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if err != nil {
		g.Conn.Close()
	}
	return n, err
}

// end lets nobody write any more.
func (g *gatherer) end(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail(err)
}

// fail is end with the lock held.
func (g *gatherer) fail(err error) {
	if g.err == nil {
		g.err = err
	}
	g.work.Broadcast()
	g.room.Broadcast()
}

// Close implements net.Conn. What waits is written if that takes no longer than lastWrite.
func (g *gatherer) Close() error {
	g.end(net.ErrClosed)
	g.Conn.SetWriteDeadline(time.Now().Add(lastWrite))
	<-g.done
	return g.Conn.Close()
}
