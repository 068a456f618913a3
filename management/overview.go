package management

import (
	"runtime"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/metrics"
)

const (
	apiVersion  = metrics.Compatible // the version of RabbitMQ whose API this is like
	productName = "Warren"
)

// productVersion is the version of the module, as the program was built with it.
func productVersion() string { return metrics.Version() }

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

// overview shows the figures of the virtual hosts that the user may see: of all for the
// tags monitoring and administrator.
func (c *call) overview() error {
	h, before := c.Handler, &look{before: c.sampler.look().before}
	l, err := c.lookAt(historyKey{kind: "overview"}, func(f *fields) bool {
		now := h.broker.Stats()
		writeTotals(f, &now, new(warren.Stats), before)
		return true
	})
	if err != nil {
		return err
	}
	now, was := c.broker.Stats(), *l.stats()
	if c.user.level < monitors {
		l.points = nil // they are of all virtual hosts
		if now, was, err = c.ownStats(l); err != nil {
			return err
		}
	}
	return c.object(func(f *fields) {
		c.writeAbout(f)
		writeTotals(f, &now, &was, l)
		if f.begin("object_totals") {
			f.int("queues", now.Queues)
			f.int("exchanges", now.Exchanges)
			f.int("connections", now.Sessions)
			f.int("consumers", now.Consumers)
			f.int("channels", int(now.ChannelsOpened-now.ChannelsClosed))
			f.end()
		}
		c.writeListeners(f)
		if f.beginList("contexts") {
			f.endList()
		}
	})
}

// ownStats returns the figures of the virtual hosts in which the user has permissions,
// and what they were.
func (c *call) ownStats(l *look) (now, was warren.Stats, err error) {
	vhosts, err := c.vhosts()
	if err != nil {
		return now, was, err
	}
	for _, v := range vhosts {
		addStats(&now, v.Stats())
		addStats(&was, l.vhost(v.Name()).stats)
	}
	now.Received, was.Received, l.before = now.Published, was.Published, 0 // others' messages are not told
	now.Sessions = len(c.connections(anySession))
	now.ChannelsOpened, now.ChannelsClosed = uint64(len(c.channels(func(*channel) bool { return true }))), 0
	return now, was, nil
}

// addStats adds what the overview shows.
func addStats(sum *warren.Stats, s warren.Stats) {
	sum.Queues += s.Queues
	sum.Exchanges += s.Exchanges
	sum.Consumers += s.Consumers
	sum.Ready += s.Ready
	sum.Unacked += s.Unacked
	sum.Returned += s.Returned
	sum.Unroutable += s.Unroutable
	n, o := &sum.QueueCounts, &s.QueueCounts
	n.Published += o.Published
	n.Delivered += o.Delivered
	n.NoAck += o.NoAck
	n.Got += o.Got
	n.GotNoAck += o.GotNoAck
	n.GetEmpty += o.GetEmpty
	n.Redelivered += o.Redelivered
	n.Acked += o.Acked
	n.Dropped += o.Dropped
	n.DeadLettered += o.DeadLettered
}

// writeAbout says what the broker is, in the words that tools look for.
func (c *call) writeAbout(f *fields) {
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
	writeExchangeTypes(f)
}

func writeExchangeTypes(f *fields) {
	if !f.beginList("exchange_types") {
		return
	}
	for _, t := range exchangeTypes {
		f.open()
		f.str("name", t.kind)
		f.str("description", t.text)
		f.bool("enabled", true)
		f.close()
	}
	f.endList()
}

// writeTotals writes message_stats, churn_rates and queue_totals.
func writeTotals(f *fields, now, was *warren.Stats, l *look) {
	if f.begin("message_stats") {
		f.counter("publish", now.Received+l.before, was.Received+l.before, l)
		f.counter("confirm", now.Confirmed, was.Confirmed, l)
		f.counter("return_unroutable", now.Returned, was.Returned, l)
		f.counter("drop_unroutable", now.Unroutable, was.Unroutable, l)
		writeDeliveries(f, &now.QueueCounts, &was.QueueCounts, l)
		f.end()
	}
	if f.begin("churn_rates") {
		writeChurn(f, now, was, l)
		f.end()
	}
	if f.begin("queue_totals") {
		f.gauge("messages", now.Ready+now.Unacked, was.Ready+was.Unacked, l)
		f.gauge("messages_ready", now.Ready, was.Ready, l)
		f.gauge("messages_unacknowledged", now.Unacked, was.Unacked, l)
		f.end()
	}
}

func (c *call) writeListeners(f *fields) {
	if !f.beginList("listeners") {
		return
	}
	for _, l := range c.listeners() {
		f.open()
		f.str("node", c.node)
		f.str("protocol", l.protocol)
		f.str("ip_address", l.host)
		f.int("port", l.port)
		f.close()
	}
	f.endList()
}
