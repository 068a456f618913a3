package management

import (
	"net"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/warrenmq/warren"
)

// Versions that tools want to know before they go on.
const (
	apiVersion  = "4.2.0" // the version of RabbitMQ whose API this is like
	productName = "Warren"
)

// productVersion is the version of the module, as the program was built with it.
func productVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		const path = "github.com/warrenmq/warren"
		if info.Main.Path == path && info.Main.Version != "" && info.Main.Version != "(devel)" {
			return strings.TrimPrefix(info.Main.Version, "v")
		}
		for _, m := range info.Deps {
			if m.Path == path {
				return strings.TrimPrefix(m.Version, "v")
			}
		}
	}
	return "0.0.0"
}

func overviewRoutes() []route {
	return []route{
		{path: "overview", access: everyUser, get: (*call).overview},
		{path: "version", access: openToAll, get: (*call).version},
		{path: "extensions", access: everyUser, get: (*call).extensions},
	}
}

func (c *call) version() error { return c.json(appendJSONString(nil, apiVersion)) }

func (c *call) extensions() error { return c.json([]byte("[]")) }

var exchangeTypes = [...]struct{ kind, text string }{
	{"direct", "AMQP direct exchange, as per the AMQP specification"},
	{"fanout", "AMQP fanout exchange, as per the AMQP specification"},
	{"headers", "AMQP headers exchange, as per the AMQP specification"},
	{"topic", "AMQP topic exchange, as per the AMQP specification"},
	{string(warren.ConsistentHash), "Each message goes to one destination, by a hash"},
	{string(warren.DelayedMessage), "Messages wait for the time in their header x-delay"},
}

func (c *call) overview() error {
	return c.object(func(f *fields) {
		f.str("management_version", apiVersion)
		f.str("rabbitmq_version", apiVersion)
		f.str("product_name", productName)
		f.str("product_version", productVersion())
		f.str("erlang_version", "")
		f.str("erlang_full_version", runtime.Version())
		f.str("cluster_name", c.clusterName())
		f.str("node", c.node)
		f.str("rates_mode", "basic")
		f.str("statistics_db_node", c.node)
		f.int("statistics_db_event_queue", 0)
		f.bool("disable_stats", false)
		f.bool("enable_queue_totals", false)
		f.str("default_queue_type", string(warren.Classic))
		if f.begin("sample_retention_policies") {
			for _, name := range [...]string{"global", "basic", "detailed"} {
				if f.beginList(name) {
					f.out = append(f.out, "60,600,3600"...)
					f.endList()
				}
			}
			f.end()
		}
		if f.beginList("exchange_types") {
			for _, t := range exchangeTypes {
				f.open()
				f.str("name", t.kind)
				f.str("description", t.text)
				f.bool("enabled", true)
				f.close()
			}
			f.endList()
		}
		c.writeTotals(f)
		c.writeListeners(f)
		if f.beginList("contexts") {
			f.endList()
		}
	})
}

// writeTotals writes what the user may see of the figures: of all virtual hosts for the
// tags monitoring and administrator.
func (c *call) writeTotals(f *fields) {
	s := c.broker.Stats()
	l := c.sampler.look()
	if f.begin("message_stats") {
		writeQueueCounts(f, &s.QueueCounts, new(warren.QueueCounts), l)
		f.end()
	}
	if f.begin("churn_rates") {
		f.counter("connection_created", s.SessionsOpened, 0, l)
		f.end()
	}
	if f.begin("queue_totals") {
		f.gauge("messages", s.Ready+s.Unacked, 0, l)
		f.gauge("messages_ready", s.Ready, 0, l)
		f.gauge("messages_unacknowledged", s.Unacked, 0, l)
		f.end()
	}
	if f.begin("object_totals") {
		f.int("queues", s.Queues)
		f.int("exchanges", s.Exchanges)
		f.int("connections", s.Sessions)
		f.int("consumers", s.Consumers)
		f.int("channels", int(s.ChannelsOpened-s.ChannelsClosed))
		f.end()
	}
}

func (c *call) writeListeners(f *fields) {
	if !f.beginList("listeners") {
		return
	}
	for _, s := range c.options.Servers {
		a, ok := s.Addr().(*net.TCPAddr)
		if !ok {
			continue
		}
		protocol, _, _ := strings.Cut(s.URL(), "://")
		if protocol == "amqps" {
			protocol = "amqp/ssl"
		}
		f.open()
		f.str("node", c.node)
		f.str("protocol", protocol)
		f.str("ip_address", a.IP.String())
		f.int("port", a.Port)
		f.close()
	}
	if host, port, err := net.SplitHostPort(c.r.Host); err == nil {
		if n, err := strconv.Atoi(port); err == nil {
			f.open()
			f.str("node", c.node)
			f.str("protocol", "http")
			f.str("ip_address", host)
			f.int("port", n)
			f.close()
		}
	}
	f.endList()
}
