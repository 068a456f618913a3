package management

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

func connectionRoutes() []route {
	return []route{
		{path: "connections", access: everyUser, get: (*call).listConnections},
		{path: "connections/{name}", access: everyUser, get: (*call).getConnection, delete: (*call).closeConnection},
		{path: "connections/{name}/channels", access: everyUser, get: (*call).listConnectionChannels},
		{path: "connections/username/{user}", access: everyUser, get: (*call).listUserConnections, delete: (*call).closeUserConnections},
		{path: "vhosts/{vhost}/connections", access: everyUser, get: (*call).listVHostConnections},
	}
}

// connection is a session with what its server knows of the client, if it has one.
type connection struct {
	warren.SessionInfo
	client amqp.ConnectionInfo // zero: the session is of this program, or of an unknown server
	name   string
	look   *look
}

// connections returns the connections for which f returns true, and that the user may
// see: the own ones, or all for the tags monitoring and administrator.
func (c *call) connections(f func(*warren.SessionInfo) bool) []connection {
	clients := c.clients()
	look := c.sampler.look()
	var list []connection
	for _, s := range c.broker.Sessions() {
		if c.user.level < monitors && s.User != c.user.Name || !f(&s) {
			continue
		}
		one := connection{SessionInfo: s, name: s.ID, look: look}
		if client, ok := clients[s.ID]; ok {
			one.client, one.name = client, client.Name
		} else if s.Remote && len(c.options.Servers) > 0 {
			continue // it is about to end
		}
		list = append(list, one)
	}
	slices.SortStableFunc(list, func(a, b connection) int {
		return cmp.Or(cmp.Compare(a.VirtualHost, b.VirtualHost), cmp.Compare(a.name, b.name))
	})
	return list
}

// clients returns what the servers know of their clients, by session.
func (h *Handler) clients() map[string]amqp.ConnectionInfo {
	all := make(map[string]amqp.ConnectionInfo)
	for _, s := range h.options.Servers {
		for _, info := range s.Connections() {
			all[info.Session] = info
		}
	}
	return all
}

func anySession(*warren.SessionInfo) bool { return true }

func (c *call) listConnections() error { return c.writeConnections(anySession) }

func (c *call) listUserConnections() error {
	return c.writeConnections(func(s *warren.SessionInfo) bool { return s.User == c.names[0] })
}

func (c *call) listVHostConnections() error {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return err
	}
	return c.writeConnections(func(s *warren.SessionInfo) bool { return s.VirtualHost == v.Name() })
}

func (c *call) writeConnections(f func(*warren.SessionInfo) bool) error {
	return writeList(c, list[connection]{items: c.connections(f), name: func(k *connection) string { return k.name }, write: c.writeConnection})
}

// connection returns the connection that the path names, by its name or by the ID of its
// session. Who may not see it is told so, as in RabbitMQ.
func (c *call) connection() (connection, error) {
	name := c.names[0]
	all := *c
	all.user.level = administrators
	for _, k := range all.connections(anySession) {
		if k.name == name || k.ID == name {
			if c.user.level < monitors && k.User != c.user.Name {
				return connection{}, notAuthorised("User not authorised to access object")
			}
			return k, nil
		}
	}
	return connection{}, errNotFound
}

