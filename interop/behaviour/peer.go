package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/wire"
)

// peer is a client that says what no client library would say.
type peer struct {
	conn    net.Conn
	frames  *wire.FrameReader
	decoder wire.Decoder
}

const peerFrameMax = 131072

// peer connects, and sends the protocol header.
func (s *script) peer() *peer {
	u, err := url.Parse(s.url)
	if err != nil {
		panic(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		panic(err)
	}
	p := &peer{conn: conn, frames: wire.NewFrameReader(conn, make([]byte, peerFrameMax))}
	p.write([]byte(wire.ProtocolHeader))
	return p
}

// login goes as far as the tuning.
func (s *script) login(capabilities ...string) *peer {
	u, _ := url.Parse(s.url)
	password, _ := u.User.Password()
	can := wire.Table{}
	for _, c := range capabilities {
		can[c] = true
	}
	p := s.peer()
	p.read(wire.ConnectionStartID)
	p.send(0, &wire.ConnectionStartOk{
		ClientProperties: wire.Table{"capabilities": can}, Mechanism: "PLAIN",
		Response: "\x00" + u.User.Username() + "\x00" + password, Locale: "en_US",
	})
	p.read(wire.ConnectionTuneID)
	return p
}

// open goes through the handshake and opens channel 1.
func (s *script) open(capabilities ...string) *peer {
	p := s.login(capabilities...)
	p.send(0, &wire.ConnectionTuneOk{ChannelMax: 2047, FrameMax: peerFrameMax}, &wire.ConnectionOpen{VirtualHost: "/"})
	p.read(wire.ConnectionOpenOkID)
	p.frames.SetFrameMax(peerFrameMax)
	p.send(1, &wire.ChannelOpen{})
	p.read(wire.ChannelOpenOkID)
	return p
}

// write sends octets. A broker that has hung up will be seen by read.
func (p *peer) write(b []byte) { p.conn.Write(b) }

// send sends methods at once.
func (p *peer) send(channel uint16, list ...wire.Method) {
	var b []byte
	for _, m := range list {
		b = wire.AppendMethod(b, channel, m)
	}
	p.write(b)
}

// frame sends a frame of any kind.
func (p *peer) frame(kind wire.FrameType, channel uint16, payload ...byte) {
	p.write(wire.AppendFrame(nil, wire.Frame{Type: kind, Channel: channel, Payload: payload}))
}

// publish sends a message.
func (p *peer) publish(m *wire.BasicPublish, body string) {
	p.write(wire.AppendPublish(nil, 1, m, nil, []byte(body), peerFrameMax))
}

// read shows what comes, up to a method that is expected or the first close.
func (p *peer) read(last ...wire.MethodID) string {
	last = append(last, wire.ChannelCloseID, wire.ConnectionCloseID)
	var seen []string
	p.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		f, err := p.frames.Next()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return strings.Join(append(seen, "silence"), ", ")
		}
		if err != nil {
			return strings.Join(append(seen, "the end"), ", ")
		}
		switch f.Type {
		case wire.FrameMethod:
			m, err := p.decoder.Parse(f.Payload)
			if err != nil {
				panic(err)
			}
			text := shownMethod(m)
			if f.Channel > 1 {
				text += fmt.Sprintf(" on channel %d", f.Channel)
			}
			seen = append(seen, text)
			if slices.Contains(last, m.ID()) {
				return strings.Join(seen, ", ")
			}
		case wire.FrameBody:
			seen = append(seen, fmt.Sprintf("%q", f.Payload))
		}
	}
}

func (p *peer) close() { p.conn.Close() }
