package management_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
)

func TestUsers(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/users/u1", `{"password":"p","tags":"management, policymaker"}`)
	require.NoError(t, s.b.Authenticate("u1", "p"))
	u := s.get("/api/users/u1").object()
	require.Equal(t, []any{"management", "policymaker"}, u["tags"])
	require.Equal(t, object{}, u["limits"])
	s.want(204, "PUT", "/api/users/u1", `{"tags":["monitoring"]}`)
	require.Equal(t, []any{"monitoring"}, s.get("/api/users/u1").object()["tags"])
	require.Error(t, s.b.Authenticate("u1", "p"), "without a word of a password there is none")

	hash := s.want(200, "GET", "/api/auth/hash_password/secret", "").object()["ok"].(string)
	s.want(201, "PUT", "/api/users/u2", `{"password_hash":"`+hash+`","hashing_algorithm":"rabbit_password_hashing_sha256","tags":""}`)
	require.NoError(t, s.b.Authenticate("u2", "secret"))
	require.Equal(t, hash, s.get("/api/users/u2").object()["password_hash"])

	s.ask("PUT", "/api/users/u3", `{"password":"p"}`).requireError(400, "bad_request", "tags_not_present")
	require.Equal(t, 400, s.ask("PUT", "/api/users/u3", `{"password_hash":"zz","tags":""}`).Code)
	for _, body := range []string{`{"password":"p","tags":5}`, `{"password":"p","password_hash":"","tags":""}`, `{"password":5,"tags":""}`, `{"password_hash":null,"tags":""}`} {
		require.Equal(t, 400, s.ask("PUT", "/api/users/u3", body).Code, body)
	}
	require.Equal(t, 400, s.ask("PUT", "/api/users/"+strings.Repeat("u", 256), `{"password":"p","tags":""}`).Code)
	require.Equal(t, []string{"guest", "u1", "u2"}, names(s.get("/api/users").list(), "name"))
	require.Equal(t, []string{"u1", "u2"}, names(s.get("/api/users/without-permissions").list(), "name"))
	s.want(404, "GET", "/api/users/none", "")
	s.want(404, "DELETE", "/api/users/none", "")
	s.want(204, "DELETE", "/api/users/u1", "")
	s.want(204, "POST", "/api/users/bulk-delete", `{"users":["u2"]}`)
	s.want(400, "POST", "/api/users/bulk-delete", `{"users":["none"]}`)
	s.ask("POST", "/api/users/bulk-delete", `{}`).requireError(400, "bad_request", "[{key_missing,users}]")
	require.Equal(t, object{"name": "guest", "tags": []any{"administrator"}}, s.get("/api/whoami").object())
}

func TestPermissions(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/vhosts/v", "")
	s.want(201, "PUT", "/api/users/u", `{"password":"p","tags":""}`)
	s.want(201, "PUT", "/api/permissions/v/u", `{"configure":".*","write":"^a","read":""}`)
	s.want(204, "PUT", "/api/permissions/v/u", `{"configure":".*","write":"^a","read":""}`)
	p := object{"user": "u", "vhost": "v", "configure": ".*", "write": "^a", "read": ""}
	require.Equal(t, p, s.get("/api/permissions/v/u").object())
	require.Equal(t, []object{p}, s.get("/api/users/u/permissions").list())
	require.Contains(t, s.get("/api/vhosts/v/permissions").list(), p)
	require.Len(t, s.get("/api/permissions").list(), 3, "with those of guest")
	require.Equal(t, 400, s.ask("PUT", "/api/permissions/v/u", `{"configure":".*","write":".*","read":"["}`).Code)
	s.ask("PUT", "/api/permissions/v/u", `{"configure":".*","write":".*"}`).requireError(400, "bad_request", "[{key_missing,read}]")
	for _, path := range []string{"v/none", "none/u"} {
		s.ask("PUT", "/api/permissions/"+path, `{"configure":"","write":"","read":""}`).requireError(400, "bad_request", "vhost_or_user_not_found")
	}
	s.want(204, "DELETE", "/api/permissions/v/u", "")
	s.want(404, "DELETE", "/api/permissions/v/u", "")
	s.want(404, "GET", "/api/permissions/v/u", "")
	s.want(404, "GET", "/api/users/none/permissions", "")
}

func TestTopicPermissions(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/users/u", `{"password":"p","tags":""}`)
	s.want(201, "PUT", "/api/topic-permissions/%2F/u", `{"exchange":"amq.topic","write":"^a","read":""}`)
	s.want(204, "PUT", "/api/topic-permissions/%2F/u", `{"exchange":"amq.topic","write":"^b","read":""}`)
	p := object{"user": "u", "vhost": "/", "exchange": "amq.topic", "write": "^b", "read": ""}
	for _, path := range []string{"topic-permissions", "topic-permissions/%2F/u", "users/u/topic-permissions", "vhosts/%2F/topic-permissions"} {
		require.Equal(t, []object{p}, s.get("/api/"+path).list(), path)
	}
	require.Equal(t, p, s.get("/api/topic-permissions/%2F/u/amq.topic").object())
	s.want(404, "GET", "/api/topic-permissions/%2F/guest", "")
	s.want(400, "PUT", "/api/topic-permissions/%2F/u", `{"exchange":"amq.topic","write":"[","read":""}`)
	s.want(400, "PUT", "/api/topic-permissions/%2F/none", `{"exchange":"amq.topic","write":"","read":""}`)
	s.want(204, "DELETE", "/api/topic-permissions/%2F/u/amq.topic", "")
	s.want(404, "DELETE", "/api/topic-permissions/%2F/u", "")
}

func TestVirtualHosts(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/vhosts/v", `{"description":"for tests","tags":"a,b","default_queue_type":"quorum","tracing":true}`)
	v := s.get("/api/vhosts/v").object()
	require.Equal(t, "for tests", v["description"])
	require.Equal(t, []any{"a", "b"}, v["tags"])
	require.Equal(t, object{"description": "for tests", "tags": []any{"a", "b"}}, v["metadata"])
	require.Equal(t, true, v["tracing"])
	require.Equal(t, 0.0, v["messages"])
	s.want(204, "PUT", "/api/vhosts/v", "")
	require.Equal(t, "", s.get("/api/vhosts/v").object()["description"])
	require.Equal(t, []string{"/", "v"}, names(s.get("/api/vhosts").list(), "name"))
	s.want(404, "GET", "/api/vhosts/none", "")
	s.want(404, "DELETE", "/api/vhosts/none", "")
	require.Equal(t, 400, s.ask("DELETE", "/api/vhosts/%2F", "").Code)
	s.want(204, "DELETE", "/api/vhosts/v", "")
	require.Equal(t, 400, s.ask("PUT", "/api/vhosts/"+strings.Repeat("v", 256), "").Code)
	s.user("boss", warren.Administrator)
	s.want(201, "PUT", "/api/vhosts/theirs", "", as("boss", "boss"))
	s.want(201, "PUT", "/api/queues/theirs/q", "", as("boss", "boss")) // who makes it may use it
}
