// Package metrics makes metrics of a broker from what the broker shows to everybody, and
// writes them in Prometheus's text format. Names are RabbitMQ's where it has the metric,
// so that its dashboards and alerts find theirs; the others begin with warren_.
package metrics

// Kind says what the values of a family mean.
type Kind string

// The kinds of families, as the text format calls them.
const (
	Counter   Kind = "counter" // only grows, until the broker is made anew
	Gauge     Kind = "gauge"
	Histogram Kind = "histogram"
)

// Family is a metric with a sample for each set of label values.
type Family struct {
	Name    string
	Help    string
	Kind    Kind
	Labels  []string // names of the labels that all samples have
	Samples []Sample
}

// Sample is a value of a metric.
type Sample struct {
	Labels    []string      // values, in the order of the family's Labels
	Value     float64       // of a counter or gauge
	Histogram *Distribution // of a histogram
}

// Distribution is the value of a histogram.
type Distribution struct {
	Count   uint64
	Sum     float64
	Buckets []Bucket // ascending, without the one of infinity
}

// Bucket counts values that do not exceed a limit.
type Bucket struct {
	Limit float64
	Count uint64 // includes that of the buckets before
}

// metric describes one value of a T.
type metric[T any] struct {
	name  string
	help  string
	kind  Kind
	value func(*T) float64
	has   func(*T) bool // nil: every T has it
}

// collect makes the families of metrics for all objects. labels returns the values of
// the labels of an object; families share them.
func collect[T any](metrics []metric[T], names []string, objects []T, labels func(*T) []string) []Family {
	return collectSteady(metrics, names, objects, labels, nil)
}

// collectSteady is collect with counters that do not go back. counters returns them for
// all objects, given their labels. Nil: what the objects show is right.
func collectSteady[T any](metrics []metric[T], names []string, objects []T, labels func(*T) []string, counters func([][]string) [][]steadyCounter) []Family {
	values := make([][]string, len(objects))
	for i := range objects {
		values[i] = labels(&objects[i])
	}
	var steady [][]steadyCounter
	if counters != nil {
		steady = counters(values)
	}
	families := make([]Family, 0, len(metrics))
	for n, m := range metrics {
		f := Family{Name: m.name, Help: m.help, Kind: m.kind, Labels: names, Samples: make([]Sample, 0, len(objects))}
		for i := range objects {
			if m.has != nil && !m.has(&objects[i]) {
				continue
			}
			v := m.value(&objects[i])
			if steady != nil && m.kind == Counter {
				v = steady[i][n].next(v)
			}
			f.Samples = append(f.Samples, Sample{Labels: values[i], Value: v})
		}
		families = append(families, f)
	}
	return families
}

// one makes a family with one sample.
func one(name, help string, labels, values []string, value float64) Family {
	return Family{Name: name, Help: help, Kind: Gauge, Labels: labels, Samples: []Sample{{Labels: values, Value: value}}}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