func (c *call) getConnection() error {
	k, err := c.connection()
	if err != nil {
		return err
	}
	h := c.Handler
	k.look, err = c.lookAt(historyKey{"connection", "", k.ID}, func(f *fields) bool {
		client := h.clients()[k.ID]
		for _, s := range h.broker.Sessions() {
			if s.ID == k.ID {
				h.writeConnection(f, &connection{SessionInfo: s, client: client, name: k.name, look: new(look)})
				return true
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	return writeObject(c, &k, c.writeConnection)
}

// closeReason is the text that the client gets, after CONNECTION_FORCED.
func (c *call) closeReason() string {
	reason := c.r.Header.Get("X-Reason")
	if reason == "" {
		return "Closed via management plugin"
	}
	return reason[:min(len(reason), 200)]
}

func (c *call) closeConnection() error {
	k, err := c.connection()
	if err != nil {
		return err
	}
	if c.user.level < administrators && k.User != c.user.Name {
		return notAuthorised("Not administrator user")
	}
	if err := c.broker.SessionClose(k.ID, c.closeReason()); err != nil {
		return errNotFound
	}
	return c.status(http.StatusNoContent)
}

func (c *call) closeUserConnections() error {
	name := c.names[0]
	if c.user.level < administrators && name != c.user.Name {
		return notAuthorised("Not administrator user")
	}
	for _, k := range c.connections(func(s *warren.SessionInfo) bool { return s.User == name }) {
		_ = c.broker.SessionClose(k.ID, c.closeReason()) // it may have gone by itself
	}
	return c.status(http.StatusNoContent)
}

// writeConnection describes a connection. A session of this program has no address.
func (h *Handler) writeConnection(f *fields, k *connection) {
	i := &k.client
	f.str("name", k.name)
	f.str("vhost", k.VirtualHost)
	f.str("user", k.User)
	f.str("user_who_performed_action", k.User)
	f.str("node", h.node)
	f.int("channels", k.Channels)
	f.str("state", cmp.Or(string(i.State), string(amqp.Running)))
	f.int64("connected_at", milliseconds(k.Opened))
	f.str("session", k.ID)
	if i.Session == "" {
		f.str("type", "direct")
		f.str("protocol", "Direct 0-9-1")
		f.table("client_properties", nil)
		h.writeChannelStats(f, k)
		return
	}
	f.str("type", "network")
	f.str("protocol", i.Protocol)
	f.str("auth_mechanism", i.AuthMechanism)
	f.str("host", i.Host)
	f.int("port", i.Port)
	f.str("peer_host", i.PeerHost)
	f.int("peer_port", i.PeerPort)
	f.int("channel_max", int(i.ChannelMax))
	f.int("frame_max", int(i.FrameMax))
	f.int("timeout", int(i.Heartbeat/time.Second))
	if name, ok := i.ClientProperties["connection_name"].(string); ok {
		f.str("user_provided_name", name)
	}
	f.table("client_properties", i.ClientProperties)
	h.writeTLS(f, i)
	if i.BlockedSince.IsZero() {
		f.str("last_blocked_by", "none")
		f.str("last_blocked_age", "infinity")
	} else {
		f.str("last_blocked_by", "resource")
		f.int("last_blocked_age", int(time.Since(i.BlockedSince)/time.Second))
		f.str("blocked_reason", i.BlockedReason)
	}
	was := k.look.session(k.ID)
	f.counterOf(dataRates, "recv_oct", i.Received, was.received, k.look)
	f.counterOf(dataRates, "send_oct", i.Sent, was.sent, k.look)
	f.int("send_pend", 0)
	h.writeChannelStats(f, k)
}

func (h *Handler) writeChannelStats(f *fields, k *connection) {
	was := k.look.session(k.ID)
	writeChannelCounts(f, &k.ChannelCounts, &was.ChannelCounts, k.look)
}

func (h *Handler) writeTLS(f *fields, i *amqp.ConnectionInfo) {
	f.bool("ssl", i.TLS != nil)
	if i.TLS == nil {
		f.null("ssl_protocol")
		f.null("ssl_cipher")
		f.null("ssl_key_exchange")
		f.null("ssl_hash")
		f.null("peer_cert_subject")
		f.null("peer_cert_issuer")
		f.null("peer_cert_validity")
		return
	}
	f.str("ssl_protocol", tlsVersion(i.TLS.Version))
	f.str("ssl_cipher", cipherName(i.TLS.CipherSuite))
	if len(i.TLS.PeerCertificates) == 0 {
		f.null("peer_cert_subject")
		f.null("peer_cert_issuer")
		f.null("peer_cert_validity")
		return
	}
	cert := i.TLS.PeerCertificates[0]
	f.str("peer_cert_subject", cert.Subject.String())
	f.str("peer_cert_issuer", cert.Issuer.String())
	f.str("peer_cert_validity", cert.NotBefore.UTC().Format(time.RFC3339)+" - "+cert.NotAfter.UTC().Format(time.RFC3339))
}

func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// channelName is how RabbitMQ names channels.
func channelName(connection string, number uint64) string {
	return connection + " (" + strconv.FormatUint(number, 10) + ")"
}

// namesOf returns the names of connections by session.
func (h *Handler) namesOf() map[string]connectionName {
	names := make(map[string]connectionName)
	for id, i := range maps.All(h.clients()) {
		names[id] = connectionName{i.Name, i.PeerHost, i.PeerPort}
	}
	return names
}

// connectionName is what lists of channels and consumers tell of a connection.
type connectionName struct {
	name     string
	peerHost string
	peerPort int
}
