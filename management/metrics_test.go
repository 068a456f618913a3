package management_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/brokertest"
	"github.com/warrenmq/warren/management"
)

func TestMetricsAreForUsersWhoMonitor(t *testing.T) {
	s := newSite(t, nil)
	require.NoError(t, s.b.UserDeclare("watcher", "p", "monitoring"))
	require.NoError(t, s.b.UserDeclare("manager", "p", "management"))
	s.want(http.StatusOK, http.MethodGet, "/metrics", "")
	s.want(http.StatusOK, http.MethodGet, "/metrics", "", as("watcher", "p"))
	s.want(http.StatusUnauthorized, http.MethodGet, "/metrics", "", as("watcher", "wrong"))
	s.want(http.StatusUnauthorized, http.MethodGet, "/metrics/per-object", "", as("manager", "p"))
	s.want(http.StatusUnauthorized, http.MethodGet, "/metrics", "", func(r *http.Request) { r.Header.Del("Authorization") })

	open := newSite(t, &management.Options{OpenMetrics: true})
	nobody := func(r *http.Request) { r.Header.Del("Authorization") }
	open.want(http.StatusOK, http.MethodGet, "/metrics", "", nobody)
	open.want(http.StatusUnauthorized, http.MethodGet, "/api/overview", "", nobody)
}

func TestMetricsPaths(t *testing.T) {
	s := newSite(t, &management.Options{NodeName: "n", ClusterName: "c"})
	ch := brokertest.Channel(t, s.b)
	_, err := ch.QueueDeclare("q", warren.QueueOptions{})
	require.NoError(t, err)
	text := func(path string) string {
		t.Helper()
		a := s.want(http.StatusOK, http.MethodGet, path, "")
		require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", a.Header().Get("Content-Type"))
		return a.Body.String()
	}
	for path, line := range map[string]string{
		"/metrics":            `rabbitmq_queue_messages 0`,
		"/metrics/":           `rabbitmq_identity_info{rabbitmq_node="n",rabbitmq_cluster="c",rabbitmq_endpoint="aggregated"} 1`,
		"/metrics/per-object": `rabbitmq_queue_messages{vhost="/",queue="q"} 0`,
		"/metrics/detailed?family=queue_coarse_metrics":                        `rabbitmq_detailed_queue_messages{vhost="/",queue="q"} 0`,
		"/metrics/detailed?family=queue_consumer_count&vhost=%2F&family=other": `rabbitmq_detailed_queue_consumers{vhost="/",queue="q"} 0`,
	} {
		require.Contains(t, text(path), "\n"+line+"\n", path)
	}
	require.NotContains(t, text("/metrics/detailed?family=queue_coarse_metrics&vhost=other"), "queue_messages")
	require.NotContains(t, text("/metrics/detailed"), "queue_messages")

	require.Zero(t, s.want(http.StatusOK, http.MethodHead, "/metrics", "").Body.Len())
	s.want(http.StatusNotFound, http.MethodGet, "/metrics/other", "")
	s.want(http.StatusBadRequest, http.MethodGet, "/metrics/detailed?family=%zz", "")
	a := s.want(http.StatusMethodNotAllowed, http.MethodPost, "/metrics", "")
	require.Equal(t, "HEAD, GET", a.Header().Get("Allow"))
	require.Equal(t, "nosniff", a.Header().Get("X-Content-Type-Options"))
}

// slowReader is a client that does not read until it is let.
type slowReader struct {
	http.ResponseWriter
	entered  chan struct{}
	released <-chan struct{}
	deadline time.Time
}

func (w *slowReader) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

func (w *slowReader) Write(p []byte) (int, error) {
	if w.entered != nil {
		close(w.entered)
		w.entered = nil
		<-w.released
	}
	return w.ResponseWriter.Write(p)
}

func TestSlowReadersOfMetricsAreBounded(t *testing.T) {
	s := newSite(t, &management.Options{OpenMetrics: true})
	released := make(chan struct{})
	done := make(chan struct{})
	const most = 8
	for range most {
		entered := make(chan struct{})
		slow := &slowReader{ResponseWriter: httptest.NewRecorder(), entered: entered, released: released}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
		go func() {
			s.h.ServeHTTP(slow, r)
			done <- struct{}{}
		}()
		<-entered
		require.NotZero(t, slow.deadline, "it has a minute")
	}
	s.want(http.StatusServiceUnavailable, http.MethodGet, "/metrics", "")
	close(released)
	for range most {
		<-done
	}
	require.True(t, strings.HasPrefix(s.want(http.StatusOK, http.MethodGet, "/metrics", "").Body.String(), "# HELP "))
}
