package amqp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
)

// log writes to the logger of the server, if it has one.
func (s *Server) log(level slog.Level, text string, args ...any) {
	if l := s.options.Logger; l != nil {
		l.Log(context.Background(), level, text, args...)
	}
}

// log writes to the logger of the server, with the client's address, and its name and
// user as far as they are known. The reader calls it.
func (c *conn) log(level slog.Level, text string, args ...any) {
	if c.server.options.Logger == nil {
		return
	}
	who := []any{"peer", c.net.RemoteAddr().String()}
	if c.client.name != "" {
		who = append(who, "name", c.client.name)
	}
	if c.login.User != "" {
		who = append(who, "user", c.login.User)
	}
	c.server.log(level, text, append(who, args...)...)
}

// logEnd logs how the connection ended. One that never was open, and ended without an
// error, is not told of.
func (c *conn) logEnd(err error) {
	switch {
	case err != nil && !ordinary(err):
		c.log(slog.LevelWarn, "connection lost", "error", err.Error())
	case c.session == nil:
	case errors.Is(err, io.EOF):
		c.log(slog.LevelDebug, "connection closed", "reason", "the client hung up")
	default:
		c.log(slog.LevelDebug, "connection closed")
	}
}

// ordinary reports whether a connection that ends with err ends as connections do.
func ordinary(err error) bool {
	return errors.Is(err, errOver) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrDeadlineExceeded) // ask was called during the handshake
}
