package prometheus

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/amqp"
	"github.com/warrenmq/warren/internal/metrics"
)

// Options say what a collector shows. The zero value is right for most programs.
type Options struct {
	// PerObject shows each queue, exchange, connection, channel and handler in place of
	// their sums. That is a dozen series for each of them.
	PerObject bool

	// Servers are the AMQP servers for whose connections bytes are counted, with
	// PerObject.
	Servers []*amqp.Server

	// NodeName is the label rabbitmq_node, by which dashboards tell brokers apart.
	// Empty: "warren@" and the name of the machine.
	NodeName string

	// ClusterName is the label rabbitmq_cluster. Empty: the name of the node.
	ClusterName string
}

// collector makes metrics of a broker.
type collector struct {
	source    *metrics.Source
	perObject bool
}

// NewCollector makes a collector for b. Nil options stand for the zero Options.
//
// A registry asks it for each scrape. It holds no lock over all objects, so that a
// broker with many of them goes on meanwhile. From the first scrape until ten minutes
// after the last one the broker counts what it counts only while somebody watches, see
// [warren.Broker.Watch]. Several brokers in one registry need names of their own, which
// [prometheus.WrapRegistererWith] gives them.
func NewCollector(b *warren.Broker, o *Options) prometheus.Collector {
	var options Options
	if o != nil {
		options = *o
	}
	if options.NodeName == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "localhost"
		}
		options.NodeName = "warren@" + host
	}
	if options.ClusterName == "" {
		options.ClusterName = options.NodeName
	}
	return &collector{perObject: options.PerObject, source: metrics.NewSource(b, metrics.Options{
		Servers: options.Servers, Node: options.NodeName, Cluster: options.ClusterName,
		Compatible: metrics.Compatible, Version: metrics.Version(),
	})}
}

// Describe describes nothing: which metrics there are depends on the broker's objects.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the metrics of now.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	families := c.source.Overall
	if c.perObject {
		families = c.source.PerObject
	}
	for _, f := range families() {
		send(to, &f)
	}
}

// send sends the samples of a family. What the registry would refuse is sent as an
// error, which the registry reports.
func send(to chan<- prometheus.Metric, f *metrics.Family) {
	description := prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
	kind := prometheus.GaugeValue
	if f.Kind == metrics.Counter {
		kind = prometheus.CounterValue
	}
	for i := range f.Samples {
		s := &f.Samples[i]
		var m prometheus.Metric
		var err error
		if h := s.Histogram; h != nil {
			buckets := make(map[float64]uint64, len(h.Buckets))
			for _, b := range h.Buckets {
				buckets[b.Limit] = b.Count
			}
			m, err = prometheus.NewConstHistogram(description, h.Count, h.Sum, buckets, s.Labels...)
		} else {
			m, err = prometheus.NewConstMetric(description, kind, s.Value, s.Labels...)
		}
		if err != nil {
			m = prometheus.NewInvalidMetric(description, err)
		}
		to <- m
	}
}
