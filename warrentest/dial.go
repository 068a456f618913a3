package warrentest

import (
	"net"
	"sync"
	"syscall"

	"github.com/warrenmq/warren/internal/memconn"
)

// Dial connects a client without a socket. Its arguments are not used: they make it fit
// amqp091.Config.Dial. It fails if a fault refuses the client.
func (b *Broker) Dial(network, addr string) (net.Conn, error) {
	leave, ok := b.enter()
	if ok {
		defer leave()
	}
	if !ok || !b.admit() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	client, mine := memconn.Pipe(0)
	b.connect(mine)
	return client, nil
}

// admit lets a fault meet a client that dials. It reports false if the client is refused.
func (b *Broker) admit() bool {
	e := Event{Method: Connect, From: Client}
	f := b.faults.take(before, &e)
	if f == nil {
		return true
	}
	e.Fault = f.String()
	b.log.add(&e)
	t := &tap{broker: b, done: make(chan struct{}), isCut: true}
	s := &strike{tap: t, fault: f, op: &op{Event: e}, forward: true, detached: true}
	s.run(0)
	return s.forward
}

// port is a listener on a port of 127.0.0.1, which URL opens.
type port struct {
	mu       sync.Mutex
	listener net.Listener // guarded by mu; nil: there is none
}

// URL returns the amqp URL of the broker, for the user guest. The first call opens a port
// of 127.0.0.1. It must not be called in a bubble of [testing/synctest], because waiting
// for a socket stops the time there: use Dial.
func (b *Broker) URL() string {
	b.t.Helper()
	b.port.mu.Lock()
	defer b.port.mu.Unlock()
	if b.port.listener == nil {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		b.check(err, "listen")
		b.port.listener = l
		b.taps.running.Go(func() { b.accept(l) })
	}
	return "amqp://guest:guest@" + b.port.listener.Addr().String() + "/"
}

// accept accepts clients until the listener is closed.
func (b *Broker) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		leave, ok := b.enter()
		if !ok || !b.admit() {
			c.Close()
		} else {
			b.connect(c)
		}
		if ok {
			leave()
		}
	}
}

// close ends the listener.
func (p *port) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
	}
}
