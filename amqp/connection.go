package amqp

import (
	"log/slog"

	"github.com/warrenmq/warren/internal/wire"
)

// connectionFrame handles a frame on channel 0, or any frame that comes after the
// server's connection.close.
func (c *conn) connectionFrame(f wire.Frame) error {
	if f.Type != wire.FrameMethod {
		if !c.closing {
			c.fail(unexpectedFrame("%s", f.Shown()))
		}
		return nil
	}
	m, err := c.decoder.Parse(f.Payload)
	if c.closing {
		return c.closingMethod(f.Channel, m)
	}
	if err != nil {
		c.fail(malformed(err))
		return nil
	}
	switch m := m.(type) {
	case *wire.ConnectionClose:
		c.flush()
		c.endChannels()
		c.send(0, &wire.ConnectionCloseOk{})
		c.leaving = true
		return errOver
	case *wire.ConnectionUpdateSecret:
		c.updateSecret(m)
		return nil
	}
	c.fail(blame(failure(wire.CodeChannelError, "unexpected method in connection state running"), m.ID()))
	return nil
}

// updateSecret checks a new secret by Options.Authenticate, if that is set. As in
// RabbitMQ, passwords of the broker's own users are not checked again.
func (c *conn) updateSecret(m *wire.ConnectionUpdateSecret) {
	l := c.login
	l.Password = m.NewSecret
	if f := c.server.options.Authenticate; f != nil && !f(l) {
		c.server.log(slog.LevelWarn, "new secret refused", "peer", l.RemoteAddr.String(), "user", l.User)
		c.fail(blame(failure(wire.CodeNotAllowed, "New secret was refused by one of the backends"), m.ID()))
		return
	}
	c.send(0, &wire.ConnectionUpdateSecretOk{})
}

// closingMethod handles a method that comes after the server's connection.close.
func (c *conn) closingMethod(channel uint16, m wire.Method) error {
	if channel != 0 {
		return nil
	}
	switch m.(type) {
	case *wire.ConnectionCloseOk:
		return errOver
	case *wire.ConnectionClose: // both closed at the same time
		c.send(0, &wire.ConnectionCloseOk{})
		c.leaving = true
		return errOver
	}
	return nil
}
