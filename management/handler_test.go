package management_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/management"
)

// site is a handler and its broker.
type site struct {
	t *testing.T
	b *warren.Broker
	h http.Handler
}

func newSite(t *testing.T, o *management.Options) *site {
	t.Helper()
	return newSiteOf(t, warren.New(nil), o)
}

func newSiteOf(t *testing.T, b *warren.Broker, o *management.Options) *site {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return &site{t: t, b: b, h: management.NewHandler(b, o)}
}

// answer is what the handler said.
type answer struct {
	*httptest.ResponseRecorder
	t *testing.T
}

// ask sends a request as guest from this machine. Functions may change it.
func (s *site) ask(method, path, body string, change ...func(*http.Request)) answer {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr, r.Host = "127.0.0.1:40000", "127.0.0.1:15672"
	r.SetBasicAuth("guest", "guest")
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return answer{w, s.t}
}

func (s *site) get(path string, change ...func(*http.Request)) answer {
	s.t.Helper()
	return s.ask(http.MethodGet, path, "", change...)
}

// want sends a request and wants a status.
func (s *site) want(status int, method, path, body string, change ...func(*http.Request)) answer {
	s.t.Helper()
	a := s.ask(method, path, body, change...)
	require.Equal(s.t, status, a.Code, "%s %s: %s", method, path, a.Body)
	return a
}

// as sends a request with another login.
func as(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// header sets a header of a request.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

// decode reads the answer's JSON into a new T.
func decode[T any](a answer) T {
	a.t.Helper()
	var v T
	require.NoError(a.t, json.Unmarshal(a.Body.Bytes(), &v), a.Body.String())
	return v
}

type object = map[string]any

func (a answer) object() object { a.t.Helper(); return decode[object](a) }
func (a answer) list() []object { a.t.Helper(); return decode[[]object](a) }

// requireError wants a status with RabbitMQ's JSON of an error.
func (a answer) requireError(status int, kind, reason string) {
	a.t.Helper()
	require.Equal(a.t, status, a.Code, a.Body.String())
	require.Equal(a.t, object{"error": kind, "reason": reason}, a.object())
}

// names returns a member of each object.
func names(list []object, member string) []string {
	var all []string
	for _, o := range list {
		text, _ := o[member].(string)
		all = append(all, text)
	}
	return all
}

// user makes an account with a tag, whose password is its name, and gives it all
// permissions in virtual hosts.
func (s *site) user(name, tag string, vhosts ...string) {
	s.t.Helper()
	require.NoError(s.t, s.b.UserDeclare(name, name, tag))
	for _, vhost := range vhosts {
		v, err := s.b.VirtualHost(vhost)
		require.NoError(s.t, err)
		require.NoError(s.t, v.PermissionsSet(name, warren.AllPermissions()))
	}
}

// publish publishes messages in the process.
func (s *site) publish(exchange, key string, bodies ...string) {
	s.t.Helper()
	ch, err := s.b.Channel()
	require.NoError(s.t, err)
	defer ch.Close()
	for _, body := range bodies {
		require.NoError(s.t, ch.Publish(s.t.Context(), exchange, key, warren.Message{Body: []byte(body)}, warren.PublishOptions{}))
	}
}
