package management

import (
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/management/internal/ui"
)

// Options configure a Handler. The zero value is right for most programs.
type Options struct {
	// Servers are the AMQP servers whose clients are shown as connections with their
	// addresses and properties, and whose addresses are listed. Connections of other
	// servers are shown without these.
	Servers []*amqp.Server

	// Authenticate decides who sends a request, in place of the broker's users and
	// their passwords: for a host that has sessions or certificates of its own. ok is
	// false if the request is refused. The user's Tags say what it may do. If they are
	// empty, those of the broker's user of this name count. In virtual hosts it may do
	// what the broker's user of this name may do, and everything if the broker has no
	// such user. It is called by many goroutines at once.
	//
	// Nil: HTTP basic authentication with the broker's users.
	Authenticate func(*http.Request) (user warren.User, ok bool)

	// OpenMetrics lets everybody read metrics, without a login: for a Prometheus that
	// has none. They tell the names of queues.
	OpenMetrics bool

	// AllowOrigins are the origins of pages of other sites that may use the API, such
	// as "https://ops.example.com". "*" allows all, which then cannot use the
	// browser's own login. Empty: no other site may.
	AllowOrigins []string

	// MaxBody limits the body of a request, in bytes. Zero: 16 MiB. A larger one is
	// refused with 413. Definitions may have 64 MiB.
	MaxBody int64

	// MaxEventStreams limits how many clients read events at a time. One more is
	// refused with 503. Zero: 32.
	MaxEventStreams int

	// NodeName is the name of the one node that the API shows. Empty: "warren@" and
	// the name of the machine.
	NodeName string

	// ClusterName is the name that the API shows for the broker until somebody
	// changes it there. Empty: the name of the node.
	ClusterName string
}

// Handler serves the page, the API and the metrics of one broker. Its methods are safe
// for concurrent use. It needs no closing: what it counts while somebody looks ends
// ten minutes after the last look at the latest, or with the broker.
type Handler struct {
	broker  *warren.Broker
	options Options
	routes  *routeNode
	origins *origins
	sampler *sampler
	ui      http.Handler
	node    string
	streams chan struct{} // one entry for each client that reads events
	started time.Time
	scrapes *scrapes
	notes   *notes
}

// NewHandler makes a handler for b. Nil options stand for the zero Options.
func NewHandler(b *warren.Broker, o *Options) *Handler {
	h := &Handler{broker: b, started: time.Now(), ui: ui.Handler()}
	if o != nil {
		h.options = *o
	}
	if h.options.MaxBody <= 0 {
		h.options.MaxBody = 16 << 20
	}
	if h.options.MaxEventStreams <= 0 {
		h.options.MaxEventStreams = 32
	}
	h.node = h.options.NodeName
	if h.node == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "localhost"
		}
		h.node = "warren@" + host
	}
	h.streams = make(chan struct{}, h.options.MaxEventStreams)
	h.sampler = newSampler(b, h.clients)
	h.origins = newOrigins(h.options.AllowOrigins)
	h.routes = newRoutes()
	h.scrapes = newScrapes(h)
	h.notes = newNotes()
	return h
}

// ServeHTTP serves a request: below /api the API, at /metrics and below it the metrics,
// elsewhere the page.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Trim(r.URL.EscapedPath(), "/")
	first, rest, _ := strings.Cut(path, "/")
	switch first {
	case "api":
		h.serveAPI(w, r, rest)
	case "metrics":
		h.serveMetrics(w, r)
	default:
		h.ui.ServeHTTP(w, r)
	}
}
