package management_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/management"
)

// stream is a client that reads events.
type stream struct {
	header http.Header
	stop   context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	status int
	body   strings.Builder
}

func (e *stream) Header() http.Header { return e.header }
func (e *stream) Flush()              {}

func (e *stream) WriteHeader(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

func (e *stream) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.body.Write(p)
}

// text returns what has come so far.
func (e *stream) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.body.String()
}

// stream opens a stream of events and waits until it has begun.
func (s *site) stream(change ...func(*http.Request)) *stream {
	ctx, stop := context.WithCancel(s.t.Context())
	r := httptest.NewRequestWithContext(ctx, "GET", "/api/warren/events", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:40000", "127.0.0.1:15672"
	r.SetBasicAuth("guest", "guest")
	for _, f := range change {
		f(r)
	}
	e := &stream{header: make(http.Header), stop: stop, done: make(chan struct{})}
	go func() {
		defer close(e.done)
		s.h.ServeHTTP(e, r)
	}()
	synctest.Wait()
	return e
}

func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		e := s.stream()
		require.Equal(t, 200, e.status)
		require.Equal(t, "text/event-stream", e.Header().Get("Content-Type"))
		s.want(201, "PUT", "/api/exchanges/%2F/a%22b%3Cc%3E", `{}`)
		synctest.Wait()
		lines := strings.Split(e.text(), "\n")
		i := 0
		for i < len(lines) && lines[i] != "event: exchange.created" {
			i++
		}
		require.Less(t, i+1, len(lines), e.text())
		text, ok := strings.CutPrefix(lines[i+1], "data: ")
		require.True(t, ok)
		require.NotContains(t, text, "<")
		var event object
		require.NoError(t, json.Unmarshal([]byte(text), &event))
		require.Equal(t, "exchange.created", event["kind"])
		require.Equal(t, `a"b<c>`, event["name"])
		require.Equal(t, "/", event["vhost"])
		require.NotEmpty(t, event["time"])
		before := len(e.text())
		time.Sleep(16 * time.Second)
		synctest.Wait()
		require.Equal(t, ": still here\n\n", e.text()[before:])
		e.stop()
		<-e.done
	})
}

func TestEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, nil)
		s.user("m", warren.Monitoring)
		closed, lost := s.stream(), s.stream(as("m", "m"))
		require.NoError(t, s.b.UserDeclare("m", "m", warren.Management))
		time.Sleep(16 * time.Second)
		<-lost.done // the user may see them no longer
		require.NoError(t, s.b.Close())
		<-closed.done
		require.Contains(t, closed.text(), "event: end\n")
	})
}

func TestEventsAreForFewMonitors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSiteOf(t, warren.New(nil), &management.Options{MaxEventStreams: 2})
		s.user("m", warren.Management)
		s.want(401, "GET", "/api/warren/events", "", as("m", "m"))
		one, two := s.stream(), s.stream()
		s.want(503, "GET", "/api/warren/events", "")
		one.stop()
		<-one.done
		three := s.stream()
		require.Equal(t, 200, three.status)
		for _, e := range []*stream{two, three} {
			e.stop()
			<-e.done
		}
	})
}

// TestOverTheNetwork has a handler below a prefix of a server, and clients that hang.
func TestOverTheNetwork(t *testing.T) {
	b := warren.New(nil)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	mux := http.NewServeMux()
	mux.Handle("/broker/", http.StripPrefix("/broker", management.NewHandler(b, nil)))
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	ask := func(method, path string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+"/broker"+path, nil)
		require.NoError(t, err)
		r.SetBasicAuth("guest", "guest")
		answer, err := srv.Client().Do(r)
		require.NoError(t, err)
		return answer
	}
	for _, path := range []string{"/api/queues/%2F/a%2Fb", "/api/queues/%2F/%2F"} {
		a := ask("PUT", path)
		require.Equal(t, 201, a.StatusCode)
		require.NoError(t, a.Body.Close())
	}
	a := ask("GET", "/")
	require.Equal(t, 200, a.StatusCode)
	require.Contains(t, a.Header.Get("Content-Type"), "text/html")
	require.NoError(t, a.Body.Close())

	events := ask("GET", "/api/warren/events") // it is read slowly
	defer events.Body.Close()
	line, err := bufio.NewReader(events.Body).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, ": what changes from now on\n", line)
	for range 3 { // these are not read at all
		hanging := ask("GET", "/api/overview")
		defer hanging.Body.Close()
	}
	list := ask("GET", "/api/queues")
	defer list.Body.Close()
	text, err := io.ReadAll(list.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), `"name":"a/b"`)
}
