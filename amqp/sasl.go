package amqp

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/memconn"
	"github.com/warrenmq/warren/internal/wire"
)

// authenticate checks the login of a client, by the mechanism that the client has
// chosen.
func (c *conn) authenticate(ok *wire.ConnectionStartOk) error {
	l := Login{Mechanism: ok.Mechanism, RemoteAddr: c.net.RemoteAddr(), TLS: c.tls()}
	valid := false
	switch {
	case ok.Mechanism == "PLAIN":
		// the authorisation identity, which must be empty, a NUL, the user, a
		// NUL, the password
		parts := strings.Split(ok.Response, "\x00")
		if valid = len(parts) == 3 && parts[0] == ""; valid {
			l.User, l.Password = parts[1], parts[2]
		}
	case ok.Mechanism == "AMQPLAIN":
		if t, err := wire.ParseTable([]byte(ok.Response)); err == nil {
			var hasUser, hasPassword bool
			l.User, hasUser = t["LOGIN"].(string)
			l.Password, hasPassword = t["PASSWORD"].(string)
			valid = hasUser && hasPassword
		}
	case ok.Mechanism == "EXTERNAL" && l.TLS != nil:
		if valid = len(l.TLS.PeerCertificates) > 0; valid {
			l.User = l.TLS.PeerCertificates[0].Subject.CommonName
		}
	default:
		return c.refuse(failure(wire.CodeCommandInvalid, "unknown authentication mechanism '%s'", ok.Mechanism))
	}
	if !valid {
		return c.refuse(failure(wire.CodeSyntaxError, "response to authentication mechanism %s invalid", ok.Mechanism))
	}
	if c.server.admits(l) {
		l.Password = "" // nobody needs it any more
		c.login = l
		return nil
	}
	c.server.log(slog.LevelWarn, "login refused", "peer", l.RemoteAddr.String(), "user", l.User, "mechanism", l.Mechanism)
	c.pause(failedLoginDelay) // guessing is slow
	if !c.can("authentication_failure_close") {
		return errOver
	}
	e := failure(wire.CodeAccessRefused, "Login was refused using authentication mechanism %s. For details see the broker logfile.", ok.Mechanism)
	return c.refuse(e)
}

// admits reports whether a login is accepted.
func (s *Server) admits(l Login) bool {
	if f := s.options.Authenticate; f != nil {
		return f(l)
	}
	if l.Mechanism == "EXTERNAL" {
		return len(l.TLS.VerifiedChains) > 0 && s.broker.UserExists(l.User)
	}
	known := s.broker.Authenticate(l.User, l.Password) == nil
	return known && (l.User != warren.Guest || local(l.RemoteAddr))
}

// failedLoginDelay is how long a client waits for the answer to a wrong login.
const failedLoginDelay = time.Second

// pause waits for d, or until the connection ends.
func (c *conn) pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.ctx.Done():
	}
}

// tls returns the state of a TLS connection, and nil for others.
func (c *conn) tls() *tls.ConnectionState {
	if t, ok := c.net.(*tls.Conn); ok {
		if err := t.HandshakeContext(c.ctx); err == nil {
			s := t.ConnectionState()
			return &s
		}
	}
	return nil
}

// local reports whether addr is an address of this machine. It reports false if it
// cannot tell.
func local(addr net.Addr) bool {
	switch addr := addr.(type) {
	case nil:
		return false
	case *net.TCPAddr:
		return addr.IP.IsLoopback()
	case *net.UnixAddr, memconn.Addr:
		return true
	}
	if addr.Network() == "pipe" { // that of net.Pipe
		return true
	}
	ip, err := netip.ParseAddrPort(addr.String())
	return err == nil && ip.Addr().IsLoopback()
}
