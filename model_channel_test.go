package warren_test

import (
	"maps"
	"slices"

	"github.com/warrenmq/warren"
)

type mbModelChannel struct {
	model       *mbModel
	session     *mbModelSession
	consumers   []*mbModelConsumer // oldest first
	everStarted []*mbModelConsumer // those that have ended, too
	reply       *mbModelConsumer   // of direct reply-to
	lastQueue   string             // declared last
	lastTag     uint64             // of deliveries
	unacked     []*mbDelivery      // by tag
	prefetch    int                // of consumers to come
	shared      int                // limit of all consumers together
	passedOver  bool               // a consumer went without, for want of room in shared
	paused      bool
	confirm     bool
	published   uint64 // in confirm mode
	tx          bool
	held        []*mbDelivery // settled in the transaction
	publishes   []*mbPublishing
	closed      bool
}

// mbDelivery waits to be settled.
type mbDelivery struct {
	mbMessage
	tag      uint64
	queue    *mbQueue
	consumer *mbModelConsumer // nil: Get
	fate     string           // what the transaction will do with it
}

// out is what the channel has not settled, or not yet for good.
func (ch *mbModelChannel) out() []*mbDelivery { return append(slices.Clone(ch.unacked), ch.held...) }

// lets says whether the channel allows its consumer c one more message.
func (ch *mbModelChannel) lets(c *mbModelConsumer) bool {
	if ch.paused {
		return false
	}
	if ch.shared == 0 || !c.counted {
		return true
	}
	n := 0
	for _, d := range ch.out() {
		if d.consumer != nil && d.consumer.counted {
			n++
		}
	}
	for _, c := range ch.everStarted {
		if c.counted {
			n += len(c.unread)
		}
	}
	return n < ch.shared
}

// forget frees the consumer's tag.
func (ch *mbModelChannel) forget(c *mbModelConsumer) {
	ch.consumers = slices.DeleteFunc(ch.consumers, func(x *mbModelConsumer) bool { return x == c })
}

// resume lets consumers that went without stand in line again, the oldest
// first.
func (ch *mbModelChannel) resume() {
	if !ch.passedOver {
		return
	}
	ch.passedOver = false
	for _, c := range slices.Clone(ch.consumers) {
		if c.queue != nil {
			c.queue.join(c)
			c.queue.handOut()
			c.queue.done()
		}
	}
}

func (ch *mbModelChannel) deliver(msg mbMessage, q *mbQueue, c *mbModelConsumer, settled bool) warren.Delivery {
	ch.lastTag++
	if !settled {
		ch.unacked = append(ch.unacked, &mbDelivery{mbMessage: msg, tag: ch.lastTag, queue: q, consumer: c})
	}
	if msg.returns > 0 && ch.model.fault != "deliveries are not told" {
		msg.Headers = maps.Clone(msg.Headers)
		if msg.Headers == nil {
			msg.Headers = warren.Table{}
		}
		msg.Headers["x-delivery-count"] = int64(msg.returns)
	}
	d := warren.Delivery{
		Message: msg.Message, Exchange: msg.exchange, RoutingKey: msg.key,
		DeliveryTag: ch.lastTag, Redelivered: msg.redelivered,
	}
	if c != nil {
		d.ConsumerTag = c.tag
	}
	return d
}

func (ch *mbModelChannel) Ack(tag uint64, multiple bool) error {
	return ch.settleTags("basic.ack", tag, multiple, "ack")
}

func (ch *mbModelChannel) Nack(tag uint64, multiple, requeue bool) error {
	return ch.settleTags("basic.nack", tag, multiple, mbRefusal(requeue))
}

func (ch *mbModelChannel) Reject(tag uint64, requeue bool) error {
	return ch.settleTags("basic.reject", tag, false, mbRefusal(requeue))
}

func mbRefusal(requeue bool) string {
	if requeue {
		return "requeue"
	}
	return "drop"
}

