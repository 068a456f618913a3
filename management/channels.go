package management

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/warrenmq/warren"
)

func channelRoutes() []route {
	return []route{
		{path: "channels", access: everyUser, get: (*call).listChannels},
		{path: "channels/{name}", access: everyUser, get: (*call).getChannel},
		{path: "vhosts/{vhost}/channels", access: everyUser, get: (*call).listVHostChannels},
	}
}

// channel is a channel with its name.
type channel struct {
	warren.ChannelInfo
	connection connectionName
	name       string
	look       *look
}

// channels returns the channels for which f returns true, and whose connection the user
// may see.
func (c *call) channels(f func(*channel) bool) []channel {
	names := c.namesOf()
	look := c.sampler.look()
	var list []channel
	for _, info := range c.broker.Channels() {
		if c.user.level < monitors && info.User != c.user.Name {
			continue
		}
		one := channel{ChannelInfo: info, connection: names[info.Session], look: look}
		if one.connection.name == "" {
			one.connection.name = info.Session
		}
		one.name = channelName(one.connection.name, info.Number)
		if f(&one) {
			list = append(list, one)
		}
	}
	slices.SortStableFunc(list, func(a, b channel) int {
		return cmp.Or(cmp.Compare(a.VirtualHost, b.VirtualHost), cmp.Compare(a.connection.name, b.connection.name), cmp.Compare(a.Number, b.Number))
	})
	return list
}

func (c *call) writeChannels(f func(*channel) bool) error {
	return writeList(c, list[channel]{items: c.channels(f), name: func(ch *channel) string { return ch.name }, write: c.writeChannel})
}

func (c *call) listChannels() error { return c.writeChannels(func(*channel) bool { return true }) }

func (c *call) listVHostChannels() error {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return err
	}
	return c.writeChannels(func(ch *channel) bool { return ch.VirtualHost == v.Name() })
}

func (c *call) listConnectionChannels() error {
	k, err := c.connection()
	if err != nil {
		return err
	}
	return c.writeChannels(func(ch *channel) bool { return ch.Session == k.ID })
}

func (c *call) getChannel() error {
	found := c.channels(func(ch *channel) bool { return ch.name == c.names[0] })
	if len(found) == 0 {
		return errNotFound
	}
	ch, h, err := found[0], c.Handler, error(nil)
	ch.look, err = c.lookAt(historyKey{"channel", ch.Session, strconv.FormatUint(ch.Number, 10)}, func(f *fields) bool {
		for _, info := range h.broker.Channels() {
			if info.Session == ch.Session && info.Number == ch.Number {
				h.writeChannel(f, &channel{ChannelInfo: info, look: new(look)})
				return true
			}
		}
		return false
	})
	if err != nil {
		return err
	}
	return c.object(func(f *fields) {
		c.writeChannel(f, &ch)
		c.writeChannelConsumers(f, &ch)
	})
}

func (c *call) writeChannelConsumers(f *fields, ch *channel) {
	if !f.beginList("consumer_details") {
		return
	}
	if v, err := c.broker.VirtualHost(ch.VirtualHost); err == nil {
		names := c.namesOf()
		for _, k := range v.Consumers() {
			if k.Session == ch.Session && k.Channel == ch.Number {
				f.open()
				c.writeConsumer(f, &k, names)
				f.close()
			}
		}
	}
	f.endList()
}

func (h *Handler) writeChannel(f *fields, ch *channel) {
	f.str("name", ch.name)
	f.uint64("number", ch.Number)
	f.str("vhost", ch.VirtualHost)
	f.str("user", ch.User)
	f.str("user_who_performed_action", ch.User)
	f.str("node", h.node)
	state := "running"
	if ch.Stopped {
		state = "flow"
	}
	f.str("state", state)
	f.bool("confirm", ch.Confirms)
	f.bool("transactional", ch.Transactional)
	f.bool("client_flow_blocked", ch.Stopped)
	f.int("consumer_count", ch.Consumers)
	f.int("prefetch_count", ch.Prefetch)
	f.int("global_prefetch_count", 0)
	f.int("messages_unacknowledged", ch.Unacked)
	f.int("messages_unconfirmed", ch.Unconfirmed)
	f.int("messages_uncommitted", ch.Uncommitted)
	f.int("acks_uncommitted", ch.UncommittedAcks)
	if f.begin("connection_details") {
		writeConnectionName(f, ch.connection)
		f.end()
	}
	was := ch.look.channel(ch.Session, ch.Number)
	writeChannelCounts(f, &ch.ChannelCounts, &was, ch.look)
}

func writeConnectionName(f *fields, n connectionName) {
	f.str("name", n.name)
	f.str("peer_host", n.peerHost)
	f.int("peer_port", n.peerPort)
}

// writeChannelCounts writes message_stats, unless nothing was counted.
func writeChannelCounts(f *fields, now, was *warren.ChannelCounts, l *look) {
	if *now == (warren.ChannelCounts{}) && f.collect == nil || !f.begin("message_stats") {
		return
	}
	f.counter("publish", now.Published, was.Published, l)
	f.counter("drop_unroutable", now.Unroutable, was.Unroutable, l)
	f.counter("return_unroutable", now.Returned, was.Returned, l)
	f.counter("deliver", minus(now.Delivered, now.DeliveredNoAck), minus(was.Delivered, was.DeliveredNoAck), l)
	f.counter("deliver_no_ack", now.DeliveredNoAck, was.DeliveredNoAck, l)
	f.counter("deliver_get", now.Delivered+now.Got, was.Delivered+was.Got, l)
	f.counter("redeliver", now.Redelivered, was.Redelivered, l)
	f.counter("get", minus(now.Got, now.GotNoAck), minus(was.Got, was.GotNoAck), l)
	f.counter("get_no_ack", now.GotNoAck, was.GotNoAck, l)
	f.counter("ack", now.Acked, was.Acked, l)
	f.end()
}
