package management

import (
	"context"
	"net/http"
	"strconv"

	"github.com/warrenmq/warren"
)

func queueRoutes() []route {
	return []route{
		{path: "queues", access: everyUser, get: (*call).listQueues},
		{path: "queues/detailed", access: everyUser, get: (*call).listQueues},
		{path: "queues/{vhost}", access: everyUser, get: (*call).listQueues},
		{path: "queues/{vhost}/{name}", access: everyUser, get: (*call).getQueue, put: (*call).putQueue, delete: (*call).deleteQueue},
		{path: "queues/{vhost}/{name}/contents", access: everyUser, delete: (*call).purgeQueue},
		{path: "queues/{vhost}/{name}/actions", access: administrators, post: (*call).actOnQueue},
	}
}

func (c *call) listQueues() error {
	items, err := collect(c, (*warren.VirtualHost).Queues)
	if err != nil {
		return err
	}
	l := c.sampler.look()
	if _, err := l.parseSpans(c.query); err != nil {
		return err
	}
	return writeList(c, list[warren.QueueInfo]{
		items: items,
		name:  func(q *warren.QueueInfo) string { return q.Name },
		write: func(f *fields, q *warren.QueueInfo) { c.writeQueue(f, q, l) },
	})
}

// queue returns the queue that the path names.
func (c *call) queue() (*warren.VirtualHost, warren.QueueInfo, error) {
	v, err := c.vhost(c.names[0])
	if err != nil {
		return nil, warren.QueueInfo{}, err
	}
	q, err := v.Queue(c.names[1])
	if err != nil {
		return nil, q, errNotFound
	}
	return v, q, nil
}

