package remote

import (
	"net"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	mostGathered = 256 << 10   // bytes that wait to be written before who writes has to wait
	aloneFor     = 8           // times in a row that a write was alone before it is not gathered
	lastWrite    = time.Second // how long what is left may take to be written when the connection is closed
)

// gatherer is a network connection whose Write does not wait for the network. amqp091-go
// writes each message, and each ack, by itself, which costs more than all the rest of a
// call: so a goroutine writes, and what was written meanwhile goes out at once. Who writes
// alone does not wait for a goroutine, and writes what the network takes at once himself.
//
// It is closed when nothing comes from it any more, so that who writes to a peer that is
// gone does not wait for ever. It counts what is written, to tell what cannot have been
// sent.
type gatherer struct {
	net.Conn
	try  func([]byte) (int, error) // writes what the network takes at once; nil: it cannot
	done chan struct{}             // closed when nothing is written any more

	mu   sync.Mutex
	work sync.Cond // something waits, or nobody writes any more, or err is set
	room sync.Cond // less waits, or err is set
	// Guarded by mu.
	waits   []byte
	parts   int    // writes of which waits consists
	alone   int    // times in a row that one write was all that went out
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
		g.room.Wait()
	}
	if g.err != nil {
		return 0, g.err
	}
	g.given += uint64(len(b))
	switch {
	case g.writing || len(g.waits) > 0:
		g.alone = 0
	case g.try != nil && g.alone >= aloneFor:
		n, err := g.write(b, g.try)
		if err != nil {
			return n, err
		}
		if b = b[n:]; len(b) == 0 && len(g.waits) == 0 {
			return n, nil
		}
		g.waits = slices.Concat(b, g.waits)
		g.work.Signal()
		return n + len(b), nil
	}
	g.waits = append(g.waits, b...)
	g.parts++
	g.work.Signal()
	return len(b), nil
}

// write lets f write, without the lock.
func (g *gatherer) write(b []byte, f func([]byte) (int, error)) (int, error) {
	g.writing = true
	g.mu.Unlock()
	n, err := f(b)
	g.mu.Lock()
	g.writing = false
	g.taken += uint64(n)
	if err != nil {
		g.over = true
		g.fail(err)
	}
	return n, err
}

// run writes what waits, until a write fails or all is written after Close.
func (g *gatherer) run() {
	defer close(g.done)
	g.mu.Lock()
	defer g.mu.Unlock()
	defer func() { g.over = true }()
	var out []byte
	for {
		for g.writing || len(g.waits) == 0 && g.err == nil {
			g.work.Wait()
		}
		g.mu.Unlock()
		runtime.Gosched() // who is about to write does so first
		g.mu.Lock()
		if g.over || len(g.waits) == 0 {
			return
		}
		out, g.waits = g.waits, out[:0]
		if g.alone++; g.parts > 1 {
			g.alone = 0
		}
		g.parts = 0
		g.room.Broadcast()
		if _, err := g.write(out, g.Conn.Write); err != nil {
			return
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
