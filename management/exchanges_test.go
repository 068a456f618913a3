package management_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBindings(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/exchanges/%2F/x", `{"type":"topic"}`)
	s.want(201, "PUT", "/api/queues/%2F/q", "{}")
	require.Equal(t, "q/a.b", s.want(201, "POST", "/api/bindings/%2F/e/x/q/q", `{"routing_key":"a.b","arguments":{}}`).Header().Get("Location"))
	withArgs := s.want(201, "POST", "/api/bindings/%2F/e/x/q/q", `{"routing_key":"a.b","arguments":{"x":1}}`).Header().Get("Location")
	require.Regexp(t, `^q/a\.b~.+`, withArgs)
	require.Equal(t, "q/~", s.want(201, "POST", "/api/bindings/%2F/e/x/q/q", `{}`).Header().Get("Location"))
	odd := s.want(201, "POST", "/api/bindings/%2F/e/x/e/amq.fanout", `{"routing_key":"k/~ %"}`).Header().Get("Location")
	require.Equal(t, "amq.fanout/k%252F%257E%2B%2525", odd)
	list := s.get("/api/bindings/%2F/e/x/q/q").list()
	require.Len(t, list, 3)
	require.Equal(t, object{"source": "x", "vhost": "/", "destination": "q", "destination_type": "queue", "routing_key": "", "arguments": object{}, "properties_key": "~"}, list[0])
	require.Len(t, s.get("/api/bindings").list(), 5, "with that of the queue to the default exchange")
	require.Len(t, s.get("/api/exchanges/%2F/x/bindings/source").list(), 4)
	require.Len(t, s.get("/api/exchanges/%2F/amq.fanout/bindings/destination").list(), 1)
	require.Len(t, s.get("/api/exchanges/%2F/amq.default/bindings/source").list(), 1)
	require.Len(t, s.get("/api/queues/%2F/q/bindings").list(), 4)
	s.want(200, "GET", "/api/bindings/%2F/e/x/q/"+withArgs, "")
	s.want(404, "GET", "/api/bindings/%2F/e/x/q/q/zzz", "")
	s.want(201, "POST", "/api/bindings/%2F/e/x/e/amq.fanout", `{"routing_key":"k/m"}`)
	s.want(200, "GET", "/api/bindings/%2F/e/x/e/amq.fanout/k%252Fm", "")
	s.want(204, "DELETE", "/api/bindings/%2F/e/x/e/amq.fanout/k%2Fm", "") // escaped once
	s.want(201, "POST", "/api/bindings/%2F/e/x/e/amq.fanout", `{"routing_key":"~"}`)
	s.want(404, "DELETE", "/api/bindings/%2F/e/x/e/amq.fanout/~", "") // that is the empty key
	s.want(204, "DELETE", "/api/bindings/%2F/e/x/e/amq.fanout/%257E", "")
	s.want(201, "POST", "/api/bindings/%2F/e/x/q/q%0A", `{"routing_key":"a.b"}`)
	s.want(404, "DELETE", "/api/bindings/%2F/e/x/q/q/zzz", "")
	for _, b := range []string{"q/q/a.b", "q/q/~", "q/" + withArgs, "e/" + odd} {
		s.want(204, "DELETE", "/api/bindings/%2F/e/x/"+b, "")
	}
	require.Len(t, s.get("/api/bindings").list(), 1)
	s.ask("POST", "/api/bindings/%2F/e/x/q/none", `{}`).requireError(404, "not_found", "no queue 'none' in vhost '/'")
	s.ask("POST", "/api/bindings/%2F/e/none/q/q", `{}`).requireError(404, "not_found", "no exchange 'none' in vhost '/'")
}

func TestExchanges(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/exchanges/%2F/x", `{"type":"topic","durable":true,"internal":true,"auto_delete":true,"arguments":{"alternate-exchange":"amq.fanout"}}`)
	x := s.get("/api/exchanges/%2F/x").object()
	require.Equal(t, object{"alternate-exchange": "amq.fanout"}, x["arguments"])
	for _, member := range []string{"durable", "internal", "auto_delete"} {
		require.Equal(t, true, x[member], member)
	}
	require.Equal(t, "topic", x["type"])
	s.ask("PUT", "/api/exchanges/%2F/x", `{"type":"fanout","durable":true}`).requireError(400, "bad_request",
		"inequivalent arg 'type' for exchange 'x' in vhost '/': received 'fanout' but current is 'topic'")
	s.want(201, "PUT", "/api/exchanges/%2F/plain", `{}`)
	require.Equal(t, "direct", s.get("/api/exchanges/%2F/plain").object()["type"])
	require.Equal(t, 400, s.ask("PUT", "/api/exchanges/%2F/y", `{"type":"nonesuch"}`).Code)
	require.Equal(t, 401, s.ask("PUT", "/api/exchanges/%2F/amq.y", `{"type":"topic"}`).Code)
	require.Equal(t, 401, s.ask("DELETE", "/api/exchanges/%2F/amq.direct", ``).Code)
	require.Equal(t, "", s.get("/api/exchanges/%2F/amq.default").object()["name"])
	s.want(201, "POST", "/api/bindings/%2F/e/plain/e/amq.fanout", `{}`)
	require.Equal(t, 400, s.ask("DELETE", "/api/exchanges/%2F/plain?if-unused=true", ``).Code)
	s.want(204, "DELETE", "/api/exchanges/%2F/plain", ``)
	s.want(404, "DELETE", "/api/exchanges/%2F/plain", ``)
	require.Equal(t, []string{"", "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.topic", "x"}, names(s.get("/api/exchanges").list(), "name"))
}
