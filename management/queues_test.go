package management_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

func TestQueuesAreMadeListedAndDeleted(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/jobs", `{"durable":true,"arguments":{"x-max-length":5}}`)
	s.want(204, "PUT", "/api/queues/%2F/jobs", `{"durable":"true","arguments":{"x-max-length":5}}`)
	s.ask("PUT", "/api/queues/%2F/jobs", `{}`).requireError(400, "bad_request",
		"inequivalent arg 'durable' for queue 'jobs' in vhost '/': received 'false' but current is 'true'")
	q := s.get("/api/queues/%2F/jobs").object()
	require.Equal(t, "jobs", q["name"])
	require.Equal(t, "/", q["vhost"])
	require.Equal(t, "classic", q["type"])
	require.Equal(t, true, q["durable"])
	require.Equal(t, object{"x-max-length": 5.0}, q["arguments"])
	require.NotContains(t, q, "message_stats", "an object without traffic has none")
	require.Len(t, s.get("/api/queues").list(), 1)
	require.Len(t, s.get("/api/queues/%2F/").list(), 1, "a slash at the end does not count")
	s.want(204, "DELETE", "/api/queues/%2F/jobs", "")
	s.get("/api/queues/%2F/jobs").requireError(404, "Object Not Found", "Not Found")
	s.ask("DELETE", "/api/queues/%2F/jobs", "").requireError(404, "Object Not Found", "Not Found")
}

func TestQueueErrors(t *testing.T) {
	s := newSite(t, nil)
	s.ask("PUT", "/api/queues/nowhere/q", `{}`).requireError(404, "not_found", "vhost_not_found")
	s.get("/api/queues/nowhere").requireError(404, "Object Not Found", "Not Found")
	for _, body := range []string{`{"durable":tru`, `[]`, `{} {}`, `"x"`, `{"arguments":{"a":` + strings.Repeat(`[`, 5000) + strings.Repeat(`]`, 5000) + `}}`} {
		require.Equal(t, 400, s.ask("PUT", "/api/queues/%2F/q", body).Code, body[:min(len(body), 30)])
	}
	require.Equal(t, 400, s.ask("PUT", "/api/queues/%2F/q", `{"durable":"zz"}`).Code)
	require.Equal(t, 400, s.ask("PUT", "/api/queues/%2F/q", `{"arguments":"zz"}`).Code)
	require.Equal(t, 400, s.ask("PUT", "/api/queues/%2F/q", `{"arguments":{"x-message-ttl":"zz"}}`).Code)
	require.Equal(t, 401, s.ask("PUT", "/api/queues/%2F/amq.q", `{}`).Code, "a reserved name")
	s.want(201, "PUT", "/api/queues/%2F/empty-list", `{"arguments":[]}`)
	s.want(201, "PUT", "/api/queues/%2F/no-body", ``)
	s.want(201, "PUT", "/api/queues/%2F/null", `null`)
	s.want(400, "PUT", "/api/queues/%2F/q", `{"durable":null}`)
}

func TestQueueDeleteConditions(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/q", `{}`)
	s.publish("", "q", "m")
	require.Equal(t, 400, s.ask("DELETE", "/api/queues/%2F/q?if-empty=true", "").Code)
	s.want(204, "DELETE", "/api/queues/%2F/q/contents", "")
	s.want(404, "DELETE", "/api/queues/%2F/none/contents", "")
	ch, err := s.b.Channel()
	require.NoError(t, err)
	_, err = ch.Consume("q", warren.ConsumeOptions{})
	require.NoError(t, err)
	require.Equal(t, 400, s.ask("DELETE", "/api/queues/%2F/q?if-unused=true", "").Code)
	require.Equal(t, 1.0, s.get("/api/queues/%2F/q").object()["consumers"])
	s.want(204, "DELETE", "/api/queues/%2F/q?if-empty=true", "")
}

func TestQueueActions(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/q", `{}`)
	s.want(204, "POST", "/api/queues/%2F/q/actions", `{"action":"sync"}`)
	s.want(400, "POST", "/api/queues/%2F/q/actions", `{"action":"fly"}`)
	s.ask("POST", "/api/queues/%2F/q/actions", `{}`).requireError(400, "bad_request", "[{key_missing,action}]")
}

func TestNamesOfAllKindsInPaths(t *testing.T) {
	for _, name := range []string{
		"/", "%2F", "a/b", "..", ".", " ", "a b", "a+b", "?", "#", `"quoted"`, "<script>alert(1)</script>", "tab\t",
		"ünï", "\u2028", "detailed", strings.Repeat("x", 255), strings.Repeat("ü", 127),
	} {
		t.Run(fmt.Sprintf("%.20q", name), func(t *testing.T) {
			s := newSite(t, nil)
			for _, vhost := range []string{"/", name} {
				v := url.PathEscape(vhost)
				if vhost != "/" {
					s.want(201, "PUT", "/api/vhosts/"+v, "")
				}
				path := "/api/queues/" + v + "/" + url.PathEscape(name)
				s.want(201, "PUT", path, `{}`)
				q := s.want(200, "GET", path, "").object()
				require.Equal(t, name, q["name"])
				require.Equal(t, vhost, q["vhost"])
				require.NotContains(t, s.get(path).Body.String(), "<", "markup is escaped")
				require.Contains(t, names(s.want(200, "GET", "/api/queues/"+v, "").list(), "name"), name)
				s.want(201, "POST", "/api/bindings/"+v+"/e/amq.topic/q/"+url.PathEscape(name), `{"routing_key":"k"}`)
				bound := s.get("/api/queues/" + v + "/" + url.PathEscape(name) + "/bindings").list()
				require.Len(t, bound, 2)
				s.want(204, "DELETE", path, "")
			}
			if name != "/" {
				s.want(204, "DELETE", "/api/vhosts/"+url.PathEscape(name), "")
			}
		})
	}
}

func TestLineBreaksLeaveNames(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/line%0D%0Abreak", `{}`)
	require.Equal(t, []string{"linebreak"}, names(s.get("/api/queues").list(), "name"), "as in RabbitMQ")
	s.want(201, "PUT", "/api/vhosts/line%0Abreak", "")
	require.Equal(t, "line\nbreak", s.get("/api/vhosts/line%0Abreak").object()["name"])
}
