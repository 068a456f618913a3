package management_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/management"
)

// noLogin sends a request without credentials.
func noLogin(r *http.Request) { r.Header.Del("Authorization") }

func TestLogin(t *testing.T) {
	s := newSite(t, nil)
	a := s.get("/api/overview", noLogin)
	require.Equal(t, 401, a.Code)
	require.Empty(t, a.Body.String())
	require.Equal(t, `Basic realm="RabbitMQ Management"`, a.Header().Get("WWW-Authenticate"))
	a = s.get("/api/overview", as("guest", "wrong"))
	a.requireError(401, "not_authorized", "Not_Authorized")
	s.get("/api/overview", as("nobody", "guest")).requireError(401, "not_authorized", "Not_Authorized")
	require.Empty(t, s.get("/api/overview", as("guest", "wrong"), header("X-Warren-UI", "1")).Header().Get("WWW-Authenticate"),
		"the page asks for the password itself")
	require.NoError(t, s.b.UserDeclare("tagless", "pw"))
	a = s.get("/api/overview", as("tagless", "pw"))
	a.requireError(401, "not_authorised", "Not management user")
	require.Empty(t, a.Header().Get("WWW-Authenticate"), "another password would not help")
}

func TestPathsWithoutLogin(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{
		"version", "auth", "health/checks/is-in-service", "health/checks/below-node-connection-limit",
		"health/checks/ready-to-serve-clients", "health/checks/reached-target-cluster-size",
	} {
		require.Equal(t, 200, s.get("/api/"+path, noLogin).Code, path)
	}
	for _, path := range []string{"overview", "queues", "health/checks/alarms", "definitions", "warren/rpc", "warren/events"} {
		require.Equal(t, 401, s.get("/api/"+path, noLogin).Code, path)
	}
	require.Equal(t, 401, s.get("/metrics", noLogin).Code)
	open := newSite(t, &management.Options{OpenMetrics: true})
	require.Equal(t, 200, open.get("/metrics", noLogin).Code)
	require.Equal(t, 401, open.get("/api/overview", noLogin).Code)
}

func TestGuestComesFromThisMachine(t *testing.T) {
	s := newSite(t, nil)
	s.user("ops", warren.Administrator)
	for name, change := range map[string]func(*http.Request){
		"address": func(r *http.Request) { r.RemoteAddr = "192.0.2.1:4000" },
		"proxy":   header("X-Forwarded-For", "192.0.2.1"),
		"proxy2":  header("Forwarded", "for=192.0.2.1"),
		"host":    func(r *http.Request) { r.Host = "evil.example:15672" }, // a name that leads here
	} {
		s.get("/api/whoami", change).requireError(401, "not_authorised", "User can only log in via localhost")
		require.Equal(t, 200, s.get("/api/whoami", as("ops", "ops"), change).Code, name)
	}
	for _, host := range []string{"localhost:15672", "LOCALHOST", "[::1]:15672", "127.0.0.1", "app.localhost"} {
		require.Equal(t, 200, s.get("/api/whoami", func(r *http.Request) { r.Host = host }).Code, host)
	}
	require.Equal(t, 200, s.get("/api/whoami", func(r *http.Request) { r.RemoteAddr = "[::1]:4000" }).Code)
}

