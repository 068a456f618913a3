package amqp

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// readBuffer is the size of the buffer of the frame reader, in bytes.
const readBuffer = 8 << 10

// connectionHeld is how much memory a connection holds that has nothing to do, in
// bytes.
const connectionHeld = 16 << 10

// handshake handles the frames from the protocol header to connection.open-ok.
func (c *conn) handshake() error {
	deadline := time.AfterFunc(c.server.options.HandshakeTimeout, func() {
		c.cut()
		c.server.log(slog.LevelWarn, "handshake timed out", "peer", c.net.RemoteAddr().String())
	})
	defer deadline.Stop()
	var header [8]byte
	if _, err := io.ReadFull(c.net, header[:]); err != nil {
		return err
	}
	c.received.Add(uint64(len(header)))
	if !wire.AcceptProtocol(header[:]) {
		c.out.append(func(b []byte) []byte { return append(b, wire.ProtocolHeader...) })
		c.lingers = true
		return errOver
	}
	c.frames = wire.NewFrameReader(listening{c}, make([]byte, readBuffer))
	for _, step := range [...]func() error{c.start, c.tune, c.open} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// receive reads the next method of the handshake, which must be an M.
func receive[M wire.Method](c *conn, state string) (m M, err error) {
	for {
		f, err := c.frames.Next()
		if err != nil {
			var bad *wire.FrameError
			if errors.As(err, &bad) {
				return m, c.refuse(failure(wire.CodeFrameError, "%s", bad.Text()))
			}
			return m, err
		}
		if f.Type == wire.FrameHeartbeat && f.Channel == 0 {
			continue
		}
		if f.Type != wire.FrameMethod || f.Channel != 0 {
			return m, c.refuse(unexpectedFrame("%s", f.Shown()))
		}
		got, err := c.decoder.Parse(f.Payload)
		if err != nil {
			return m, c.refuse(malformed(err))
		}
		switch got := got.(type) {
		case M:
			return got, nil
		case *wire.ConnectionClose:
			c.send(0, &wire.ConnectionCloseOk{})
			c.leaving = true
			return m, errOver
		}
		return m, c.refuse(failure(wire.CodeChannelError, "unexpected method in connection state %s", state))
	}
}

// refuse ends the handshake with connection.close.
func (c *conn) refuse(e *warren.Error) error {
	c.log(slog.LevelWarn, "handshake failed", "code", int(e.Code), "text", e.Text)
	c.send(0, &wire.ConnectionClose{ReplyCode: e.Code, ReplyText: short(e.Text), Cause: cause(e)})
	c.lingers = true
	return errOver
}

// start sends connection.start and checks the login.
func (c *conn) start() error {
	capabilities := wire.Table{}
	for _, name := range [...]string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
		"consumer_priorities", "authentication_failure_close", "per_consumer_qos", "direct_reply_to",
	} {
		capabilities[name] = true
	}
	mechanisms := "PLAIN AMQPLAIN"
	if c.tls() != nil {
		mechanisms += " EXTERNAL"
	}
	c.send(0, &wire.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9,
		ServerProperties: wire.Table{
			"product": c.server.like.Product, "version": c.server.like.Version, "platform": "Go", "capabilities": capabilities,
			"copyright": "The Warren authors", "information": "Licensed under the Apache License 2.0", "cluster_name": "warren",
			"identity": c.server.broker.Link().Identity(), // by which links know where messages have been
		},
		Mechanisms: mechanisms, Locales: "en_US",
	})
	ok, err := receive[*wire.ConnectionStartOk](c, "starting")
	if err != nil {
		return err
	}
	c.client = newClient(ok.ClientProperties)
	l, err := c.readLogin(ok)
	if err != nil {
		return err
	}
	return c.authenticate(l)
}

// tune negotiates limits.
func (c *conn) tune() error {
	o := &c.server.options
	seconds := max(0, int(o.Heartbeat/time.Second))
	c.send(0, &wire.ConnectionTune{ChannelMax: o.ChannelMax, FrameMax: o.FrameMax, Heartbeat: uint16(min(seconds, 65535))})
	ok, err := receive[*wire.ConnectionTuneOk](c, "tuning")
	if err != nil {
		return err
	}
	negotiated := func(what string, value, least, most uint32) *warren.Error {
		switch {
		case value != 0 && value < least:
			return failure(wire.CodeNotAllowed, "negotiated %s = %d is lower than the minimum allowed value (%d)", what, value, least)
		case value == 0 || value > most: // zero asks for no limit
			return failure(wire.CodeNotAllowed, "negotiated %s = %d is higher than the maximum allowed value (%d)", what, value, most)
		}
		return nil
	}
	if e := negotiated("frame_max", ok.FrameMax, c.server.like.FrameMin, o.FrameMax); e != nil {
		return c.refuse(e)
	}
	if e := negotiated("channel_max", uint32(ok.ChannelMax), 1, uint32(o.ChannelMax)); e != nil {
		return c.refuse(e)
	}
	c.frameMax, c.channelMax = ok.FrameMax, ok.ChannelMax
	c.heartbeat = time.Duration(ok.Heartbeat) * time.Second
	c.frames.SetFrameMax(c.frameMax)
	return nil
}

// open opens the session in the virtual host that the client names.
func (c *conn) open() error {
	m, err := receive[*wire.ConnectionOpen](c, "opening")
	if err != nil {
		return err
	}
	v, err := c.server.broker.VirtualHost(m.VirtualHost)
	if err != nil {
		return c.refuse(asError(err))
	}
	if c.session, err = c.openSession(v); err != nil {
		return c.refuse(asError(err))
	}
	c.session.Link().Account(&c.memory)
	c.session.Link().Ended(c.sessionEnded)
	c.session.Link().Waits(c.ctx, c.waits)
	if err := c.session.Link().Reserve(connectionHeld + int64(len(c.client.properties))); err != nil {
		return c.refuse(asError(err))
	}
	c.log(slog.LevelDebug, "connection opened", "vhost", v.Name())
	c.opened.Store(true)
	c.send(0, &wire.ConnectionOpenOk{})
	return nil
}

// openSession opens the session of the user that is logged in. A user whom
// Options.Authenticate has accepted, and that the broker does not have, may do
// everything.
func (c *conn) openSession(v *warren.VirtualHost) (*warren.Session, error) {
	if c.server.options.Authenticate != nil && !c.server.broker.UserExists(c.login.User) {
		return v.Session()
	}
	return v.SessionFor(c.login.User)
}
