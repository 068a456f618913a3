package management_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPolicies(t *testing.T) {
	s := newSite(t, nil)
	for _, set := range []string{"policies", "operator-policies"} {
		path := "/api/" + set + "/%2F/"
		s.want(201, "PUT", path+"p", `{"pattern":"^a","definition":{"max-length":5},"priority":1,"apply-to":"queues"}`)
		s.want(204, "PUT", path+"p", `{"pattern":"^a","definition":{"max-length":5}}`)
		p := object{"vhost": "/", "name": "p", "pattern": "^a", "apply-to": "all", "definition": object{"max-length": 5.0}, "priority": 0.0}
		require.Equal(t, p, s.get(path+"p").object())
		require.Equal(t, []object{p}, s.get("/api/"+set).list())
		require.Equal(t, []object{p}, s.get(path).list())
		s.want(404, "GET", path+"none", "")
		s.want(404, "DELETE", path+"none", "")
		s.ask("PUT", path+"q", `{"pattern":"^a"}`).requireError(400, "bad_request", "[{key_missing,definition}]")
		for body, reason := range map[string]string{
			`{"pattern":"[","definition":{"max-length":5}}`:                           "pattern should be regular expression but is invalid",
			`{"pattern":"a","definition":{"zz":5}}`:                                   "not recognised policy settings",
			`{"pattern":"a","definition":{"max-length":5},"apply-to":"zz"}`:           "apply-to 'zz' unrecognised",
			`{"pattern":"a","definition":{"max-length":5},"priority":"zz"}`:           "priority should be a number",
			`{"pattern":"a","definition":{"max-length":5},"priority":99999999999999}`: "priority is out of range",
			`{"pattern":"a","definition":"x"}`:                                        "definition should be an object",
		} {
			a := s.want(400, "PUT", path+"q", body).object()
			require.True(t, strings.HasPrefix(a["reason"].(string), "Validation failed\n\n"), a["reason"])
			require.Contains(t, a["reason"], reason)
		}
	}
	s.want(404, "GET", "/api/policies/none", "")
	s.ask("PUT", "/api/policies/none/p", `{"pattern":"","definition":{}}`).requireError(404, "not_found", "vhost_not_found")
	s.want(201, "PUT", "/api/queues/%2F/abc", "{}")
	q := s.get("/api/queues/%2F/abc").object()
	require.Equal(t, "p", q["policy"])
	require.Equal(t, "p", q["operator_policy"])
	require.Equal(t, object{"max-length": 5.0}, q["effective_policy_definition"])
	s.want(204, "DELETE", "/api/policies/%2F/p", "")
	s.want(204, "DELETE", "/api/operator-policies/%2F/p", "")
	require.Nil(t, s.get("/api/queues/%2F/abc").object()["policy"])
}

func TestVirtualHostLimits(t *testing.T) {
	s := newSite(t, nil)
	require.Empty(t, s.get("/api/vhost-limits").list())
	s.want(204, "PUT", "/api/vhost-limits/%2F/max-queues", `{"value":1}`)
	require.Equal(t, []object{{"vhost": "/", "value": object{"max-queues": 1.0}}}, s.get("/api/vhost-limits").list())
	s.want(201, "PUT", "/api/queues/%2F/one", "{}")
	require.Equal(t, 400, s.ask("PUT", "/api/queues/%2F/two", "{}").Code)
	s.want(204, "PUT", "/api/vhost-limits/%2F/max-connections", `{"value":0}`)
	require.Equal(t, object{"max-queues": 1.0, "max-connections": 0.0}, s.get("/api/vhost-limits/%2F").list()[0]["value"])
	s.want(204, "DELETE", "/api/vhost-limits/%2F/max-connections", "")
	s.want(400, "PUT", "/api/vhost-limits/%2F/zz", `{"value":5}`)
	s.want(400, "PUT", "/api/vhost-limits/%2F/max-queues", `{"value":"x"}`)
	s.ask("PUT", "/api/vhost-limits/%2F/max-queues", `{}`).requireError(400, "bad_request", "[{key_missing,value}]")
	s.ask("PUT", "/api/vhost-limits/none/max-queues", `{"value":5}`).requireError(404, "not_found", "vhost_not_found")
	s.want(204, "DELETE", "/api/vhost-limits/%2F/max-queues", "")
	require.Empty(t, s.get("/api/vhost-limits/%2F").list())
	s.want(404, "GET", "/api/vhost-limits/none", "")
}