// TestTags follows what RabbitMQ 3.10 answers: management, policymaker, monitoring and
// administrator have permissions in "/", and none in "other".
func TestTags(t *testing.T) {
	s := newSite(t, &management.Options{NodeName: "warren@here"})
	s.want(201, "PUT", "/api/vhosts/other", "")
	s.want(201, "PUT", "/api/queues/other/q", "{}")
	for _, vhost := range []string{"%2F", "other"} {
		s.want(201, "PUT", "/api/policies/"+vhost+"/p", `{"pattern":"^zz","definition":{"max-length":5}}`)
	}
	tags := []string{warren.Management, warren.Policymaker, warren.Monitoring, warren.Administrator}
	for _, tag := range tags {
		s.user(tag, tag, "/")
	}
	for _, row := range []struct{ path, codes string }{
		{"overview", "200 200 200 200"},
		{"nodes", "401 401 200 200"},
		{"nodes/warren@here", "401 401 200 200"},
		{"nodes/warren@here/memory", "401 401 200 200"},
		{"extensions", "200 200 200 200"},
		{"cluster-name", "200 200 200 200"},
		{"connections", "200 200 200 200"},
		{"channels", "200 200 200 200"},
		{"consumers", "200 200 200 200"},
		{"exchanges", "200 200 200 200"},
		{"exchanges/other", "401 401 401 200"},
		{"exchanges/other/amq.direct", "401 401 401 200"},
		{"exchanges/other/amq.direct/bindings/source", "401 401 401 200"},
		{"queues", "200 200 200 200"},
		{"queues/other", "401 401 401 200"},
		{"queues/other/q", "401 401 401 200"},
		{"queues/other/q/bindings", "401 401 401 200"},
		{"bindings/other", "401 401 401 200"},
		{"vhosts", "200 200 200 200"},
		{"vhosts/other", "401 401 401 200"},
		{"vhosts/%2F/permissions", "401 401 401 200"},
		{"users", "401 401 401 200"},
		{"users/guest", "401 401 401 200"},
		{"permissions", "401 401 401 200"},
		{"topic-permissions", "401 401 401 200"},
		{"parameters", "401 200 401 200"},
		{"parameters/operator_policy/other", "401 401 401 200"},
		{"global-parameters", "401 200 401 200"},
		{"policies", "200 200 200 200"},
		{"policies/%2F/p", "401 200 401 200"},
		{"policies/other", "401 401 401 200"},
		{"operator-policies", "200 200 200 200"},
		{"vhost-limits/%2F", "200 200 200 200"},
		{"vhost-limits/other", "401 401 200 200"},
		{"definitions", "401 401 401 200"},
		{"definitions/%2F", "401 401 401 200"},
		{"aliveness-test/%2F", "200 200 200 200"},
		{"aliveness-test/other", "401 401 401 401"},
		{"health/checks/alarms", "200 200 200 200"},
		{"auth/attempts/warren@here", "401 401 200 200"},
		{"feature-flags", "401 401 401 200"},
		{"whoami", "200 200 200 200"},
		{"vhosts/other/connections", "401 401 401 200"},
		{"warren/rpc?vhost=other", "401 401 401 200"},
		{"warren/peek/other/q", "401 401 401 401"}, // messages need the permission to read them
		{"nonesuch", "404 404 404 404"},
	} {
		var codes []string
		for _, tag := range tags {
			codes = append(codes, http.StatusText(s.get("/api/"+row.path, as(tag, tag)).Code))
		}
		var want []string
		for code := range strings.FieldsSeq(row.codes) {
			want = append(want, map[string]string{"200": "OK", "401": "Unauthorized", "404": "Not Found"}[code])
		}
		require.Equal(t, want, codes, row.path)
	}
}

func TestTagsOfChanges(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/vhosts/other", "")
	tags := []string{warren.Management, warren.Policymaker, warren.Monitoring, warren.Administrator}
	for _, tag := range tags {
		s.user(tag, tag, "/")
	}
	const body = `{"pattern":"^zz","definition":{"max-length":5},"tags":"","configure":"","write":"","read":"","value":5,"name":"x","type":"direct"}`
	for _, row := range []struct{ method, path, allowed string }{
		{"PUT", "queues/%2F/new", "management policymaker monitoring administrator"},
		{"PUT", "queues/other/new", ""},
		{"PUT", "exchanges/other/new", ""},
		{"PUT", "policies/%2F/new", "policymaker administrator"},
		{"PUT", "policies/other/new", "administrator"},
		{"PUT", "operator-policies/%2F/new", "administrator"},
		{"PUT", "vhosts/new", "administrator"},
		{"PUT", "users/new", "administrator"},
		{"PUT", "permissions/%2F/management", "administrator"},
		{"PUT", "global-parameters/a", "policymaker administrator"},
		{"PUT", "cluster-name", "administrator"},
		{"PUT", "vhost-limits/%2F/max-queues", "administrator"},
		{"POST", "definitions", "administrator"},
		{"POST", "users/bulk-delete", "administrator"},
		{"DELETE", "vhosts/other", "administrator"},
		{"DELETE", "users/nobody", "administrator"},
	} {
		for _, tag := range tags {
			a := s.ask(row.method, "/api/"+row.path, body, as(tag, tag))
			if strings.Contains(" "+row.allowed+" ", " "+tag+" ") {
				require.NotEqual(t, 401, a.Code, "%s %s as %s: %s", row.method, row.path, tag, a.Body)
			} else {
				require.Equal(t, 401, a.Code, "%s %s as %s: %s", row.method, row.path, tag, a.Body)
			}
		}
	}
}