func (ch *mbModelChannel) settleTags(method string, tag uint64, multiple bool, fate string) error {
	if ch.closed {
		return warren.ErrClosed
	}
	var list []*mbDelivery
	known := tag == 0 && multiple
	for _, d := range ch.unacked {
		if d.tag == tag || multiple && (tag == 0 || d.tag < tag) {
			list = append(list, d)
		}
		known = known || d.tag == tag
	}
	if !known {
		return mbFail(method, 406, "unknown delivery tag %d", tag)
	}
	if !ch.tx {
		ch.settle(list, fate)
		return nil
	}
	for _, d := range list {
		d.fate = fate
		ch.unacked = mbWithout(ch.unacked, d)
		ch.held = append(ch.held, d)
	}
	return nil
}

func mbWithout(list []*mbDelivery, d *mbDelivery) []*mbDelivery {
	return slices.DeleteFunc(list, func(x *mbDelivery) bool { return x == d })
}

// settle ends deliveries. Neighbours of one queue and consumer go together.
func (ch *mbModelChannel) settle(list []*mbDelivery, fate string) {
	for rest := list; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].queue == rest[0].queue && rest[n].consumer == rest[0].consumer {
			n++
		}
		ch.settleRun(rest[:n], fate)
		rest = rest[n:]
	}
	if len(list) > 0 {
		ch.resume()
	}
}

// settleRun ends deliveries of one queue and consumer: they are all back
// before the queue hands out again.
func (ch *mbModelChannel) settleRun(list []*mbDelivery, fate string) {
	for _, d := range list {
		ch.unacked, ch.held = mbWithout(ch.unacked, d), mbWithout(ch.held, d)
		switch fate {
		case "requeue":
			d.redelivered = true
			d.queue.giveBack(d.mbMessage)
		case "drop":
			d.queue.lose(d.mbMessage, "rejected")
		}
	}
	q, c := list[0].queue, list[0].consumer
	if fate == "requeue" {
		q.tidy()
	}
	if c != nil {
		q.join(c)
	}
	q.handOut()
	q.done()
}

// giveBack puts a message back that somebody has had, unless that happens once
// too often.
func (q *mbQueue) giveBack(msg mbMessage) {
	if limit := int(q.options.DeliveryLimit); limit > 0 {
		msg.returns++
		if q.model.fault == "the delivery limit is one more" {
			limit++
		}
		if msg.returns > limit {
			q.lose(msg, "delivery_limit")
			return
		}
	}
	q.putBack(msg)
}

// Recover without requeue gives each consumer once more what it had, before
// what it has not read yet. What nobody can get again goes to its queue.
func (ch *mbModelChannel) Recover(requeue bool) error {
	if ch.closed {
		return warren.ErrClosed
	}
	if requeue {
		ch.settle(slices.Clone(ch.unacked), "requeue")
		return nil
	}
	for len(ch.unacked) > 0 {
		q, c := ch.unacked[0].queue, ch.unacked[0].consumer
		var list []*mbDelivery // all of one consumer, or of Get from one queue
		for _, d := range ch.unacked {
			if d.queue == q && d.consumer == c {
				list = append(list, d)
			}
		}
		if c == nil || c.gone {
			ch.settleRun(list, "requeue")
			continue
		}
		for i, d := range list {
			d.redelivered = true
			ch.unacked = mbWithout(ch.unacked, d)
			c.unread = slices.Insert(c.unread, i, d.mbMessage)
		}
		if !c.hasRoom() {
			q.leave(c)
		}
	}
	ch.resume()
	return nil
}

func (ch *mbModelChannel) Qos(prefetch int, o warren.QosOptions) error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case !o.Global:
		ch.prefetch = prefetch
		return nil
	}
	ch.shared = prefetch
	for _, c := range ch.consumers {
		c.counted = !c.options.NoAck
	}
	ch.passedOver = true
	ch.resume()
	return nil
}

