package management_test

import (
	"net/url"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/management"
)

// newListening makes a site with an AMQP server on a port of its own.
func newListening(t *testing.T) (*site, *amqp.Server) {
	t.Helper()
	b := warren.New(nil)
	srv := amqp.NewServer(b, nil)
	s := newSiteOf(t, b, &management.Options{Servers: []*amqp.Server{srv}, NodeName: "warren@here"})
	t.Cleanup(func() { require.NoError(t, srv.Close()) })
	require.NoError(t, srv.Listen("127.0.0.1:0"))
	return s, srv
}

// dial connects the official client.
func (s *site) dial(srv *amqp.Server, user string) *amqp091.Connection {
	s.t.Helper()
	u, err := url.Parse(srv.URL())
	require.NoError(s.t, err)
	u.User = url.UserPassword(user, user)
	p := amqp091.NewConnectionProperties()
	p.SetClientConnectionName("my connection")
	conn, err := amqp091.DialConfig(u.String(), amqp091.Config{Properties: p})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

func TestConnections(t *testing.T) {
	s, srv := newListening(t)
	conn := s.dial(srv, "guest")
	_, err := conn.Channel()
	require.NoError(t, err)
	list := s.want(200, "GET", "/api/connections/", "").list()
	require.Len(t, list, 1)
	k := list[0]
	name := k["name"].(string)
	require.Equal(t, conn.LocalAddr().String()+" -> "+conn.RemoteAddr().String(), name)
	for member, want := range (object{
		"user": "guest", "vhost": "/", "node": "warren@here", "protocol": "AMQP 0-9-1", "type": "network", "state": "running", "channels": 1.0,
		"user_provided_name": "my connection", "auth_mechanism": "PLAIN", "host": "127.0.0.1", "peer_host": "127.0.0.1", "ssl": false,
		"channel_max": 2047.0, "frame_max": 131072.0,
	}) {
		require.Equal(t, want, k[member], member)
	}
	require.Equal(t, "my connection", k["client_properties"].(object)["connection_name"])
	require.Greater(t, k["recv_oct"], 100.0)
	require.Greater(t, k["send_oct"], 100.0)
	require.Greater(t, k["connected_at"], 1e12)

	path := "/api/connections/" + url.PathEscape(name)
	require.Equal(t, name, s.want(200, "GET", path, "").object()["name"])
	channels := s.want(200, "GET", path+"/channels", "").list()
	require.Equal(t, []string{name + " (1)"}, names(channels, "name"))
	require.Len(t, s.get("/api/vhosts/%2F/connections").list(), 1)
	require.Len(t, s.get("/api/connections/username/guest").list(), 1)
	require.Empty(t, s.get("/api/connections/username/nobody").list())
	s.want(404, "GET", "/api/connections/none", "")
	s.want(404, "GET", "/api/connections/none/channels", "")
	s.want(404, "DELETE", "/api/connections/none", "")

	closed := conn.NotifyClose(make(chan *amqp091.Error, 1))
	s.want(204, "DELETE", path, "")
	e := <-closed
	require.Equal(t, 320, e.Code)
	require.Equal(t, "CONNECTION_FORCED - Closed via management plugin", e.Reason)
	s.want(404, "DELETE", path, "")
}

func TestCloseOfConnectionsOfAUser(t *testing.T) {
	s, srv := newListening(t)
	s.user("ann", warren.Management, "/")
	s.user("bob", warren.Management, "/")
	ann, bob := s.dial(srv, "ann"), s.dial(srv, "bob")
	require.Equal(t, []string{"ann"}, names(s.get("/api/connections", as("ann", "ann")).list(), "user"))
	bobs := s.get("/api/connections", as("bob", "bob")).list()[0]["name"].(string)
	s.want(401, "GET", "/api/connections/"+url.PathEscape(bobs), "", as("ann", "ann"))
	s.want(401, "DELETE", "/api/connections/"+url.PathEscape(bobs), "", as("ann", "ann"))
	s.want(401, "DELETE", "/api/connections/username/bob", "", as("ann", "ann"))
	require.False(t, bob.IsClosed())
	closed := ann.NotifyClose(make(chan *amqp091.Error, 1))
	s.want(204, "DELETE", "/api/connections/username/ann", "", as("ann", "ann"), header("X-Reason", "out with you"))
	require.Equal(t, "CONNECTION_FORCED - out with you", (<-closed).Reason)
	require.False(t, bob.IsClosed())
}

func TestChannelsAndConsumers(t *testing.T) {
	s, srv := newListening(t)
	conn := s.dial(srv, "guest")
	ch, err := conn.Channel()
	require.NoError(t, err)
	_, err = ch.QueueDeclare("q", false, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.Qos(7, 0, false))
	deliveries, err := ch.Consume("q", "tag/1", false, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(false))
	s.publish("", "q", "m")
	<-deliveries
	list := s.get("/api/channels").list()
	require.Len(t, list, 1)
	k := list[0]
	for member, want := range (object{
		"number": 1.0, "user": "guest", "vhost": "/", "confirm": true, "transactional": false, "prefetch_count": 7.0,
		"consumer_count": 1.0, "messages_unacknowledged": 1.0, "messages_unconfirmed": 0.0, "state": "running",
	}) {
		require.Equal(t, want, k[member], member)
	}
	details := k["connection_details"].(object)
	require.Equal(t, "127.0.0.1", details["peer_host"])
	one := s.want(200, "GET", "/api/channels/"+url.PathEscape(k["name"].(string)), "").object()
	require.Len(t, one["consumer_details"], 1)
	s.want(404, "GET", "/api/channels/none", "")
	require.Len(t, s.get("/api/vhosts/%2F/channels").list(), 1)

	consumers := s.get("/api/consumers/%2F").list()
	require.Len(t, consumers, 1)
	consumer := consumers[0]
	for member, want := range (object{
		"consumer_tag": "tag/1", "active": true, "ack_required": true, "exclusive": false, "prefetch_count": 7.0,
		"queue": object{"name": "q", "vhost": "/"}, "messages_unacknowledged": 1.0,
	}) {
		require.Equal(t, want, consumer[member], member)
	}
	require.Equal(t, k["name"], consumer["channel_details"].(object)["name"])
	require.Len(t, s.get("/api/queues/%2F/q").object()["consumer_details"], 1)
	s.want(404, "GET", "/api/consumers/none", "")

	cancelled := ch.NotifyCancel(make(chan string, 1))
	path := "/api/consumers/%2F/" + url.PathEscape(details["name"].(string)) + "/1/"
	s.want(404, "DELETE", path+"none", "")
	s.want(204, "DELETE", path+"tag%2F1", "")
	require.Equal(t, "tag/1", <-cancelled)
	require.Empty(t, s.get("/api/consumers").list())
}

func TestSessionsOfThisProgramAreConnectionsToo(t *testing.T) {
	s := newSite(t, nil)
	session, err := s.b.Session()
	require.NoError(t, err)
	_, err = session.Channel()
	require.NoError(t, err)
	k := s.get("/api/connections").list()
	require.Len(t, k, 1)
	require.Equal(t, session.ID(), k[0]["name"])
	require.Equal(t, "direct", k[0]["type"])
	require.Len(t, s.get("/api/connections/"+session.ID()+"/channels").list(), 1)
	s.want(204, "DELETE", "/api/connections/"+session.ID(), "")
	_, err = session.Channel()
	require.ErrorIs(t, err, warren.ErrClosed)
}

func TestOverviewListsListeners(t *testing.T) {
	s, srv := newListening(t)
	o := s.want(200, "GET", "/api/overview", "").object()
	listener := o["listeners"].([]any)[0].(object)
	require.Equal(t, "amqp", listener["protocol"])
	require.Equal(t, "127.0.0.1", listener["ip_address"])
	port := listener["port"].(float64)
	require.Contains(t, srv.URL(), ":"+jsonText(t, port))
	require.Equal(t, object{"status": "ok", "port": port}, s.get("/api/health/checks/port-listener/"+jsonText(t, port)).object())
	require.Equal(t, 503, s.get("/api/health/checks/port-listener/1").Code)
	require.Equal(t, 400, s.get("/api/health/checks/port-listener/zz").Code)
	require.Equal(t, object{"status": "ok", "protocol": "amqp"}, s.get("/api/health/checks/protocol-listener/amqp091").object())
	require.Equal(t, object{"status": "failed", "reason": "No active listener", "missing": "mqtt", "protocols": []any{"amqp"}},
		s.want(503, "GET", "/api/health/checks/protocol-listener/mqtt", "").object())
}