func TestAListShowsWhatTheUserMaySee(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/vhosts/other", "")
	s.want(201, "PUT", "/api/queues/other/theirs", "{}")
	s.want(201, "PUT", "/api/queues/%2F/ours", "{}")
	s.user("m", warren.Management, "/")
	s.user("o", warren.Monitoring, "/")
	s.user("a", warren.Administrator)
	require.Equal(t, []string{"ours"}, names(s.get("/api/queues", as("m", "m")).list(), "name"))
	require.Equal(t, []string{"ours"}, names(s.get("/api/queues", as("o", "o")).list(), "name"), "as in RabbitMQ")
	require.Equal(t, []string{"ours", "theirs"}, names(s.get("/api/queues", as("a", "a")).list(), "name"))
	require.Equal(t, []string{"/", "other"}, names(s.get("/api/vhosts", as("o", "o")).list(), "name"))
	require.Equal(t, []string{"/"}, names(s.get("/api/vhosts", as("m", "m")).list(), "name"))
	totals := s.get("/api/overview", as("m", "m")).object()["object_totals"].(object)
	require.Equal(t, 1.0, totals["queues"])
	totals = s.get("/api/overview", as("o", "o")).object()["object_totals"].(object)
	require.Equal(t, 2.0, totals["queues"])
}

func TestALostTagOrPasswordCountsAtOnce(t *testing.T) {
	s := newSite(t, nil)
	s.user("u", warren.Administrator)
	s.want(200, "GET", "/api/users", "", as("u", "u"))
	require.NoError(t, s.b.UserDeclare("u", "u", warren.Management))
	s.get("/api/users", as("u", "u")).requireError(401, "not_authorised", "Not administrator user")
	require.NoError(t, s.b.UserDeclare("u", "changed", warren.Administrator))
	s.want(401, "GET", "/api/users", "", as("u", "u"))
	s.want(200, "GET", "/api/users", "", as("u", "changed"))
	require.NoError(t, s.b.UserDelete("u"))
	s.want(401, "GET", "/api/users", "", as("u", "changed"))
}

func TestPermissionsOfOperations(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/q", "{}")
	s.publish("", "q", "m")
	s.user("u", warren.Management)
	v, err := s.b.VirtualHost("/")
	require.NoError(t, err)
	require.NoError(t, v.PermissionsSet("u", warren.Permissions{Configure: "^mine", Write: "", Read: "^mine"}))
	u := as("u", "u")
	s.want(201, "PUT", "/api/queues/%2F/mine", "{}", u)
	s.want(401, "PUT", "/api/queues/%2F/theirs", "{}", u)
	s.want(401, "DELETE", "/api/queues/%2F/q", "", u)
	s.want(401, "DELETE", "/api/queues/%2F/q/contents", "", u)
	s.want(401, "POST", "/api/queues/%2F/q/get", `{"count":1,"ackmode":"ack_requeue_true","encoding":"auto"}`, u)
	s.want(401, "GET", "/api/warren/peek/%2F/q", "", u)
	s.want(200, "GET", "/api/warren/peek/%2F/mine", "", u)
	s.want(401, "POST", "/api/exchanges/%2F/amq.default/publish", `{"routing_key":"mine","properties":{},"payload":"","payload_encoding":"string"}`, u)
	s.want(401, "POST", "/api/bindings/%2F/e/amq.topic/q/mine", "{}", u)
}

func TestHostsOwnLogin(t *testing.T) {
	s := newSite(t, &management.Options{Authenticate: func(r *http.Request) (warren.User, bool) {
		name := r.Header.Get("X-Session")
		tags := map[string][]string{"boss": {warren.Administrator}, "viewer": {warren.Monitoring}}
		return warren.User{Name: name, Tags: tags[name]}, name != ""
	}})
	s.want(401, "GET", "/api/overview", "") // the broker's own guest does not count
	s.want(200, "GET", "/api/users", "", header("X-Session", "boss"))
	s.want(201, "PUT", "/api/queues/%2F/q", "{}", header("X-Session", "boss"))
	s.want(401, "GET", "/api/users", "", header("X-Session", "viewer"))
	require.Equal(t, "guest", s.get("/api/whoami", header("X-Session", "guest")).object()["name"])
	s.want(200, "GET", "/api/users", "", header("X-Session", "guest")) // with the tags that the broker's user has
	s.want(401, "GET", "/api/overview", "", header("X-Session", "stranger"))
}

