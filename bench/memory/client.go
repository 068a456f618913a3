package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

const (
	frameMax   = 131072
	channelMax = 2047
	patience   = 2 * time.Second // a client that cannot write for so long is held back
)

// case_ is one run of an attack.
type case_ struct {
	broker  *process
	clients []*client

	mu   sync.Mutex
	told string // the first refusal
}

// tell notes what a client was told. The first refusal counts.
func (c *case_) tell(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == "" {
		c.told = fmt.Sprintf(format, args...)
	}
}

// answer says what the clients were told.
func (c *case_) answer() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told == "" {
		return "nothing"
	}
	return c.told
}

// refused reports whether a client has been told something.
func (c *case_) refused() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told != ""
}

func (c *case_) close() {
	for _, p := range c.clients {
		p.net.Close()
	}
}

// client is a connection. It sends without waiting for answers, which a goroutine
// reads.
type client struct {
	of   *case_
	net  net.Conn
	out  []byte
	over atomic.Bool // the broker has refused something, holds the client back or has hung up
	deaf atomic.Bool // the client reads no more

	properties wire.Table  // of the client
	requests   chan string // gets the address for the answer of each message; nil: nobody wants it

	answers chan struct{} // one for each channel.open-ok
	refused chan struct{} // closed when the broker has refused something
	silent  chan struct{} // closed when the goroutine reads no more
}

// dial connects as guest and opens channels from 1 on. It returns nil if the broker
// does not let the client in.
func (c *case_) dial(channels int) *client {
	p := c.connect()
	if p == nil {
		return nil
	}
	in := bufio.NewReader(p.net)
	if err := p.logIn(in); err != nil {
		c.tell("%v", err)
		return nil
	}
	go p.listen(in)
	for n := range channels {
		p.send(n+1, &wire.ChannelOpen{})
	}
	p.flush()
	p.await(channels)
	return p
}

// logIn does the handshake.
func (p *client) logIn(in *bufio.Reader) error {
	p.net.SetDeadline(time.Now().Add(30 * time.Second))
	defer p.net.SetDeadline(time.Time{})
	var d wire.Decoder
	p.net.Write([]byte(wire.ProtocolHeader))
	for _, answers := range [...][]wire.Method{
		{startOk(p.properties)},
		{&wire.ConnectionTuneOk{ChannelMax: channelMax, FrameMax: frameMax}, &wire.ConnectionOpen{VirtualHost: "/"}},
		{}, // open-ok
	} {
		m, err := readMethod(in, &d)
		if err != nil {
			return err
		}
		if refusal, ok := m.(*wire.ConnectionClose); ok {
			return errors.New(text(refusal.ReplyCode, refusal.ReplyText))
		}
		for _, m := range answers {
			p.net.Write(wire.AppendMethod(nil, 0, m))
		}
	}
	return nil
}

func startOk(properties wire.Table) *wire.ConnectionStartOk {
	return &wire.ConnectionStartOk{ClientProperties: properties, Mechanism: "PLAIN", Response: "\x00guest\x00guest", Locale: "en_US"}
}

// connect connects and sends nothing.
func (c *case_) connect() *client {
	conn, err := net.DialTimeout("tcp", c.broker.address, 5*time.Second)
	if err != nil {
		c.tell("connect: %v", err)
		return nil
	}
	p := &client{of: c, net: conn, properties: wire.Table{"capabilities": wire.Table{}},
		answers: make(chan struct{}, 2*channelMax), refused: make(chan struct{}), silent: make(chan struct{})}
	c.clients = append(c.clients, p)
	return p
}

// await waits for a number of channel.open-ok. It reports false if they do not come.
func (p *client) await(n int) bool {
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	for range n {
		select {
		case <-p.answers:
		case <-p.silent:
			return false
		case <-p.refused:
			return false
		case <-late.C:
			p.over.Store(true)
			p.of.tell("held back")
			return false
		}
	}
	return true
}

