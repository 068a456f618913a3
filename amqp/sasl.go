package amqp

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/memconn"
	"github.com/warrenmq/warren/internal/wire"
)

// readLogin reads the login of a client, by the mechanism that the client has chosen.
func (c *conn) readLogin(ok *wire.ConnectionStartOk) (Login, error) {
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
		return l, c.refuse(failure(wire.CodeCommandInvalid, "unknown authentication mechanism '%s'", ok.Mechanism))
	}
	if !valid {
		return l, c.refuse(failure(wire.CodeSyntaxError, "response to authentication mechanism %s invalid", ok.Mechanism))
	}
	return l, nil
}

// authenticate checks a login. A wrong one is refused, after a pause if there were many
// from the same origin.
func (c *conn) authenticate(l Login) error {
	origin := originOf(l.RemoteAddr)
	if c.admits(l, origin) {
		l.Password = "" // nobody needs it any more
		l.User = strings.Clone(l.User)
		c.login = l
		c.log(slog.LevelDebug, "logged in", "mechanism", l.Mechanism)
		return nil
	}
	c.log(slog.LevelWarn, "login refused", "user", short(l.User), "mechanism", l.Mechanism)
	if g := &c.server.guessing; g.wrong(origin, time.Now()) {
		over := c.hearsNothing(guessPause)
		g.done(origin)
		if over {
			return errOver
		}
	}
	if !c.client.hearsRefusals {
		return errOver
	}
	return c.refuse(failure(wire.CodeAccessRefused, "Login was refused using authentication mechanism %s. For details see the broker logfile.", l.Mechanism))
}

// admits reports whether a login is accepted.
func (c *conn) admits(l Login, origin string) bool {
	s := c.server
	if f := s.options.Authenticate; f != nil {
		return f(l)
	}
	accepted := c.knows(l, origin)
	s.broker.Link().CountLogin(accepted)
	return accepted
}

// knows reports whether the broker accepts a login.
func (c *conn) knows(l Login, origin string) bool {
	s := c.server
	if l.Mechanism == "EXTERNAL" {
		return len(l.TLS.VerifiedChains) > 0 && s.broker.UserExists(l.User)
	}
	stop := c.watchPeer()
	defer stop()
	err := s.broker.Link().Authenticate(c.ctx, l.User, l.Password, origin)
	return err == nil && (l.User != warren.Guest || local(l.RemoteAddr))
}

// hearsNothing waits for d, and discards what the client sends. It reports whether the
// connection ended meanwhile, or is to end.
func (c *conn) hearsNothing(d time.Duration) (over bool) {
	c.net.SetReadDeadline(time.Now().Add(d))
	if c.ctx.Err() != nil { // ask has ended ctx before it set a deadline of its own
		return true
	}
	_, err := io.Copy(io.Discard, c.net)
	return !errors.Is(err, os.ErrDeadlineExceeded) || c.ctx.Err() != nil
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