func TestPagesOfOtherSites(t *testing.T) {
	s := newSite(t, nil)
	for name, change := range map[string]func(*http.Request){
		"origin":    header("Origin", "https://evil.example"),
		"no origin": header("Origin", "null"),
		"site":      header("Sec-Fetch-Site", "cross-site"),
		"subdomain": header("Sec-Fetch-Site", "same-site"),
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
			a := s.ask(method, "/api/queues/%2F/q", "{}", change)
			require.Equal(t, 403, a.Code, "%s %s", name, method)
			require.Empty(t, a.Header().Get("Access-Control-Allow-Origin"))
		}
	}
	require.Empty(t, s.get("/api/queues").list(), "nothing was made")
	s.want(201, "PUT", "/api/queues/%2F/q", "{}", header("Origin", "http://127.0.0.1:15672"))
	s.want(204, "PUT", "/api/queues/%2F/q", "{}", header("Sec-Fetch-Site", "same-origin"))
	s.want(403, "GET", "/metrics", "", header("Sec-Fetch-Site", "cross-site"))
}

func TestAllowedOrigins(t *testing.T) {
	const ops = "https://ops.example"
	s := newSite(t, &management.Options{AllowOrigins: []string{ops}})
	a := s.want(200, "GET", "/api/overview", "", header("Origin", ops), header("Sec-Fetch-Site", "cross-site"))
	require.Equal(t, ops, a.Header().Get("Access-Control-Allow-Origin"))
	require.Equal(t, "Origin", a.Header().Get("Vary"))
	a = s.want(204, "OPTIONS", "/api/queues/%2F/q", "", noLogin, header("Origin", ops), header("Access-Control-Request-Method", "PUT"))
	require.Contains(t, a.Header().Get("Access-Control-Allow-Methods"), "PUT")
	s.want(403, "GET", "/api/overview", "", header("Origin", "https://evil.example"))
	all := newSite(t, &management.Options{AllowOrigins: []string{"*"}})
	a = all.want(200, "GET", "/api/overview", "", header("Origin", "https://any.example"))
	require.Equal(t, "*", a.Header().Get("Access-Control-Allow-Origin"))
	require.Empty(t, a.Header().Get("Access-Control-Allow-Credentials"))
}

func TestSecurityHeaders(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{"/api/overview", "/api/nonesuch", "/metrics"} {
		h := s.get(path).Header()
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		require.Equal(t, "no-store", h.Get("Cache-Control"), path)
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.Equal(t, "same-origin", h.Get("Cross-Origin-Resource-Policy"), path)
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t, nil)
	a := s.want(405, "POST", "/api/queues", "")
	require.Equal(t, "HEAD, GET, OPTIONS", a.Header().Get("Allow"))
	a = s.want(200, "OPTIONS", "/api/queues/%2F/q", "", noLogin)
	require.Equal(t, "HEAD, GET, PUT, DELETE, OPTIONS", a.Header().Get("Allow"))
	a = s.want(200, "HEAD", "/api/overview", "")
	require.Empty(t, a.Body.String())
	s.get("/api/nonesuch").requireError(404, "Object Not Found", "Not Found")
	s.get("/api/queues/%2F/q/nonesuch").requireError(404, "Object Not Found", "Not Found")
	s.get("/api/"+strings.Repeat("a/", 100)).requireError(404, "Object Not Found", "Not Found")
}

func TestLargeBodies(t *testing.T) {
	s := newSite(t, &management.Options{MaxBody: 1000})
	a := s.ask("PUT", "/api/queues/%2F/q", `{"arguments":{"a":"`+strings.Repeat("x", 1000)+`"}}`)
	require.Equal(t, 413, a.Code)
	require.Equal(t, "payload_too_large", a.object()["error"])
	s.want(201, "PUT", "/api/queues/%2F/q", `{}`)
}
