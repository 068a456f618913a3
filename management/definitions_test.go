package management_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefinitionsOutAndIn(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/vhosts/v", "")
	s.want(201, "PUT", "/api/queues/v/q", `{"durable":true}`)
	s.want(201, "PUT", "/api/exchanges/v/x", `{"type":"topic"}`)
	s.want(201, "POST", "/api/bindings/v/e/x/q/q", `{"routing_key":"a.#"}`)
	s.want(201, "PUT", "/api/users/u", `{"password":"p","tags":"monitoring"}`)
	s.want(201, "PUT", "/api/global-parameters/g", `{"value":1}`)
	a := s.want(200, "GET", "/api/definitions?download=my%20file.json", "")
	require.Equal(t, `attachment; filename="my file.json"`, a.Header().Get("Content-Disposition"))
	d := a.object()
	require.Equal(t, "4.2.0", d["rabbitmq_version"])
	require.Equal(t, "4.2.0", d["rabbit_version"])
	require.Equal(t, "Warren", d["product_name"])
	require.NotEmpty(t, d["product_version"])
	require.Equal(t, []any{object{"name": "g", "value": 1.0}}, d["global_parameters"])

	other := newSite(t, nil)
	other.want(204, "POST", "/api/definitions", a.Body.String())
	other.want(204, "POST", "/api/definitions", a.Body.String())
	require.Equal(t, s.get("/api/queues/v?columns=name,durable").list(), other.get("/api/queues/v?columns=name,durable").list())
	require.Equal(t, s.get("/api/bindings/v").list(), other.get("/api/bindings/v").list())
	require.NoError(t, other.b.Authenticate("u", "p"))
	require.Equal(t, 1.0, other.get("/api/global-parameters/g").object()["value"])

	one := s.want(200, "GET", "/api/definitions/v", "")
	require.NotContains(t, one.object(), "users")
	require.NotContains(t, one.object(), "global_parameters")
	third := newSite(t, nil)
	third.want(201, "PUT", "/api/vhosts/elsewhere", "")
	third.want(204, "POST", "/api/definitions/elsewhere", one.Body.String())
	require.Equal(t, []string{"q"}, names(third.get("/api/queues/elsewhere").list(), "name"))
}

func TestDefinitionsErrors(t *testing.T) {
	s := newSite(t, nil)
	for _, body := range []string{"", " ", "{zz", "[]", "null", `{"queues":5}`, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)} {
		require.Equal(t, 400, s.ask("POST", "/api/definitions", body).Code, body)
	}
	a := s.want(400, "POST", "/api/definitions", `{"queues":[{"name":"good","vhost":"/","durable":true,"auto_delete":false,"arguments":{}},
		{"name":"q","vhost":"nowhere","durable":true,"auto_delete":false,"arguments":{}}]}`)
	require.Contains(t, a.object()["reason"], "queue 'q' in vhost 'nowhere'")
	require.Equal(t, []string{"good"}, names(s.get("/api/queues").list(), "name"), "what can be made is made")
	s.ask("POST", "/api/definitions", "{zz").requireError(400, "bad_request", "failed_to_parse_json")
	s.ask("POST", "/api/definitions/none", "{}").requireError(404, "not_found", "vhost_not_found")
	s.get("/api/definitions/none").requireError(400, "bad_request", "vhost_not_found")
	s.want(413, "POST", "/api/definitions", `{"queues":"`+strings.Repeat("x", 64<<20)+`"}`)
}

func form(t *testing.T, fields map[string]string) (body string, change func(*http.Request)) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range fields {
		part, err := w.CreateFormFile(name, name+".json")
		require.NoError(t, err)
		_, err = part.Write([]byte(value))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.String(), header("Content-Type", w.FormDataContentType())
}

func TestDefinitionsUpload(t *testing.T) {
	s := newSite(t, nil)
	body, kind := form(t, map[string]string{"file": `{"queues":[{"name":"q","vhost":"/","durable":true,"auto_delete":false,"arguments":{}}]}`, "redirect": "../#/import"})
	require.Equal(t, "../#/import", s.want(303, "POST", "/api/definitions", body, kind).Header().Get("Location"))
	require.Len(t, s.get("/api/queues").list(), 1)
	for _, to := range []string{"https://evil.example/", "//evil.example/", `\\evil.example`, "javascript:alert(1)"} {
		body, kind = form(t, map[string]string{"file": `{}`, "redirect": to})
		require.Equal(t, 400, s.ask("POST", "/api/definitions", body, kind).Code, to)
	}
	body, kind = form(t, map[string]string{"file": `zz`})
	s.want(400, "POST", "/api/definitions/upload", body, kind)
	s.want(400, "POST", "/api/definitions", body[:20], kind)
	s.want(400, "POST", "/api/definitions", "", kind)
}

func TestDefinitionsOfManyQueues(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"queues":[`)
	const n = 50_000
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"queue-%d","vhost":"/","durable":true,"auto_delete":false,"arguments":{"x-max-length":%d}}`, i, i+1)
	}
	b.WriteString(`]}`)
	s := newSite(t, nil)
	s.want(204, "POST", "/api/definitions", b.String())
	require.Equal(t, float64(n), s.get("/api/overview").object()["object_totals"].(object)["queues"])
	d := s.want(200, "GET", "/api/definitions", "").object()
	require.Len(t, d["queues"], n)
}
