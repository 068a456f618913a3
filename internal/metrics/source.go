package metrics

import (
	"slices"
	"sync"
	"time"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
)

// Options say what the metrics of a broker tell beside what the broker knows.
type Options struct {
	Servers []*amqp.Server // those whose connections are shown

	Node    string // of rabbitmq_identity_info
	Cluster string // likewise
	ID      string // likewise, of the cluster; empty: the label is left out

	Compatible string // the version of RabbitMQ that the broker is like
	Version    string // Warren's
}

// attention is how long a broker goes on counting after somebody has looked. Prometheus
// looks at least every few minutes.
const attention = 10 * time.Minute

// Source makes metrics of a broker. Its methods are safe for concurrent use.
//
// It makes the broker count what it counts only while somebody watches, from the first
// look until ten minutes after the last one.
type Source struct {
	broker  *warren.Broker
	options Options

	mu sync.Mutex
	// Guarded by mu.
	unwatch func()      // nil: the broker is not watched
	timer   *time.Timer // ends the watch; nil: there was none yet
	looked  time.Time   // the last time
	past    past
	steady  steady

	objects steadyObjects
}

// NewSource makes a source of a broker's metrics. It needs no Close.
func NewSource(b *warren.Broker, o Options) *Source {
	return &Source{broker: b, options: o, steady: make(steady)}
}

// watch makes the broker count from now on, for a while.
func (s *Source) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = time.Now()
	if s.unwatch != nil {
		return
	}
	s.unwatch = s.broker.Watch()
	if s.timer == nil {
		s.timer = time.AfterFunc(attention, s.expire)
	} else {
		s.timer.Reset(attention)
	}
}

// expire ends the watch unless somebody has looked since the timer was set.
func (s *Source) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unwatch == nil {
		return
	}
	if left := attention - time.Since(s.looked); left > 0 {
		s.timer.Reset(left)
		return
	}
	s.unwatch()
	s.unwatch = nil
}

// Close stops watching the broker at once. The source can still be used, and then
// watches again.
func (s *Source) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unwatch == nil {
		return
	}
	s.timer.Stop()
	s.unwatch()
	s.unwatch = nil
}

// Overall returns the metrics of the broker as a whole.
func (s *Source) Overall() []Family {
	s.watch()
	families := s.identity("aggregated")
	families = append(families, s.whole(false)...)
	return append(families, s.rpc()...)
}

// PerObject returns the metrics of the broker, and those of each queue, exchange,
// connection, channel and handler in place of their sums.
func (s *Source) PerObject() []Family {
	s.watch()
	families := s.identity("per-object")
	families = append(families, s.whole(true)...)
	families = append(families, s.rpc()...)
	return merged(append(families, s.ofGroups(nil, func(g *group) bool { return !g.onRequest })...))
}

// Detailed returns the metrics of the named groups of objects, with names that begin
// with rabbitmq_detailed_, so that they can be stored beside the others. Names of groups
// that do not exist are passed over. Objects are those of the virtual hosts; nil means
// all of them.
func (s *Source) Detailed(names, vhosts []string) []Family {
	s.watch()
	families := s.identity("detailed")
	var wanted map[string]bool
	if vhosts != nil {
		wanted = make(map[string]bool, len(vhosts))
		for _, v := range vhosts {
			wanted[v] = true
		}
	}
	for _, f := range s.ofGroups(wanted, func(g *group) bool { return slices.Contains(names, g.name) }) {
		f.Name = detailedName(f.Name)
		families = append(families, f)
	}
	return merged(families)
}

// ofGroups returns the metrics of some groups of objects, in these virtual hosts; nil
// means all.
func (s *Source) ofGroups(vhosts map[string]bool, include func(*group) bool) (families []Family) {
	s.objects.mu.Lock() // before the look: an earlier one would be taken for a step back
	defer s.objects.mu.Unlock()
	v := newView(s, vhosts)
	for _, g := range groups() {
		if include(&g) {
			families = append(families, g.collect(v)...)
		}
	}
	return families
}

// merged leaves out families whose name was there before: some belong to two groups.
func merged(families []Family) []Family {
	seen := make(map[string]bool, len(families))
	out := families[:0]
	for _, f := range families {
		if !seen[f.Name] {
			seen[f.Name] = true
			out = append(out, f)
		}
	}
	return out
}

// identity says which broker this is. Dashboards join everything with it.
func (s *Source) identity(endpoint string) []Family {
	o := &s.options
	labels := []string{"rabbitmq_node", "rabbitmq_cluster", "rabbitmq_endpoint"}
	values := []string{o.Node, o.Cluster, endpoint}
	if o.ID != "" {
		labels = append(labels, "rabbitmq_cluster_permanent_id")
		values = append(values, o.ID)
	}
	return []Family{
		one("rabbitmq_identity_info", "Names of the node and the cluster; always 1.", labels, values, 1),
		one("rabbitmq_build_info", "Versions of the broker; always 1.",
			[]string{"rabbitmq_version", "product_name", "product_version"},
			[]string{o.Compatible, "Warren", o.Version}, 1),
	}
}
