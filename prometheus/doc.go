// Package prometheus registers a broker in the program's own Prometheus registry, beside
// the program's other metrics:
//
//	registry.MustRegister(prometheus.NewCollector(b, nil))
//
// The metrics are those that package management serves at metrics: names are RabbitMQ's
// where it has the metric, so that its dashboards find theirs, and begin with warren_
// elsewhere. This is a module of its own, so that a program without such a registry does
// not depend on it.
package prometheus
