package management

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/warrenmq/warren"
)

func consumerRoutes() []route {
	return []route{
		{path: "consumers", access: everyUser, get: (*call).listConsumers},
		{path: "consumers/{vhost}", access: everyUser, get: (*call).listConsumers},
		{path: "consumers/{vhost}/{connection}/{channel}/{tag}", access: everyUser, delete: (*call).cancelConsumer},
	}
}

func (c *call) listConsumers() error {
	items, err := collect(c, func(v *warren.VirtualHost) []warren.ConsumerInfo { return queueConsumers(v) })
	if err != nil {
		return err
	}
	names := c.namesOf()
	return writeList(c, list[warren.ConsumerInfo]{
		items: items,
		name:  func(k *warren.ConsumerInfo) string { return k.Tag },
		write: func(f *fields, k *warren.ConsumerInfo) { c.writeConsumer(f, k, names) },
	})
}

// queueConsumers leaves out consumers of direct reply-to, as RabbitMQ does: they have no
// queue.
func queueConsumers(v *warren.VirtualHost) []warren.ConsumerInfo {
	return slices.DeleteFunc(v.Consumers(), func(k warren.ConsumerInfo) bool { return k.Reply })
}

// cancelConsumer ends a consumer from outside, as in LavinMQ.
func (c *call) cancelConsumer() error {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(c.names[2], 10, 64)
	if err != nil {
		return errNotFound
	}
	names := c.namesOf()
	for _, k := range v.Consumers() {
		if k.Channel != number || k.Tag != c.names[3] || k.Session == "" ||
			k.Session != c.names[1] && names[k.Session].name != c.names[1] {
			continue
		}
		if c.user.level < administrators && k.User != c.user.Name {
			return notAuthorised("Not administrator user")
		}
		if err := c.broker.ConsumerCancel(k.Session, k.Channel, k.Tag); err != nil {
			return errNotFound
		}
		return c.status(http.StatusNoContent)
	}
	return errNotFound
}

func (c *call) writeConsumer(f *fields, k *warren.ConsumerInfo, names map[string]connectionName) {
	f.str("consumer_tag", k.Tag)
	f.bool("active", k.Active)
	activity := "up"
	if !k.Active {
		activity = "waiting" // another one is the queue's single active consumer
	}
	f.str("activity_status", activity)
	f.bool("ack_required", !k.NoAck)
	f.bool("exclusive", k.Exclusive)
	f.int("prefetch_count", k.Prefetch)
	f.int("priority", k.Priority)
	f.int("messages_unacknowledged", k.Unacked)
	f.uint64("delivered", k.Delivered)
	f.uint64("acknowledged", k.Acked)
	f.int("consumer_timeout", 0)
	f.bool("handler", k.Handler)
	if f.begin("arguments") {
		if k.Priority != 0 {
			f.int("x-priority", k.Priority)
		}
		f.end()
	}
	if f.begin("queue") {
		f.str("name", k.Queue)
		f.str("vhost", k.VirtualHost)
		f.end()
	}
	if f.begin("channel_details") {
		if k.Session != "" {
			n, ok := names[k.Session]
			if !ok {
				n.name = k.Session
			}
			f.str("name", channelName(n.name, k.Channel))
			f.uint64("number", k.Channel)
			f.str("node", c.node)
			f.str("user", k.User)
			f.str("connection_name", n.name)
			f.str("peer_host", n.peerHost)
			f.int("peer_port", n.peerPort)
		}
		f.end()
	}
}