// sync waits until the broker has handled all that was sent.
func (p *client) sync() bool {
	if p.over.Load() {
		return false
	}
	const last = channelMax
	p.send(last, &wire.ChannelOpen{})
	p.flush()
	if !p.await(1) {
		return false
	}
	p.send(last, &wire.ChannelClose{ReplyCode: 200})
	return !p.over.Load()
}

// send sends a method, with others.
func (p *client) send(channel int, m wire.Method) {
	p.out = wire.AppendMethod(p.out, uint16(channel), m)
	p.flushAt(64 << 10)
}

// publish sends a message, with others.
func (p *client) publish(channel int, exchange, key string, props *wire.Properties, body []byte) {
	var raw wire.RawProperties
	if props != nil {
		raw = props.Append(nil)
	}
	m := wire.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)}
	p.out = wire.AppendPublish(p.out, uint16(channel), &m, raw, body, frameMax)
	p.flushAt(256 << 10)
}

func (p *client) flushAt(size int) {
	if len(p.out) >= size {
		p.flush()
	}
}

// flush writes what was sent. If the broker does not take it, the client is over.
func (p *client) flush() {
	out := p.out
	p.out = p.out[:0]
	if p.over.Load() {
		return
	}
	p.net.SetWriteDeadline(time.Now().Add(patience))
	if _, err := p.net.Write(out); err != nil {
		p.over.Store(true)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			p.of.tell("held back")
		}
	}
}

// listen reads what the broker sends, until the client is deaf.
func (p *client) listen(in *bufio.Reader) {
	defer close(p.silent)
	var d wire.Decoder
	for !p.deaf.Load() {
		kind, payload, err := readFrame(in)
		if err != nil {
			if !p.deaf.Load() {
				p.over.Store(true)
			}
			return
		}
		if kind == wire.FrameHeader && p.requests != nil {
			if h, err := wire.ParseContentHeader(payload); err == nil {
				to, _ := h.Properties.Get(wire.ReplyTo)
				p.requests <- string(to)
			}
		}
		if kind != wire.FrameMethod {
			continue
		}
		m, _ := d.Parse(payload)
		switch m := m.(type) {
		case *wire.ChannelOpenOk:
			p.answers <- struct{}{}
		case *wire.ChannelClose:
			p.refuse(m.ReplyCode, m.ReplyText)
		case *wire.ConnectionClose:
			p.refuse(m.ReplyCode, m.ReplyText)
		}
	}
}

// refuse notes that the broker has refused something.
func (p *client) refuse(code uint16, reason string) {
	p.of.tell("%s", text(code, reason))
	if !p.over.Swap(true) {
		close(p.refused)
	}
}

// text is a refusal in short, for a column of the table.
func text(code uint16, text string) string {
	if len(text) > 140 {
		text = text[:140] + "…"
	}
	return fmt.Sprintf("%d %s", code, text)
}

// stopReading makes the client deaf.
func (p *client) stopReading() {
	p.deaf.Store(true)
	p.net.SetReadDeadline(time.Now())
	<-p.silent
}

// readFrame reads a frame.
func readFrame(in *bufio.Reader) (wire.FrameType, []byte, error) {
	var head [7]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, err
	}
	payload := make([]byte, binary.BigEndian.Uint32(head[3:]))
	if _, err := io.ReadFull(in, payload); err != nil {
		return 0, nil, err
	}
	_, err := in.Discard(1)
	return wire.FrameType(head[0]), payload, err
}

// readMethod reads the next method of the handshake.
func readMethod(in *bufio.Reader, d *wire.Decoder) (wire.Method, error) {
	_, payload, err := readFrame(in)
	if err != nil {
		return nil, err
	}
	return d.Parse(payload)
}

// mustDial is dial for a client that attacks from one connection.
func (c *case_) mustDial(channels int) *client {
	p := c.dial(channels)
	if p == nil {
		log.Fatal("memory: no connection: ", c.answer())
	}
	return p
}
