package management_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPages(t *testing.T) {
	s := newSite(t, nil)
	for i := range 25 {
		s.want(201, "PUT", fmt.Sprintf("/api/queues/%%2F/q%02d", i), "{}")
	}
	s.want(201, "PUT", "/api/queues/%2F/other", "{}")
	p := s.want(200, "GET", "/api/queues?page=2&page_size=10", "").object()
	items := p["items"].([]any)
	require.Len(t, items, 10)
	require.Equal(t, "q09", items[0].(object)["name"])
	delete(p, "items")
	require.Equal(t, object{"filtered_count": 26.0, "item_count": 10.0, "page": 2.0, "page_count": 3.0, "page_size": 10.0, "total_count": 26.0}, p)
	p = s.want(200, "GET", "/api/queues/%2F?page=1&use_regex=true&pagination=false&name=^Q1&page_size=100", "").object()
	require.Equal(t, 10.0, p["filtered_count"])
	require.Equal(t, 1.0, p["page_count"])
	p = s.want(200, "GET", "/api/queues?page=1&name=OTHER", "").object()
	require.Equal(t, 1.0, p["filtered_count"])
	require.Equal(t, 26.0, p["total_count"])
	p = s.want(200, "GET", "/api/queues?page=1&name=none", "").object()
	require.Empty(t, p["items"])
	require.Equal(t, 0.0, p["page_count"])
	require.Len(t, s.get("/api/queues?name=other").list(), 26, "RabbitMQ filters pages only")
}

func TestBadPages(t *testing.T) {
	s := newSite(t, nil)
	s.get("/api/queues?page=9").requireError(400, "page_out_of_range", "Page out of range, page: 9 page size: 100, len: 0")
	s.get("/api/queues?page=0").requireError(400, "invalid_pagination_parameters", "Invalid pagination parameters: page number 0, page size 100")
	s.get("/api/queues?page=x").requireError(400, "bad_request", "Pagination parameters are invalid")
	for _, q := range []string{"page=-1", "page=1&page_size=0", "page=1&page_size=10001", "page=99999999999999999999", "page=1&use_regex=true&name=(", "page=", "a;b", "%zz"} {
		require.Equal(t, 400, s.get("/api/queues?"+q).Code, q)
	}
	long := make([]byte, 2000)
	for i := range long {
		long[i] = 'a'
	}
	require.Equal(t, 400, s.get("/api/queues?page=1&name="+string(long)).Code)
}

func TestSorting(t *testing.T) {
	s := newSite(t, nil)
	for i, name := range []string{"b", "c", "a"} {
		s.want(201, "PUT", "/api/queues/%2F/"+name, "{}")
		for range i {
			s.publish("", name, "m")
		}
	}
	sorted := func(query string) []string { return names(s.get("/api/queues?"+query).list(), "name") }
	require.Equal(t, []string{"a", "b", "c"}, sorted(""))
	require.Equal(t, []string{"c", "b", "a"}, sorted("sort_reverse=true"))
	require.Equal(t, []string{"b", "c", "a"}, sorted("sort=messages"))
	require.Equal(t, []string{"a", "c", "b"}, sorted("sort=messages&sort_reverse=true"))
	require.Equal(t, []string{"b", "c", "a"}, sorted("sort=message_stats.publish"), "what is not there counts as zero")
	require.Equal(t, []string{"a", "b", "c"}, sorted("sort=nonesuch"))
	require.Equal(t, []string{"a", "b", "c"}, sorted("sort=message_stats"))
	require.Equal(t, []string{"a", "b", "c"}, sorted("sort=name.deeper"))
	require.Equal(t, 400, s.get("/api/queues?sort=a.b.c.d.e.f.g.h.i.j").Code)
}

func TestColumns(t *testing.T) {
	s := newSite(t, nil)
	s.want(201, "PUT", "/api/queues/%2F/q", `{"arguments":{"x-max-length":7,"x-expires":100000}}`)
	s.publish("", "q", "m")
	require.Equal(t, []object{{"name": "q", "messages": 1.0}}, s.get("/api/queues?columns=name,messages,nonesuch").list())
	require.Equal(t, []object{{"message_stats": object{"publish": 1.0, "publish_details": object{"rate": 0.0}}, "arguments": object{"x-max-length": 7.0}}},
		s.get("/api/queues?columns=message_stats.publish,message_stats.publish_details.rate,arguments.x-max-length").list())
	require.Equal(t, object{"name": "q"}, s.get("/api/queues/%2F/q?columns=name").object())
	require.Equal(t, object{}, s.get("/api/queues/%2F/q?columns=nonesuch").object())
	p := s.get("/api/queues?page=1&columns=name").object()
	require.Equal(t, []any{object{"name": "q"}}, p["items"])
	require.Equal(t, 1.0, p["page_count"])
}
