package management_test

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/management"
)

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestHealthChecks(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{
		"alarms", "local-alarms", "virtual-hosts", "is-in-service", "ready-to-serve-clients", "below-node-connection-limit",
		"certificate-expiration/1/weeks",
	} {
		require.Equal(t, object{"status": "ok"}, s.want(200, "GET", "/api/health/checks/"+path, "").object(), path)
	}
	for _, path := range []string{"node-is-mirror-sync-critical", "node-is-quorum-critical"} {
		require.Equal(t, object{"status": "ok", "reason": "single node cluster"}, s.get("/api/health/checks/"+path).object(), path)
	}
	s.get("/api/health/checks/certificate-expiration/1/zz").requireError(400, "bad_request", "Time unit not recognised. Supported units: days, weeks, months, years.")
	s.want(404, "GET", "/api/health/checks/nonesuch", "")
	require.Equal(t, object{"status": "ok"}, s.get("/api/aliveness-test/%2F").object())
	require.Equal(t, []string{"aliveness-test"}, names(s.get("/api/queues").list(), "name"))
	s.want(404, "GET", "/api/aliveness-test/none", "")
}

func TestHealthWhileMemoryIsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSiteOf(t, warren.New(&warren.Options{MemoryLimit: 1 << 20}), &management.Options{NodeName: "warren@here"})
		s.want(201, "PUT", "/api/queues/%2F/q", "{}")
		ch, err := s.b.Channel()
		require.NoError(t, err)
		go func() {
			for ch.Publish(t.Context(), "", "q", warren.Message{Body: make([]byte, 100<<10)}, warren.PublishOptions{}) == nil {
			}
		}()
		synctest.Wait()
		a := s.want(503, "GET", "/api/health/checks/alarms", "").object()
		require.Equal(t, "failed", a["status"])
		require.Equal(t, []any{object{"node": "warren@here", "resource": "memory"}}, a["alarms"])
		require.Equal(t, true, s.get("/api/nodes/warren@here").object()["mem_alarm"])
		require.NoError(t, ch.Close())
		require.NoError(t, s.b.Close())
	})
}

func TestAClosedBroker(t *testing.T) {
	s := newSite(t, nil)
	require.NoError(t, s.b.Close())
	require.Equal(t, 503, s.get("/api/health/checks/is-in-service").Code)
	require.Equal(t, "failed", s.get("/api/health/checks/is-in-service").object()["status"])
	for _, path := range []string{"overview", "queues", "connections", "nodes", "vhosts", "warren/rpc"} {
		require.Contains(t, []int{200, 503}, s.get("/api/"+path).Code, path)
	}
	require.Equal(t, 503, s.ask("PUT", "/api/queues/%2F/q", "{}").Code)
}

func TestNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSiteOf(t, warren.New(&warren.Options{MemoryLimit: 123 << 20}), &management.Options{NodeName: "warren@here"})
		time.Sleep(3 * time.Second)
		list := s.get("/api/nodes").list()
		require.Len(t, list, 1)
		n := list[0]
		require.Equal(t, "warren@here", n["name"])
		require.Equal(t, 3000.0, n["uptime"])
		require.Equal(t, float64(123<<20), n["mem_limit"])
		require.Equal(t, true, n["running"])
		// The strictest client wants all of these.
		for _, member := range []string{
			"name", "uptime", "run_queue", "processors", "os_pid", "fd_total", "proc_total", "mem_limit", "mem_alarm", "disk_free_limit",
			"disk_free_alarm", "rates_mode", "enabled_plugins", "being_drained", "partitions", "disk_free", "fd_used", "mem_used", "proc_used",
			"sockets_total", "sockets_used", "gc_num", "gc_bytes_reclaimed", "io_read_avg_time", "io_read_bytes", "io_write_avg_time", "io_write_bytes",
		} {
			require.Contains(t, n, member)
		}
		s.want(404, "GET", "/api/nodes/none", "")
		memory := s.get("/api/nodes/warren@here/memory").object()["memory"].(object)
		require.Contains(t, memory, "total")
		require.Contains(t, memory, "reserved_unallocated")
		s.want(404, "GET", "/api/nodes/none/memory", "")
	})
}

func TestExtras(t *testing.T) {
	s := newSite(t, &management.Options{NodeName: "warren@here"})
	for _, path := range []string{"extensions", "feature-flags", "deprecated-features", "deprecated-features/used", "federation-links", "shovels/%2F", "user-limits", "user-limits/guest"} {
		require.Empty(t, s.want(200, "GET", "/api/"+path, "").list(), path)
	}
	s.want(400, "PUT", "/api/user-limits/guest/max-connections", `{"value":5}`)
	s.want(204, "DELETE", "/api/user-limits/guest/max-connections", "")
	s.want(404, "GET", "/api/user-limits/none", "")
	require.Equal(t, `"4.2.0"`, s.get("/api/version").Body.String())
	s.want(200, "POST", "/api/login", "")
	s.want(401, "POST", "/api/login", "", as("guest", "wrong"))
	a := s.get("/api/auth/attempts/warren@here").list()[0]
	require.Greater(t, a["auth_attempts_succeeded"], 0.0)
	require.Greater(t, a["auth_attempts_failed"], 0.0)
	s.want(204, "POST", "/api/rebalance/queues", "")
}

func TestOverviewHasWhatToolsWant(t *testing.T) {
	s := newSite(t, nil)
	o := s.want(200, "GET", "/api/overview", "").object()
	require.Equal(t, "4.2.0", o["rabbitmq_version"])
	require.Equal(t, "Warren", o["product_name"])
	for _, member := range []string{"message_stats", "object_totals", "queue_totals", "churn_rates"} { // never null
		require.IsType(t, object{}, o[member], member)
	}
	require.GreaterOrEqual(t, len(o["exchange_types"].([]any)), 4)
	require.NotEmpty(t, o["statistics_db_node"])
	require.Equal(t, "basic", o["rates_mode"])
}
