package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

const frameMax = 131072

// client is a connection with channel 1 open.
type client struct {
	net net.Conn
	in  *bufio.Reader
	dec wire.Decoder
}

func dial(to string) (*client, error) {
	u, err := url.Parse(to)
	if err != nil {
		return nil, err
	}
	c := &client{}
	if c.net, err = net.DialTimeout("tcp", u.Host, 5*time.Second); err != nil {
		return nil, err
	}
	c.in = bufio.NewReaderSize(c.net, 1<<18)
	c.net.Write([]byte(wire.ProtocolHeader))
	password, _ := u.User.Password()
	steps := []wire.Method{
		&wire.ConnectionStartOk{ClientProperties: wire.Table{}, Mechanism: "PLAIN", Response: "\x00" + u.User.Username() + "\x00" + password, Locale: "en_US"},
		&wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: frameMax},
	}
	for _, answer := range steps { // to start, and to tune
		if _, err = c.method(); err != nil {
			return nil, fmt.Errorf("handshake: %w", err)
		}
		c.send(0, answer)
	}
	c.send(0, &wire.ConnectionOpen{VirtualHost: "/"})
	m, err := c.method()
	if err != nil {
		return nil, fmt.Errorf("connection.open: %w", err)
	}
	if _, ok := m.(*wire.ConnectionOpenOk); !ok {
		return nil, fmt.Errorf("connection.open: got %+v", m)
	}
	c.send(1, &wire.ChannelOpen{})
	_, err = c.method()
	return c, err
}

func (c *client) close() {
	c.send(0, &wire.ConnectionClose{ReplyCode: 200})
	for {
		m, err := c.method()
		if err != nil {
			break
		}
		if _, ok := m.(*wire.ConnectionCloseOk); ok {
			break
		}
	}
	c.net.Close()
}

func (c *client) send(channel uint16, m wire.Method) error {
	_, err := c.net.Write(wire.AppendMethod(nil, channel, m))
	return err
}

// frame reads a frame: its type, and its payload, which lasts until the next.
func (c *client) frame() (kind byte, payload []byte, err error) {
	var head [7]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, binary.BigEndian.Uint32(head[3:]))
	if _, err := io.ReadFull(c.in, payload); err != nil {
		return 0, nil, err
	}
	_, err = c.in.Discard(1)
	return head[0], payload, err
}

// method reads the next method, past everything else.
func (c *client) method() (wire.Method, error) {
	for {
		kind, payload, err := c.frame()
		if err != nil {
			return nil, err
		}
		if wire.FrameType(kind) == wire.FrameMethod {
			m, err := c.dec.Parse(payload)
			switch m := m.(type) {
			case *wire.ChannelClose:
				return nil, fmt.Errorf("channel.close %d %s", m.ReplyCode, m.ReplyText)
			case *wire.ConnectionClose:
				return nil, fmt.Errorf("connection.close %d %s", m.ReplyCode, m.ReplyText)
			}
			return m, err
		}
	}
}

// call sends a method and reads the answer.
func (c *client) call(m wire.Method) (wire.Method, error) {
	if err := c.send(1, m); err != nil {
		return nil, err
	}
	return c.method()
}

// publishes are n messages of a size, encoded.
func publishes(n int, key string, size int, props wire.RawProperties) []byte {
	m := wire.BasicPublish{RoutingKey: []byte(key)}
	body := make([]byte, size)
	var b []byte
	for range n {
		b = wire.AppendPublish(b, 1, &m, props, body, frameMax)
	}
	return b
}

// cpu is the processor time, in seconds, that a process has used.
func cpu(pid int) float64 {
	if pid == 0 {
		return 0
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return float64(user+system) / 100 // ticks of the kernel's interface
}