func (c *call) getQueue() error {
	v, q, err := c.queue()
	if err != nil {
		return err
	}
	h := c.Handler
	l, err := c.lookAt(historyKey{"queue", v.Name(), q.Name}, func(f *fields) bool {
		now, err := v.Queue(q.Name)
		if err == nil {
			h.writeQueue(f, &now, new(look))
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	return c.object(func(f *fields) {
		c.writeQueue(f, &q, l)
		c.writeQueueConsumers(f, v, &q)
		for _, name := range [...]string{"incoming", "deliveries"} { // RabbitMQ counts by exchange and by channel here
			if f.beginList(name) {
				f.endList()
			}
		}
	})
}

func (c *call) writeQueueConsumers(f *fields, v *warren.VirtualHost, q *warren.QueueInfo) {
	if !f.beginList("consumer_details") {
		return
	}
	names := c.namesOf()
	for _, k := range queueConsumers(v) {
		if k.Queue == q.Name {
			f.open()
			c.writeConsumer(f, &k, names)
			f.close()
		}
	}
	f.endList()
}

// writeQueue describes a queue. What counts bytes is about what the queue holds in
// memory.
func (h *Handler) writeQueue(f *fields, q *warren.QueueInfo, l *look) {
	f.str("name", q.Name)
	f.str("vhost", q.VirtualHost)
	f.str("type", string(q.Type))
	f.bool("durable", q.Durable)
	f.bool("auto_delete", q.AutoDelete)
	f.bool("exclusive", q.Exclusive)
	f.table("arguments", q.Arguments)
	f.str("node", h.node)
	f.str("leader", h.node)
	if f.beginList("members") {
		f.comma()
		f.out = appendJSONString(f.out, h.node)
		f.endList()
	}
	if f.beginList("online") {
		f.comma()
		f.out = appendJSONString(f.out, h.node)
		f.endList()
	}
	f.str("state", "running")
	f.strOrNull("policy", q.Policy.Policy)
	f.strOrNull("operator_policy", q.Policy.OperatorPolicy)
	f.table("effective_policy_definition", q.Policy.Definition)
	f.int("consumers", q.Consumers)
	f.float("consumer_utilisation", utilisation(q))
	f.float("consumer_capacity", utilisation(q))
	f.strOrNull("exclusive_consumer_tag", q.ExclusiveConsumer)
	f.strOrNull("single_active_consumer_tag", q.ActiveConsumer)
	if !q.IdleSince.IsZero() {
		f.str("idle_since", q.IdleSince.UTC().Format("2006-01-02T15:04:05.000+00:00"))
	}
	if q.Owner != "" && f.begin("owner_pid_details") {
		writeConnectionName(f, l.owner(h, q.Owner))
		f.end()
	}
	was := l.queue(q.VirtualHost, q.Name)
	f.gauge("messages", q.Ready+q.Unacked, was.ready+was.unacked, l)
	f.gauge("messages_ready", q.Ready, was.ready, l)
	f.gauge("messages_unacknowledged", q.Unacked, was.unacked, l)
	f.int("messages_ram", q.Ready+q.Unacked-q.OnDisk)
	f.int("messages_ready_ram", q.Ready-q.OnDisk)
	f.int("messages_unacknowledged_ram", q.Unacked)
	f.int("messages_paged_out", q.OnDisk)
	f.null("head_message_timestamp") // it is not known
	f.int64("message_bytes", q.Bytes)
	f.int64("message_bytes_ready", q.ReadyBytes)
	f.int64("message_bytes_ram", q.Bytes)
	f.int64("memory", q.Bytes)
	if q.Stream != nil {
		f.int("segments", q.Stream.Segments)
		f.uint64("first_offset", q.Stream.FirstOffset)
		f.uint64("next_offset", q.Stream.NextOffset)
	}
	if q.QueueCounts == (warren.QueueCounts{}) && f.collect == nil || !f.begin("message_stats") {
		return
	}
	writeQueueCounts(f, &q.QueueCounts, &was.QueueCounts, l)
	f.end()
}

// writeQueueCounts writes what message_stats of a queue have.
func writeQueueCounts(f *fields, now, was *warren.QueueCounts, l *look) {
	f.counter("publish", now.Published, was.Published, l)
	writeDeliveries(f, now, was, l)
}

func writeDeliveries(f *fields, now, was *warren.QueueCounts, l *look) {
	f.counter("deliver", minus(consumed(now), consumedNoAck(now)), minus(consumed(was), consumedNoAck(was)), l)
	f.counter("deliver_no_ack", consumedNoAck(now), consumedNoAck(was), l)
	f.counter("deliver_get", now.Delivered, was.Delivered, l)
	f.counter("redeliver", now.Redelivered, was.Redelivered, l)
	f.counter("get", minus(now.Got, now.GotNoAck), minus(was.Got, was.GotNoAck), l)
	f.counter("get_no_ack", now.GotNoAck, was.GotNoAck, l)
	f.counter("get_empty", now.GetEmpty, was.GetEmpty, l)
	f.counter("ack", minus(now.Acked, now.NoAck), minus(was.Acked, was.NoAck), l)
	f.counter("dropped", now.Dropped, was.Dropped, l)
	f.counter("dead_lettered", now.DeadLettered, was.DeadLettered, l)
}

// consumed counts deliveries to consumers.
func consumed(n *warren.QueueCounts) uint64 { return minus(n.Delivered, n.Got) }

func consumedNoAck(n *warren.QueueCounts) uint64 { return minus(n.NoAck, n.GotNoAck) }

// minus is a-b, and zero where two counters were read at different times.
func minus(a, b uint64) uint64 { return a - min(a, b) }

// utilisation is how much of the time the consumers could take more. All is 1: what is
// ready although there are consumers tells that they could not.
func utilisation(q *warren.QueueInfo) float64 {
	if q.Consumers == 0 || q.Ready > 0 && q.Stream == nil {
		return 0
	}
	return 1
}

func (c *call) putQueue() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	o, err := queueOptions(body)
	if err != nil {
		return err
	}
	isNew := false
	err = c.channel(c.names[0], func(_ context.Context, v *warren.VirtualHost, ch *warren.Channel) error {
		_, missing := v.Queue(c.names[1])
		isNew = missing != nil
		_, err := ch.QueueDeclare(c.names[1], o)
		return err
	})
	if err != nil {
		return err
	}
	return c.made(isNew)
}

// queueOptions reads the properties of a queue. Arguments of JSON have no types of AMQP,
// which the broker does not mind.
func queueOptions(body warren.Table) (o warren.QueueOptions, err error) {
	if o.Durable, err = boolean(body, "durable", false); err != nil {
		return o, err
	}
	if o.AutoDelete, err = boolean(body, "auto_delete", false); err != nil {
		return o, err
	}
	o.Args, err = arguments(body)
	return o, err
}

// boolean reads a bool, also as the text that rabbitmqadmin sends.
func boolean(body warren.Table, name string, absent bool) (bool, error) {
	v, ok := body[name]
	if !ok {
		return absent, nil
	}
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		if b, err := strconv.ParseBool(v); err == nil {
			return b, nil
		}
	}
	return false, badRequest("The property %s is not a boolean", name)
}

// arguments reads a table. An empty list is what some clients make of an empty one.
func arguments(body warren.Table) (warren.Table, error) {
	switch v := body["arguments"].(type) {
	case nil:
		return nil, nil
	case warren.Table:
		return v, nil
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
	}
	return nil, badRequest("The property arguments is not an object")
}

func (c *call) deleteQueue() error {
	o := warren.QueueDeleteOptions{IfEmpty: c.query.Get("if-empty") == "true", IfUnused: c.query.Get("if-unused") == "true"}
	return c.onQueue(func(ch *warren.Channel, name string) error {
		_, err := ch.QueueDelete(name, o)
		return err
	})
}

func (c *call) purgeQueue() error {
	return c.onQueue(func(ch *warren.Channel, name string) error {
		_, err := ch.QueuePurge(name)
		return err
	})
}

// onQueue does something with the queue of the path and answers 204.
func (c *call) onQueue(do func(ch *warren.Channel, name string) error) error {
	if _, _, err := c.queue(); err != nil {
		return err
	}
	err := c.channel(c.names[0], func(_ context.Context, _ *warren.VirtualHost, ch *warren.Channel) error { return do(ch, c.names[1]) })
	if err != nil {
		return err
	}
	return c.status(http.StatusNoContent)
}

// actOnQueue accepts what RabbitMQ does to the mirrors of a queue, of which there are
// none.
func (c *call) actOnQueue() error {
	body, err := c.decode()
	if err != nil {
		return err
	}
	if _, _, err := c.queue(); err != nil {
		return err
	}
	if err := needs(body, "action"); err != nil {
		return err
	}
	switch body["action"] {
	case "sync", "cancel_sync":
		return c.status(http.StatusNoContent)
	}
	return badRequest("unknown action")
}
