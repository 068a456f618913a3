package remote

import (
	"net"
	"runtime"
	"sync"
	"time"
)

const (
	mostGathered = 256 << 10   // bytes that wait to be written before who writes has to wait
	lastWrite    = time.Second // how long what is left may take to be written when the connection is closed
)

// gatherer is a network connection whose Write does not wait for the network: what is
// written meanwhile goes out at once. amqp091-go writes each message, and each ack, by
// itself, which costs more than all the rest of a call.
//
// It is closed when nothing comes from it any more, so that who writes to a peer that is
// gone does not wait for ever. It counts what is written, to tell what cannot have been
// sent.
type gatherer struct {
	net.Conn
	done chan struct{} // closed when nothing is written any more

	mu   sync.Mutex
	work sync.Cond // something waits, or err is set
	room sync.Cond // less waits, or err is set
	// Guarded by mu.
	waits []byte
	given uint64 // octets that were to be written
	taken uint64 // octets of them that the connection has taken
	over  bool   // it takes no more
	err   error  // of every Write from now on
}

func newGatherer(c net.Conn) *gatherer {
	g := &gatherer{Conn: c, done: make(chan struct{})}
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
	g.waits = append(g.waits, b...)
	g.given += uint64(len(b))
	g.work.Signal()
	return len(b), nil
}

// run writes what waits, until a write fails or all is written after Close.
func (g *gatherer) run() {
	defer close(g.done)
	defer func() {
		g.mu.Lock()
		g.over = true
		g.mu.Unlock()
	}()
	var out []byte
	for {
		g.mu.Lock()
		for len(g.waits) == 0 && g.err == nil {
			g.work.Wait()
		}
		g.mu.Unlock()
		runtime.Gosched() // who is about to write does so first
		g.mu.Lock()
		out, g.waits = g.waits, out[:0]
		g.mu.Unlock()
		g.room.Broadcast()
		if len(out) == 0 {
			return
		}
		n, err := g.Conn.Write(out)
		g.mu.Lock()
		g.taken += uint64(n)
		g.over = err != nil
		g.mu.Unlock()
		if err != nil {
			g.end(err)
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
	if g.err == nil {
		g.err = err
	}
	g.mu.Unlock()
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
