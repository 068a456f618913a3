package management_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/management"
)

func TestUsersSeeTheirOwnRights(t *testing.T) {
	b := warren.New(nil)
	defer b.Close()
	require.NoError(t, b.UserDeclare("ann", "secret", warren.Monitoring))
	require.NoError(t, b.UserDeclare("bob", "secret"))
	other, err := b.VirtualHostDeclare("a/b")
	require.NoError(t, err)
	require.NoError(t, other.PermissionsSet("ann", warren.Permissions{Configure: "^mine", Write: "", Read: ".*"}))
	require.NoError(t, other.PermissionsSet("bob", warren.Permissions{Configure: ".*", Write: ".*", Read: ".*"}))

	ask := func(h http.Handler, user string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/api/warren/rights", nil)
		r.SetBasicAuth(user, "secret")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	h := management.NewHandler(b, nil)
	w := ask(h, "ann")
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"name":"ann","permissions":[{"user":"ann","vhost":"a/b","configure":"^mine","write":"","read":".*"}]}`, w.Body.String())
	require.Equal(t, 401, ask(h, "bob").Code, "has no tag")

	// The broker does not check users of the host that it does not know.
	h = management.NewHandler(b, &management.Options{Authenticate: func(*http.Request) (warren.User, bool) {
		return warren.User{Name: "carol", Tags: []string{warren.Management}}, true
	}})
	w = ask(h, "carol")
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, `{"name":"carol","permissions":[
		{"user":"carol","vhost":"/","configure":".*","write":".*","read":".*"},
		{"user":"carol","vhost":"a/b","configure":".*","write":".*","read":".*"}]}`, w.Body.String())
}