func TestParameters(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/parameters/vhost-limits/%2F/limits", `{"value":{"max-queues":10}}`)
	s.want(204, "PUT", "/api/parameters/vhost-limits/%2F/limits", `{"value":{"max-queues":11,"max-connections":-1}}`)
	s.want(201, "PUT", "/api/parameters/operator_policy/%2F/p", `{"value":{"pattern":"^a","definition":{"max-length":5},"priority":0,"apply-to":"queues"}}`)
	require.Equal(t, []object{
		{"component": "operator_policy", "vhost": "/", "name": "p", "value": object{"pattern": "^a", "definition": object{"max-length": 5.0}, "priority": 0.0, "apply-to": "queues"}},
		{"component": "vhost-limits", "vhost": "/", "name": "limits", "value": object{"max-queues": 11.0}},
	}, s.get("/api/parameters").list())
	require.Len(t, s.get("/api/parameters/vhost-limits/%2F").list(), 1)
	require.Empty(t, s.get("/api/parameters/shovel").list())
	s.want(201, "PUT", "/api/parameters/shovel/%2F/s", `{"value":{"src-uri":"amqp://","n":5}}`) // kept for tools; nothing acts on it
	s.want(204, "PUT", "/api/parameters/shovel/%2F/s", `{"value":{"src-uri":"amqp://","n":6}}`)
	require.Equal(t, object{"component": "shovel", "vhost": "/", "name": "s", "value": object{"src-uri": "amqp://", "n": 6.0}}, s.get("/api/parameters/shovel/%2F/s").object())
	s.want(204, "DELETE", "/api/parameters/shovel/%2F/s", "")
	s.want(404, "GET", "/api/parameters/shovel/%2F/s", "")
	require.Equal(t, "p", s.get("/api/parameters/operator_policy/%2F/p").object()["name"])
	s.ask("PUT", "/api/parameters/zz/%2F/p", `{"value":{}}`).requireError(400, "bad_request", "Validation failed\n\ncomponent zz not found\n")
	s.want(400, "PUT", "/api/parameters/vhost-limits/%2F/other", `{"value":{}}`)
	s.want(400, "PUT", "/api/parameters/vhost-limits/%2F/limits", `{"value":{"zz":1}}`)
	s.want(400, "PUT", "/api/parameters/vhost-limits/%2F/limits", `{"value":5}`)
	s.want(204, "DELETE", "/api/parameters/vhost-limits/%2F/limits", "")
	s.want(204, "DELETE", "/api/parameters/operator_policy/%2F/p", "")
	s.want(404, "DELETE", "/api/parameters/operator_policy/%2F/p", "")
	require.Empty(t, s.get("/api/parameters").list())
}

func TestGlobalParametersAndClusterName(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/global-parameters/g", `{"value":{"a":[1,{"b":null}]}}`)
	require.Equal(t, object{"name": "g", "value": object{"a": []any{1.0, object{"b": nil}}}}, s.get("/api/global-parameters/g").object())
	s.want(204, "PUT", "/api/global-parameters/g", `{"value":3}`)
	require.Equal(t, []string{"g", "internal_cluster_id"}, names(s.get("/api/global-parameters").list(), "name"))
	s.ask("PUT", "/api/global-parameters/g", `{}`).requireError(400, "bad_request", "[{key_missing,value}]")
	s.want(400, "PUT", "/api/global-parameters/g", `{"value":"`+strings.Repeat("x", 70<<10)+`"}`)
	s.want(204, "DELETE", "/api/global-parameters/g", "")
	s.want(404, "GET", "/api/global-parameters/g", "")
	s.want(404, "DELETE", "/api/global-parameters/g", "")
	s.want(204, "PUT", "/api/cluster-name", `{"name":"rabbit@home"}`)
	require.Equal(t, object{"name": "rabbit@home"}, s.get("/api/cluster-name").object())
	require.Equal(t, "rabbit@home", s.get("/api/overview").object()["cluster_name"])
	s.ask("PUT", "/api/cluster-name", `{}`).requireError(400, "bad_request", "[{key_missing,name}]")
}
