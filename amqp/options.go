package amqp

import (
	"crypto/subtle"
	"crypto/tls"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/warrenmq/warren/internal/memconn"
)

// Options configure a [Server]. The zero value is the right one for most.
type Options struct {
	// Authenticate decides about a login. Nil: user guest with password guest,
	// from loopback addresses and connections in memory only, as in RabbitMQ.
	Authenticate func(Login) bool

	// Logger gets a line for each connection that fails, without passwords. Nil:
	// nothing is logged.
	Logger *slog.Logger

	// TLS is the configuration of ServeTLS and ListenAndServeTLS.
	TLS *tls.Config

	// FrameMax is the largest frame, in bytes, that the server offers. Zero:
	// 131072. The smallest is 4096.
	FrameMax uint32

	// ChannelMax is how many channels of a connection the server offers. Zero:
	// 2047.
	ChannelMax uint16

	// Heartbeat is the interval that the server offers, in whole seconds. Zero:
	// 60 seconds. Negative: none. The client's answer counts.
	Heartbeat time.Duration

	// HandshakeTimeout is how long a client may take from connecting to
	// connection.open. Zero: 10 seconds.
	HandshakeTimeout time.Duration

	// Buffer is how many bytes of deliveries wait for a client that does not
	// read, before its consumers get no more. Zero: 256 KiB. Replies by direct
	// reply-to are not held back: a client that lets 16 times as much wait is
	// disconnected.
	Buffer int
}

// Login is what a client presents.
type Login struct {
	Mechanism  string // "PLAIN", "AMQPLAIN" or "EXTERNAL"
	User       string
	Password   string               // empty with EXTERNAL
	RemoteAddr net.Addr             // of the client
	TLS        *tls.ConnectionState // nil without TLS
}

// withDefaults is o with every zero replaced by what it stands for.
func (o Options) withDefaults() Options {
	if o.Authenticate == nil {
		o.Authenticate = guest
	}
	if o.FrameMax == 0 {
		o.FrameMax = 131072
	}
	o.FrameMax = max(o.FrameMax, 4096)
	if o.ChannelMax == 0 {
		o.ChannelMax = 2047
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = time.Minute
	}
	if o.HandshakeTimeout <= 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.Buffer <= 0 {
		o.Buffer = 256 << 10
	}
	return o
}

// guest lets in guest with the password guest, from this machine.
func guest(l Login) bool {
	known := subtle.ConstantTimeCompare([]byte(l.User+"\x00"+l.Password), []byte("guest\x00guest")) == 1
	return known && local(l.RemoteAddr)
}

// local reports whether addr is of this machine. What cannot be told is not.
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
