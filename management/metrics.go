package management

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/warrenmq/warren/internal/metrics"
)

// scrapes serves the metrics.
type scrapes struct {
	source *metrics.Source
	busy   chan struct{} // one entry for each answer under way
}

const (
	// maxScrapes is how many answers may be under way: those with the metrics of many
	// objects are large, and a client may be slow to read them.
	maxScrapes = 8
	// scrapeTime is how long a client may take to read an answer.
	scrapeTime = time.Minute
)

func newScrapes(h *Handler) *scrapes {
	return &scrapes{
		source: metrics.NewSource(h.broker, metrics.Options{
			Servers: h.options.Servers, Node: h.node, Cluster: h.metricsCluster(),
			Compatible: metrics.Compatible, Version: metrics.Version(),
		}),
		busy: make(chan struct{}, maxScrapes),
	}
}

// metricsCluster is the name of the cluster that the metrics tell.
func (h *Handler) metricsCluster() string {
	if h.options.ClusterName != "" {
		return h.options.ClusterName
	}
	return h.node
}

// serveMetrics serves the metrics as text for Prometheus: of the broker at /metrics, of
// each object at /metrics/per-object, and groups of them at /metrics/detailed, with
// parameters family, and vhost to see less. Unless Options.OpenMetrics is set, it is for
// users with the tag monitoring, because it tells of all virtual hosts.
func (h *Handler) serveMetrics(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if !h.origins.admit(w, r) {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "HEAD, GET")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if err := h.admitScrape(r); err != nil {
		h.fail(w, r, err)
		return
	}
	s := h.scrapes
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	default:
		h.fail(w, r, newError(http.StatusServiceUnavailable, "service_unavailable", "too many clients read metrics"))
		return
	}
	families, err := s.families(r.URL)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", metrics.ContentType)
	if r.Method == http.MethodHead {
		return
	}
	deadline := http.NewResponseController(w) // an error says that there are no deadlines here
	_ = deadline.SetWriteDeadline(time.Now().Add(scrapeTime))
	_ = metrics.WriteText(w, families) // an error says that the client has gone
	_ = deadline.SetWriteDeadline(time.Time{})
}

func (h *Handler) admitScrape(r *http.Request) error {
	if h.options.OpenMetrics {
		return nil
	}
	u, err := h.login(r)
	if err != nil {
		return err
	}
	return u.may(monitors)
}

// families returns the metrics that a URL asks for.
func (s *scrapes) families(u *url.URL) ([]metrics.Family, error) {
	switch strings.Trim(u.EscapedPath(), "/") {
	case "metrics":
		return s.source.Overall(), nil
	case "metrics/per-object":
		return s.source.PerObject(), nil
	case "metrics/detailed":
		query, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			return nil, badRequest("the query is malformed")
		}
		return s.source.Detailed(query["family"], query["vhost"]), nil
	}
	return nil, errNotFound
}
