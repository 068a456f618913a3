package amqp

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/warrenmq/warren/internal/like"
)

// Options configure a [Server]. The zero value is right for most servers.
type Options struct {
	// Authenticate decides about a login in place of the broker. If it accepts
	// the login, the client may do what the broker's user of this name may do, and
	// everything if the broker has no such user: see [warren.Broker.UserDeclare].
	// It is called by many goroutines at once.
	//
	// Nil: the broker's users and their passwords count. Its user guest, with
	// the password guest, can log in only from loopback addresses and connections
	// in memory, as in RabbitMQ. With EXTERNAL the user is the common name of the
	// client's certificate, which TLS has verified.
	Authenticate func(Login) bool

	// Logger gets a line for each refused login and each connection that fails
	// (warning), each channel that is closed because of an error (info), and each
	// login and connection that opens or ends in good order (debug), without
	// passwords. Nil: nothing is logged.
	Logger *slog.Logger

	// TLS is the configuration of ListenTLS, ServeTLS and ListenAndServeTLS.
	TLS *tls.Config

	// FrameMax is the largest frame, in bytes, that the server offers. Zero:
	// 131072. The smallest is 4096, or 8192 with [warren.LikeRabbitMQ].
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

	// Buffer is how many bytes may wait for a client that does not read. Above that,
	// no channel of its connection gets deliveries; when it reads again, they take
	// turns. Zero: 256 KiB. Replies by direct reply-to cannot be held back: a client is
	// disconnected when 16 times as many bytes of them wait.
	Buffer int
}

// Login is what a client presents to log in.
type Login struct {
	Mechanism  string // "PLAIN", "AMQPLAIN" or "EXTERNAL"
	User       string
	Password   string               // empty with EXTERNAL
	RemoteAddr net.Addr             // of the client
	TLS        *tls.ConnectionState // nil without TLS
}

// withDefaults returns o with every zero replaced by its default.
func (o Options) withDefaults(r *like.Rules) Options {
	if o.FrameMax == 0 {
		o.FrameMax = 131072
	}
	o.FrameMax = max(o.FrameMax, r.FrameMin)
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