func (ch *mbModelChannel) Flow(active bool) error {
	if ch.closed {
		return warren.ErrClosed
	}
	ch.paused = !active
	if active {
		ch.passedOver = true
		ch.resume()
	}
	return nil
}

// Close gives everything back that is not settled for good, then ends the
// consumers, the oldest first.
func (ch *mbModelChannel) Close() error {
	if ch.closed {
		return nil
	}
	ch.closed = true
	ch.session.channels = slices.DeleteFunc(ch.session.channels, func(x *mbModelChannel) bool { return x == ch })
	ch.paused = true // what comes back is for others
	consumers := ch.consumers
	ch.consumers = nil
	ch.unhold()
	ch.settle(slices.Clone(ch.unacked), "requeue")
	for _, c := range consumers {
		c.Cancel()
	}
	return nil
}

func (ch *mbModelChannel) unhold() {
	ch.unacked, ch.held = ch.out(), nil
	slices.SortFunc(ch.unacked, func(a, b *mbDelivery) int { return int(a.tag) - int(b.tag) })
}

func (ch *mbModelChannel) Get(queue string, autoAck bool) (d warren.Delivery, ok bool, err error) {
	q, err := ch.findQueue("basic.get", queue)
	if err != nil {
		return d, false, err
	}
	q.use()
	if q.options.SingleActiveConsumer {
		return d, false, mbFail("basic.get", 405, "cannot obtain access to locked queue '%s' in vhost '/'. basic.get operations are not supported by classic queues with single active consumer", q.name)
	}
	if len(q.ready) == 0 {
		return d, false, nil
	}
	msg := q.ready[0]
	q.ready = q.ready[1:]
	q.dropExpired() // what has expired behind it is not left
	left := len(q.ready)
	q.done()
	d = ch.deliver(msg, q, nil, autoAck)
	d.MessageCount = left
	return d, true, nil
}

func (ch *mbModelChannel) Consume(queue string, o warren.ConsumeOptions) (mbConsumer, error) {
	const method = "basic.consume"
	if ch.closed {
		return nil, warren.ErrClosed
	}
	if slices.ContainsFunc(ch.consumers, func(c *mbModelConsumer) bool { return c.tag == o.Tag }) {
		return nil, mbFail(method, 530, "attempt to reuse consumer tag '%s'", o.Tag)
	}
	c := &mbModelConsumer{ch: ch, tag: o.Tag, options: o, limit: o.Prefetch}
	if mbIsReplyName(queue) {
		switch {
		case !o.NoAck:
			return nil, mbFail(method, 406, "reply consumer cannot acknowledge")
		case ch.reply != nil:
			return nil, mbFail(method, 406, "reply consumer already set")
		}
		c.address = ch.model.choose(queue + ".")
		ch.model.requester[c.address] = c
		ch.reply = c
	} else {
		q, err := ch.findQueue(method, queue)
		if err != nil {
			return nil, err
		}
		if len(q.consumers) > 0 && (o.Exclusive || q.consumers[0].options.Exclusive) || o.Exclusive && q.options.SingleActiveConsumer {
			return nil, mbFail(method, 403, "queue '%s' in vhost '/' in exclusive use", q.name)
		}
		if c.limit == 0 {
			c.limit = ch.prefetch
		}
		c.queue, c.counted = q, ch.shared > 0 && !o.NoAck
		q.consumers = append(q.consumers, c)
		q.activate()
	}
	if c.tag == "" {
		c.tag = ch.model.choose("amq.ctag-")
	}
	ch.consumers = append(ch.consumers, c)
	ch.everStarted = append(ch.everStarted, c)
	if c.queue != nil {
		c.queue.join(c)
		c.queue.handOut()
		c.queue.done()
	}
	return c, nil
}

func (ch *mbModelChannel) Cancel(tag string) error {
	if ch.closed {
		return warren.ErrClosed
	}
	for _, c := range slices.Clone(ch.consumers) {
		if c.tag == tag {
			c.Cancel()
		}
	}
	return nil
}
