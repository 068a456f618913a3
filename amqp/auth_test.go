package amqp_test

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/memconn"
	"github.com/warrenmq/warren/internal/wire"
)

// lcFrom is a connection that comes from elsewhere.
type lcFrom struct {
	net.Conn
	addr net.Addr
}

func (c lcFrom) RemoteAddr() net.Addr { return c.addr }

// lcLogin connects and chooses a mechanism.
func lcLogin(t *testing.T, srv *amqp.Server, mechanism, response string, capabilities ...string) *lcRaw {
	r := lcDial(t, srv)
	r.write([]byte(wire.ProtocolHeader))
	lcNext[*wire.ConnectionStart](r)
	r.send(0, lcStartOk(mechanism, response, capabilities...))
	return r
}

// lcAMQPLAIN is a response: a table without its length.
func lcAMQPLAIN(t wire.Table) string { return string(wire.AppendTable(nil, t)[4:]) }

func TestMechanismsThatLogIn(t *testing.T) {
	for mechanism, response := range map[string]string{
		"PLAIN":    "\x00guest\x00guest",
		"AMQPLAIN": lcAMQPLAIN(wire.Table{"LOGIN": "guest", "PASSWORD": "guest"}),
	} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := lcServer(t, nil)
			lcNext[*wire.ConnectionTune](lcLogin(t, srv, mechanism, response))
		})
	}
}

func TestMalformedResponsesAreSyntaxErrors(t *testing.T) {
	for _, c := range [][2]string{
		{"PLAIN", ""}, {"PLAIN", "guest"}, {"PLAIN", "\x00guest"}, {"PLAIN", "guest\x00guest"}, {"PLAIN", "\x00guest\x00guest\x00"},
		{"PLAIN", "admin\x00guest\x00guest"},
		{"AMQPLAIN", ""}, {"AMQPLAIN", "\x05LOGINS\xff\xff\xff\xffguest"},
		{"AMQPLAIN", lcAMQPLAIN(wire.Table{"LOGIN": "guest"})},
		{"AMQPLAIN", lcAMQPLAIN(wire.Table{"PASSWORD": "guest"})},
		{"AMQPLAIN", lcAMQPLAIN(wire.Table{"LOGIN": "guest", "PASSWORD": int32(1)})},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := lcServer(t, nil)
			lcLogin(t, srv, c[0], c[1]).closed(502, "SYNTAX_ERROR - response to authentication mechanism "+c[0]+" invalid")
		})
	}
}

func TestUnknownMechanismsAreRefused(t *testing.T) {
	for _, mechanism := range []string{"EXTERNAL", "ANONYMOUS", "plain", ""} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := lcServer(t, nil)
			lcLogin(t, srv, mechanism, "\x00guest\x00guest").
				closed(503, "COMMAND_INVALID - unknown authentication mechanism '"+mechanism+"'")
		})
	}
}

func TestAFailedLoginIsToldLateAndOnlyToThoseWhoCanHearIt(t *testing.T) {
	for mechanism, response := range map[string]string{
		"PLAIN":    "\x00guest\x00secret",
		"AMQPLAIN": lcAMQPLAIN(wire.Table{"LOGIN": "guest", "PASSWORD": "secret"}),
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			_, srv := lcServer(t, &amqp.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			start := time.Now()
			r := lcLogin(t, srv, mechanism, response, "authentication_failure_close")
			r.closed(403, "ACCESS_REFUSED - Login was refused using authentication mechanism "+mechanism+". For details see the broker logfile.")
			require.GreaterOrEqual(t, time.Since(start), time.Second)

			start = time.Now()
			lcLogin(t, srv, mechanism, response).over()
			require.GreaterOrEqual(t, time.Since(start), time.Second)

			require.NoError(t, srv.Close())
			require.Contains(t, log.String(), "login refused")
			require.Contains(t, log.String(), "user=guest")
			require.NotContains(t, log.String(), "secret")
		})
	}
}

func TestNoLogShowsAPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		_, srv := lcServer(t, &amqp.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for _, response := range []string{"\x00guest\x00secret\x00", "secret", "secret\x00guest\x00guest"} {
			lcLogin(t, srv, "PLAIN", response).closed(502, "SYNTAX_ERROR - response to authentication mechanism PLAIN invalid")
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
		{udp("127.0.0.1:9"), true}, {udp("10.0.0.1:9"), false}, {lcAddr("10.0.0.1:9"), false}, {lcAddr("somewhere"), false},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, srv := lcServer(t, nil)
			client, server := memconn.Pipe(0)
			go srv.ServeConn(lcFrom{server, c.addr})
			r := lcOver(t, client)
			r.login("authentication_failure_close")
			if c.local {
				lcNext[*wire.ConnectionTune](r)
				return
			}
			r.closed(403, "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.")
		})
	}
}

// lcAddr is an address of a network that nobody knows.
type lcAddr string

func (lcAddr) Network() string  { return "overlay" }
func (a lcAddr) String() string { return string(a) }

func TestAuthenticateDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logins []amqp.Login
		_, srv := lcServer(t, &amqp.Options{Authenticate: func(l amqp.Login) bool {
			logins = append(logins, l)
			return l.User == "ann" && l.Password == ""
		}})
		lcNext[*wire.ConnectionTune](lcLogin(t, srv, "PLAIN", "\x00ann\x00"))
		lcNext[*wire.ConnectionTune](lcLogin(t, srv, "AMQPLAIN", lcAMQPLAIN(wire.Table{"LOGIN": "ann", "PASSWORD": "", "more": true})))
		lcLogin(t, srv, "PLAIN", "\x00guest\x00guest").over()
		require.Equal(t, []amqp.Login{
			{Mechanism: "PLAIN", User: "ann", RemoteAddr: memconn.Addr("client")},
			{Mechanism: "AMQPLAIN", User: "ann", RemoteAddr: memconn.Addr("client")},
			{Mechanism: "PLAIN", User: "guest", Password: "guest", RemoteAddr: memconn.Addr("client")},
		}, logins)
	})
}
