package warrentest

import (
	"bytes"
	"testing"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// Options configure [New]. The zero value is a broker in memory, as clients find it at
// its first start.
type Options struct {
	// Broker are the options of the broker; nil: none. Its Like chooses whom the broker
	// is like. A Tracer of it is called, too.
	Broker *warren.Options
	// Server are the options of the listener; nil: none.
	Server *amqp.Options
	// Dir is a directory that the broker keeps what is durable in, such as t.TempDir().
	// Empty: all is in memory.
	Dir string
	// Definitions are loaded before clients come, as RabbitMQ exports them. Nil: none.
	Definitions []byte
	// NothingLeft makes the test fail if something is left when it ends: connections,
	// deliveries that nobody has settled, calls that wait for an answer.
	NothingLeft bool
	// Quiet keeps the transcript to itself when the test fails.
	Quiet bool
}

// Broker is a broker for a test, with a listener. Its methods end the test with Fatal
// when they fail, so they are for the test's goroutine.
type Broker struct {
	*warren.Broker
	// Server is the listener. Clients that it accepts by itself, not by Dial or URL of the
	// Broker, meet no faults and are not recorded.
	Server *amqp.Server

	t       testing.TB
	options Options
	root    *warren.VirtualHost // "/", in which everything is meant that names no other
	log     recorder
	faults  faults
	taps    taps
	port    port
}

// New starts a broker for t, with at most one Options. It ends when t ends.
func New(t testing.TB, options ...Options) *Broker {
	t.Helper()
	b := &Broker{t: t}
	if len(options) > 0 {
		b.options = options[0]
	}
	b.init()
	return b
}

// init starts the broker.
func (b *Broker) init() {
	b.t.Helper()
	o := &b.options
	var own warren.Options
	if o.Broker != nil {
		own = *o.Broker
	}
	own.Tracer = &tracer{&b.log, own.Tracer}
	if o.Broker = &own; o.Dir == "" {
		b.Broker = warren.New(o.Broker)
	} else {
		var err error
		b.Broker, err = b.open()
		b.check(err, "open the broker's directory")
	}
	root, err := b.VirtualHost(warren.DefaultVirtualHost)
	b.check(err, "find the virtual host /")
	b.root = root
	b.Server = amqp.NewServer(b.Broker, o.Server)
	b.t.Cleanup(b.end)
	if o.Definitions != nil {
		b.check(b.DefinitionsImport(bytes.NewReader(o.Definitions)), "import the definitions")
	}
}

// end ends everything with the test.
func (b *Broker) end() {
	b.reportLeft()
	if b.t.Failed() && !b.options.Quiet {
		if text := b.recentEvents(); text != "" {
			b.t.Logf("warrentest: clients (->) and the broker (<-) have sent:\n%s", text)
		}
	}
	b.port.close()
	for _, t := range b.taps.list() {
		t.cut()
	}
	b.healDisk()
	if err := b.Server.Close(); err != nil {
		b.t.Errorf("warrentest: close the listener: %v", err)
	}
	if err := b.Close(); err != nil {
		b.t.Errorf("warrentest: close the broker: %v", err)
	}
	b.taps.running.Wait()
}

// check ends the test if err is not nil.
func (b *Broker) check(err error, what string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("warrentest: %s: %v", what, err)
	}
}
