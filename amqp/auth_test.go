package amqp_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/internal/memconn"
	"github.com/warrenmq/warren/internal/wire"
)

// connFrom is a connection that comes from elsewhere.
type connFrom struct {
	net.Conn
	addr net.Addr
}

func (c connFrom) RemoteAddr() net.Addr { return c.addr }

// loginRaw connects and chooses a mechanism.
func loginRaw(t *testing.T, srv *amqp.Server, mechanism, response string, capabilities ...string) *rawClient {
	r := dialRaw(t, srv)
	r.write([]byte(wire.ProtocolHeader))
	expect[*wire.ConnectionStart](r)
	r.send(0, startOk(mechanism, response, capabilities...))
	return r
}

// amqplain is a response: a table without its length.
func amqplain(t wire.Table) string { return string(wire.AppendTable(nil, t)[4:]) }

func TestMechanismsThatLogIn(t *testing.T) {
	for mechanism, response := range map[string]string{
		"PLAIN":    "\x00guest\x00guest",
		"AMQPLAIN": amqplain(wire.Table{"LOGIN": "guest", "PASSWORD": "guest"}),
	} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := brokertest.Serve(t, nil, nil)
			expect[*wire.ConnectionTune](loginRaw(t, srv, mechanism, response))
		})
	}
}

func TestMalformedResponsesAreSyntaxErrors(t *testing.T) {
	for _, c := range [][2]string{
		{"PLAIN", ""}, {"PLAIN", "guest"}, {"PLAIN", "\x00guest"}, {"PLAIN", "guest\x00guest"}, {"PLAIN", "\x00guest\x00guest\x00"},
		{"PLAIN", "admin\x00guest\x00guest"},
		{"AMQPLAIN", ""}, {"AMQPLAIN", "\x05LOGINS\xff\xff\xff\xffguest"},
		{"AMQPLAIN", amqplain(wire.Table{"LOGIN": "guest"})},
		{"AMQPLAIN", amqplain(wire.Table{"PASSWORD": "guest"})},
		{"AMQPLAIN", amqplain(wire.Table{"LOGIN": "guest", "PASSWORD": int32(1)})},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := brokertest.Serve(t, nil, nil)
			loginRaw(t, srv, c[0], c[1]).closed(502, "SYNTAX_ERROR - response to authentication mechanism "+c[0]+" invalid")
		})
	}
}

func TestUnknownMechanismsAreRefused(t *testing.T) {
	for _, mechanism := range []string{"EXTERNAL", "ANONYMOUS", "plain", ""} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := brokertest.Serve(t, nil, nil)
			loginRaw(t, srv, mechanism, "\x00guest\x00guest").
				closed(503, "COMMAND_INVALID - unknown authentication mechanism '"+mechanism+"'")
		})
	}
}

func TestAWrongLoginIsToldOnlyToThoseWhoCanHearIt(t *testing.T) {
	for mechanism, response := range map[string]string{
		"PLAIN":    "\x00guest\x00secret",
		"AMQPLAIN": amqplain(wire.Table{"LOGIN": "guest", "PASSWORD": "secret"}),
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			_, srv := brokertest.Serve(t, nil, &amqp.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			r := loginRaw(t, srv, mechanism, response, "authentication_failure_close")
			r.closed(403, "ACCESS_REFUSED - Login was refused using authentication mechanism "+mechanism+". For details see the broker logfile.")
			loginRaw(t, srv, mechanism, response).over()
			require.NoError(t, srv.Close())
			require.Contains(t, log.String(), "login refused")
			require.Contains(t, log.String(), "user=guest")
			require.NotContains(t, log.String(), "secret")
		})
	}
}

const wrongLogin = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile."

// TestTyposAreAnsweredAtOnceAndGuessesAreNot: a wrong login is forgotten after a
// second.
func TestTyposAreAnsweredAtOnceAndGuessesAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		wrong := func(want time.Duration) {
			t.Helper()
			start := time.Now()
			r := loginRaw(t, srv, "PLAIN", "\x00guest\x00secret", "authentication_failure_close")
			r.closed(403, wrongLogin)
			require.Equal(t, want, time.Since(start))
		}
		for range 10 {
			wrong(0)
		}
		for range 3 {
			wrong(time.Second)
		}
		start := time.Now()
		openRaw(t, srv).hangUp()
		require.Zero(t, time.Since(start), "who has the password does not wait")
		time.Sleep(5 * time.Second)
		for range 5 {
			wrong(0)
		}
	})
}

// TestAFloodOfWrongLoginsHoldsNobodyUp has clients that hang up, and clients that wait
// for the answer.
func TestAFloodOfWrongLoginsHoldsNobodyUp(t *testing.T) {
	for _, hangUp := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			b, srv := brokertest.Serve(t, nil, nil)
			require.NoError(t, b.UserDeclare("ann", "secret"))
			start := time.Now()
			waiting := 0
			for i := range 300 {
				r := loginRaw(t, srv, "PLAIN", fmt.Sprintf("\x00%s\x00wrong", []string{"guest", "ann", "nobody"}[i%3]), "authentication_failure_close")
				if hangUp {
					r.conn.Close()
					continue
				}
				synctest.Wait()
				require.NoError(t, r.conn.SetReadDeadline(time.Now().Add(time.Nanosecond)))
				if _, err := r.frames.Next(); err != nil {
					waiting++
				}
			}
			if !hangUp {
				require.LessOrEqual(t, waiting, 16, "those who wait for the answer are bounded")
			}
			for _, user := range []string{"\x00guest\x00guest", "\x00ann\x00secret"} {
				expect[*wire.ConnectionTune](loginRaw(t, srv, "PLAIN", user))
			}
			require.NoError(t, srv.Close())
			require.Less(t, time.Since(start), time.Millisecond)
		})
	}
}

func TestTheWaitForAnAnswerEndsWithItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, srv := brokertest.Serve(t, nil, nil)
		for range 10 {
			loginRaw(t, srv, "PLAIN", "\x00guest\x00secret").over()
		}
		client, server := memconn.Pipe(0)
		ended := make(chan struct{})
		go func() { srv.ServeConn(server); close(ended) }()
		r := rawOver(t, client)
		r.write([]byte(wire.ProtocolHeader))
		expect[*wire.ConnectionStart](r)
		r.send(0, startOk("PLAIN", "\x00guest\x00secret"))
		synctest.Wait()
		start := time.Now()
		r.conn.Close()
		<-ended
		require.Zero(t, time.Since(start))
	})
}

func TestOriginsOfLogins(t *testing.T) {
	for addr, origin := range map[string]string{
		"127.0.0.1:5": "127.0.0.1", "[::ffff:10.1.2.3]:5": "10.1.2.3", "10.1.2.3:6": "10.1.2.3",
		"[2001:db8::1]:5": "2001:db8::/64", "[2001:db8::2:3:4]:5": "2001:db8::/64", "[2001:db8:0:1::1]:5": "2001:db8:0:1::/64",
		"[::1]:5": "::1", "[fe80::1%eth0]:5": "fe80::/64", "somewhere": "overlay",
	} {
		require.Equal(t, origin, amqp.OriginOf(overlayAddr(addr)), addr)
	}
	require.Empty(t, amqp.OriginOf(nil))
}

func TestNoLogShowsAPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		_, srv := brokertest.Serve(t, nil, &amqp.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for _, response := range []string{"\x00guest\x00secret\x00", "secret", "secret\x00guest\x00guest"} {
			loginRaw(t, srv, "PLAIN", response).closed(502, "SYNTAX_ERROR - response to authentication mechanism PLAIN invalid")
		}
		require.NoError(t, srv.Close())
		require.Contains(t, log.String(), "handshake failed")
		require.NotContains(t, log.String(), "secret")
	})
}

func TestGuestComesFromThisMachineOnly(t *testing.T) {
	udp := func(s string) net.Addr { return net.UDPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	tcp := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	for _, c := range []struct {
		addr  net.Addr
		local bool
	}{
		{tcp("127.0.0.1:9"), true}, {tcp("127.9.9.9:9"), true}, {tcp("[::1]:9"), true}, {tcp("[::ffff:127.0.0.1]:9"), true},
		{tcp("10.0.0.1:9"), false}, {tcp("[2001:db8::1]:9"), false}, {tcp("0.0.0.0:9"), false}, {&net.TCPAddr{}, false},
		{&net.UnixAddr{Name: "@", Net: "unix"}, true}, {memconn.Addr("client"), true},
		{udp("127.0.0.1:9"), true}, {udp("10.0.0.1:9"), false}, {overlayAddr("10.0.0.1:9"), false}, {overlayAddr("somewhere"), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := brokertest.Serve(t, nil, nil)
			client, server := memconn.Pipe(0)
			go srv.ServeConn(connFrom{server, c.addr})
			r := rawOver(t, client)
			r.login("authentication_failure_close")
			if c.local {
				expect[*wire.ConnectionTune](r)
				return
			}
			r.closed(403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.")
		})
	}
}

// overlayAddr is an address of a network that nobody knows.
type overlayAddr string

func (overlayAddr) Network() string  { return "overlay" }
func (a overlayAddr) String() string { return string(a) }

func TestAuthenticateDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logins []amqp.Login
		_, srv := brokertest.Serve(t, nil, &amqp.Options{Authenticate: func(l amqp.Login) bool {
			logins = append(logins, l)
			return l.User == "ann" && l.Password == ""
		}})
		expect[*wire.ConnectionTune](loginRaw(t, srv, "PLAIN", "\x00ann\x00"))
		expect[*wire.ConnectionTune](loginRaw(t, srv, "AMQPLAIN", amqplain(wire.Table{"LOGIN": "ann", "PASSWORD": "", "more": true})))
		loginRaw(t, srv, "PLAIN", "\x00guest\x00guest").over()
		require.Equal(t, []amqp.Login{
			{Mechanism: "PLAIN", User: "ann", RemoteAddr: memconn.Addr("client")},
			{Mechanism: "AMQPLAIN", User: "ann", RemoteAddr: memconn.Addr("client")},
			{Mechanism: "PLAIN", User: "guest", Password: "guest", RemoteAddr: memconn.Addr("client")},
		}, logins)
	})
}
