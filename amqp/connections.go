package amqp

import (
	"cmp"
	"crypto/tls"
	"maps"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// ConnectionInfo shows a client's connection at one moment. [warren.SessionInfo] shows
// its session.
type ConnectionInfo struct {
	// Session is the ID of its session, see [warren.Session.ID].
	Session string
	// Name is "peer -> local", both with their ports, as in RabbitMQ. Where addresses
	// are not of an IP network, the peer's is followed by "#" and Session, because many
	// clients may have the same one.
	Name string

	PeerHost string // the address of the client; without a port if it is of no IP network
	PeerPort int    // zero: the address is of no IP network
	Host     string // the address on this side
	Port     int

	VirtualHost string
	User        string
	ConnectedAt time.Time // when the network connection was accepted

	// ClientProperties are what the client says of itself. If they have more than 4 KiB
	// on the wire, only these are left of them: connection_name, product, version,
	// platform, each cut to 255 bytes, and capabilities. It is the caller's own copy.
	ClientProperties warren.Table

	AuthMechanism string        // of the login, such as PLAIN
	Protocol      string        // "AMQP 0-9-1"
	FrameMax      uint32        // bytes
	ChannelMax    uint16        // channels
	Heartbeat     time.Duration // zero: none

	State         ConnectionState
	BlockedSince  time.Time // zero: State is not Blocked
	BlockedReason string    // for example "low on memory"

	// TLS is the state of a TLS connection, and nil for others. It is not to be changed.
	TLS *tls.ConnectionState

	Received uint64 // octets, without the overhead of TLS and TCP
	Sent     uint64 // octets, likewise
}

// ConnectionState says what a connection does. The texts are RabbitMQ's.
type ConnectionState string

// The states of connections.
const (
	// Running: the connection reads what the client sends.
	Running ConnectionState = "running"
	// Blocked: it reads nothing, because a publish waits for memory or for the disk.
	Blocked ConnectionState = "blocked"
	// Closing: its channels are closed, or are about to be.
	Closing ConnectionState = "closing"
)

// block is a wait of a connection's reader.
type block struct {
	since  time.Time
	reason string
}

// Connections returns the connections of clients that have opened a virtual host, the
// oldest first. It holds no lock over all of them, so their figures are not of the same
// instant.
func (s *Server) Connections() []ConnectionInfo {
	s.mu.Lock()
	conns := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	list := make([]ConnectionInfo, 0, len(conns))
	for _, c := range conns {
		if c.opened.Load() {
			list = append(list, c.info())
		}
	}
	slices.SortFunc(list, func(x, y ConnectionInfo) int {
		return cmp.Or(x.ConnectedAt.Compare(y.ConnectedAt), cmp.Compare(x.Session, y.Session))
	})
	return list
}

// info shows an open connection. It may be called from any goroutine, because the
// handshake has set what it reads and nothing changes that later.
func (c *conn) info() ConnectionInfo {
	i := ConnectionInfo{
		Session: c.session.ID(), VirtualHost: c.session.VirtualHost().Name(), User: c.login.User,
		ConnectedAt: c.connected, ClientProperties: c.client.table(), AuthMechanism: c.login.Mechanism,
		Protocol: "AMQP 0-9-1", FrameMax: c.frameMax, ChannelMax: c.channelMax, Heartbeat: c.heartbeat,
		State: Running, TLS: c.login.TLS, Received: c.received.Load(), Sent: c.out.sent.Load(),
	}
	peer, local := c.net.RemoteAddr(), c.net.LocalAddr()
	i.PeerHost, i.PeerPort = hostAndPort(peer)
	i.Host, i.Port = hostAndPort(local)
	i.Name = text(peer)
	if i.PeerPort == 0 {
		i.Name += "#" + i.Session
	}
	i.Name += " -> " + text(local)
	if b := c.blocked.Load(); b != nil {
		i.State, i.BlockedSince, i.BlockedReason = Blocked, b.since, b.reason
	}
	if c.ending.Load() || c.ctx.Err() != nil {
		i.State, i.BlockedSince, i.BlockedReason = Closing, time.Time{}, ""
	}
	return i
}

// hostAndPort returns the parts of an address. One that is of no IP network has no
// port.
func hostAndPort(a net.Addr) (host string, port int) {
	p, err := netip.ParseAddrPort(text(a))
	if err != nil {
		return text(a), 0
	}
	return p.Addr().String(), int(p.Port())
}

// text returns an address as text. A connection of the host's own may have none.
func text(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// maxProperties is how many octets of a client's properties are kept.
const maxProperties = 4 << 10

// keptProperties returns the octets of the properties, or of a part of them.
func keptProperties(properties wire.Table) []byte {
	octets := wire.AppendTable(nil, properties)
	if len(octets) > maxProperties {
		rest := wire.Table{}
		for _, name := range [...]string{"connection_name", "product", "version", "platform"} {
			if s, ok := properties[name].(string); ok {
				rest[name] = short(s)
			}
		}
		part := wire.AppendTable(nil, rest)
		rest["capabilities"] = properties["capabilities"]
		if octets = wire.AppendTable(nil, rest); len(octets) > maxProperties {
			octets = part
		}
	}
	return slices.Clip(octets[4:]) // without the length in front
}

// table returns the properties that are kept.
func (c *client) table() warren.Table {
	t, err := wire.ParseTable(c.properties)
	if err != nil { // the octets come from AppendTable
		return warren.Table{}
	}
	return t
}
