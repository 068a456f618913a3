package warrentest

import (
	"net"
	"sync"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// Restart ends the broker and starts it again, as a restart of a container does: all
// connections are cut, clients that dial meanwhile are refused, and what is durable is
// there again. URL and Dial stay as they are, and faults of methods and the recording go
// on. Faults of the disk and alarms are undone first.
//
// The embedded [warren.Broker] and Server are new ones. Channels, sessions and handlers of
// the old ones, and scripts of [Broker.Answer], have ended: make them again. While Restart
// runs, the test must not use them in other goroutines.
//
// It fails the test without Options.Dir, because nothing would be there again.
func (b *Broker) Restart() {
	b.t.Helper()
	if b.options.Dir == "" {
		b.t.Fatalf("warrentest: Restart needs a broker with a directory, or nothing would be left: set Options.Dir, for example to t.TempDir()")
	}
	d := b.disk("Restart")
	d.outage.begin()
	defer d.outage.end()
	addr := b.hangUp()
	b.healDisk()
	b.check(b.Server.Close(), "close the listener for a restart")
	b.check(b.Close(), "close the broker for a restart")
	var err error
	b.Broker, err = b.open()
	b.check(err, "open the broker's directory again")
	b.root, err = b.VirtualHost(warren.DefaultVirtualHost)
	b.check(err, "find the virtual host /")
	b.Server = amqp.NewServer(b.Broker, b.options.Server)
	if addr != "" {
		b.listen(addr)
	}
}

// hangUp cuts all connections, and returns when nothing is done for them any more. It
// returns the address that URL has opened, where nobody listens now.
func (b *Broker) hangUp() (addr string) {
	b.port.mu.Lock()
	if l := b.port.listener; l != nil {
		addr = l.Addr().String()
		l.Close()
	}
	b.port.mu.Unlock()
	for _, t := range b.taps.list() {
		t.cut()
	}
	b.taps.running.Wait()
	return addr
}

// listen opens the address again.
func (b *Broker) listen(addr string) {
	b.t.Helper()
	l, err := net.Listen("tcp", addr)
	b.check(err, "listen again")
	b.port.mu.Lock()
	b.port.listener = l
	b.port.mu.Unlock()
	b.taps.running.Go(func() { b.accept(l) })
}

// outage is the time in which a broker restarts.
type outage struct {
	mu sync.Mutex
	// Guarded by mu.
	down   bool
	coming int           // clients that come in
	none   chan struct{} // closed when coming is zero; made by begin
}

// begin lets no client in any more, and returns when none is coming in.
func (o *outage) begin() {
	o.mu.Lock()
	o.down = true
	none := make(chan struct{})
	if o.none = none; o.coming == 0 {
		close(none)
	}
	o.mu.Unlock()
	<-none
}

func (o *outage) end() {
	o.mu.Lock()
	o.down = false
	o.mu.Unlock()
}

// leave notes that a client is in, or was refused.
func (o *outage) leave() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.coming--; o.coming == 0 && o.down {
		close(o.none)
	}
}

// enter lets a client come in, who is in when leave is called. It reports false if the
// broker restarts; then leave is nil.
func (b *Broker) enter() (leave func(), ok bool) {
	if b.options.Dir == "" {
		return func() {}, true
	}
	o := &b.disk("").outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return nil, false
	}
	o.coming++
	return o.leave, true
}
