package model_test

import (
	"maps"
	"slices"

	"github.com/warrenmq/warren"
)

type modelChannel struct {
	model       *model
	session     *modelSession
	consumers   []*modelConsumer // oldest first
	everStarted []*modelConsumer // those that have ended, too
	reply       *modelConsumer   // of direct reply-to
	lastQueue   string           // declared last
	lastTag     uint64           // of deliveries
	unacked     []*modelDelivery // by tag
	prefetch    int              // of consumers to come
	shared      int              // limit of all consumers together
	limited     bool             // there is or was such a limit
	waiting     [2]waitingLine   // consumers that the channel did not let have a message
	turn        int              // the line whose turn it is
	paused      bool
	confirm     bool
	published   uint64 // in confirm mode
	tx          bool
	held        []*modelDelivery // settled in the transaction
	publishes   []*modelPublishing
	closed      bool
}

// modelDelivery waits to be settled.
type modelDelivery struct {
	modelMessage
	tag      uint64
	queue    *modelQueue
	consumer *modelConsumer // nil: Get
	fate     string         // what the transaction will do with it
}

// out is what the channel has not settled, or not yet for good.
func (ch *modelChannel) out() []*modelDelivery { return append(slices.Clone(ch.unacked), ch.held...) }

// waitingLine has consumers that wait for their turn, the first to be served first.
// Those that share the limit have a line, and the others.
type waitingLine []*modelConsumer

func (l *waitingLine) remove(c *modelConsumer) {
	*l = slices.DeleteFunc(*l, func(x *modelConsumer) bool { return x == c })
}

func (c *modelConsumer) lineNumber() int {
	if c.counted {
		return 1
	}
	return 0
}

// lets says whether the channel allows its consumer c one more message. If not,
// c waits for its turn.
func (ch *modelChannel) lets(c *modelConsumer) bool {
	if c.turn > 0 {
		c.turn--
		return true
	}
	i := c.lineNumber()
	if slices.Contains(ch.waiting[i], c) {
		return false
	}
	if ch.mayTake(c) {
		return true
	}
	ch.waiting[i] = append(ch.waiting[i], c)
	return false
}

// mayTake says whether c need not wait: there is room, and nobody else waits.
func (ch *modelChannel) mayTake(c *modelConsumer) bool {
	i := c.lineNumber()
	return len(ch.waiting[i]) == 0 && ch.hasRoom(i)
}

// hasRoom says whether the channel allows the consumers of a line one more message.
func (ch *modelChannel) hasRoom(i int) bool {
	if ch.paused {
		return false
	}
	if ch.shared == 0 || i == 0 {
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
func (ch *modelChannel) forget(c *modelConsumer) {
	ch.consumers = slices.DeleteFunc(ch.consumers, func(x *modelConsumer) bool { return x == c })
}

// serve lets those that wait have their turns while there is room. In a turn, a
// consumer that shares the limit gets one message. Of the channel's consumers of
// a queue, the one with the highest priority takes it.
func (ch *modelChannel) serve() {
	for {
		i := ch.turn
		if len(ch.waiting[i]) == 0 || !ch.hasRoom(i) {
			i = 1 - i
		}
		if len(ch.waiting[i]) == 0 || !ch.hasRoom(i) {
			return
		}
		ch.turn = 1 - i
		c := ch.waiting[i][0]
		ch.waiting[i].remove(c)
		if first := c.preferred(); first != c {
			ch.waiting[i].remove(first)
			ch.waiting[i] = append(ch.waiting[i], c)
			c = first
		}
		c.turn = 1
		if i == 0 {
			c.turn = mailboxSize
		}
		c.queue.join(c)
		c.queue.handOut()
		c.turn = 0
		c.queue.done()
	}
}

// preferred is the consumer that takes the turn of c.
func (c *modelConsumer) preferred() *modelConsumer {
	first := c
	for _, x := range c.queue.consumers {
		waits := x.ch == c.ch && x.counted == c.counted && x.hasRoom() && !slices.Contains(c.queue.line, x)
		if waits && x.options.Priority > first.options.Priority && !c.queue.options.SingleActiveConsumer {
			first = x
		}
	}
	return first
}

// stopWaiting is for a consumer that gets no more.
func (c *modelConsumer) stopWaiting() {
	for i := range c.ch.waiting {
		c.ch.waiting[i].remove(c)
	}
}

func (ch *modelChannel) deliver(msg modelMessage, q *modelQueue, c *modelConsumer, settled bool) warren.Delivery {
	ch.lastTag++
	if !settled {
		ch.unacked = append(ch.unacked, &modelDelivery{modelMessage: msg, tag: ch.lastTag, queue: q, consumer: c})
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

func (ch *modelChannel) Ack(tag uint64, multiple bool) error {
	return ch.settleTags("basic.ack", tag, multiple, "ack")
}

func (ch *modelChannel) Nack(tag uint64, multiple, requeue bool) error {
	return ch.settleTags("basic.nack", tag, multiple, refusalText(requeue))
}

func (ch *modelChannel) Reject(tag uint64, requeue bool) error {
	return ch.settleTags("basic.reject", tag, false, refusalText(requeue))
}

func refusalText(requeue bool) string {
	if requeue {
		return "requeue"
	}
	return "drop"
}

func (ch *modelChannel) settleTags(method string, tag uint64, multiple bool, fate string) error {
	if ch.closed {
		return warren.ErrClosed
	}
	var list []*modelDelivery
	known := tag == 0 && multiple
	for _, d := range ch.unacked {
		if d.tag == tag || multiple && (tag == 0 || d.tag < tag) {
			list = append(list, d)
		}
		known = known || d.tag == tag
	}
	if !known {
		return failure(method, 406, "unknown delivery tag %d", tag)
	}
	if !ch.tx {
		ch.settle(list, fate)
		return nil
	}
	for _, d := range list {
		d.fate = fate
		ch.unacked = without(ch.unacked, d)
		ch.held = append(ch.held, d)
	}
	return nil
}

func without(list []*modelDelivery, d *modelDelivery) []*modelDelivery {
	return slices.DeleteFunc(list, func(x *modelDelivery) bool { return x == d })
}

// settle ends deliveries. Neighbours of one queue and consumer go together.
func (ch *modelChannel) settle(list []*modelDelivery, fate string) {
	for rest := list; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].queue == rest[0].queue && rest[n].consumer == rest[0].consumer {
			n++
		}
		ch.settleRun(rest[:n], fate)
		rest = rest[n:]
	}
}

// settleRun ends deliveries of one queue and consumer: they are all back
// before the queue hands out again. Other consumers of the channel get the room
// first.
func (ch *modelChannel) settleRun(list []*modelDelivery, fate string) {
	for _, d := range list {
		ch.unacked, ch.held = without(ch.unacked, d), without(ch.held, d)
		switch fate {
		case "requeue":
			d.redelivered = true
			d.queue.giveBack(d.modelMessage)
		case "drop":
			d.queue.lose(d.modelMessage, "rejected")
		}
	}
	q, c := list[0].queue, list[0].consumer
	if fate == "requeue" {
		q.tidy()
	}
	if c != nil {
		if l := &ch.waiting[1]; slices.Contains(*l, c) {
			l.remove(c)
			*l = append(*l, c)
		}
		q.join(c)
	}
	q.handOut()
	q.done()
	ch.serve()
}

// giveBack puts a message back that somebody has had, unless that happens once
// too often.
func (q *modelQueue) giveBack(msg modelMessage) {
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
func (ch *modelChannel) Recover(requeue bool) error {
	if ch.closed {
		return warren.ErrClosed
	}
	if requeue {
		ch.settle(slices.Clone(ch.unacked), "requeue")
		return nil
	}
	for len(ch.unacked) > 0 {
		q, c := ch.unacked[0].queue, ch.unacked[0].consumer
		var list []*modelDelivery // all of one consumer, or of Get from one queue
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
			ch.unacked = without(ch.unacked, d)
			c.unread = slices.Insert(c.unread, i, d.modelMessage)
		}
		if !c.hasRoom() {
			q.leave(c)
		}
	}
	return nil
}

func (ch *modelChannel) Qos(prefetch int, o warren.QosOptions) error {
	switch {
	case ch.closed:
		return warren.ErrClosed
	case !o.Global:
		ch.prefetch = prefetch
		ch.limitRunning()
		return nil
	}
	ch.shared = prefetch
	if prefetch > 0 && !ch.limited {
		ch.limited = true
		for _, c := range ch.consumers {
			c.counted = !c.options.NoAck
			if c.counted && slices.Contains(ch.waiting[0], c) {
				ch.waiting[0].remove(c)
				ch.waiting[1] = append(ch.waiting[1], c)
			}
		}
	}
	ch.serve()
	return nil
}

// limitRunning gives the channel's limit to its consumers that have none of
// their own, the oldest first.
func (ch *modelChannel) limitRunning() {
	for _, c := range slices.Clone(ch.consumers) {
		if c.queue == nil || c.options.NoAck || c.options.Prefetch != 0 || ch.model.fault == "a prefetch is for later consumers" {
			continue
		}
		c.limit = ch.prefetch
		if !c.hasRoom() {
			c.queue.leave(c)
			continue
		}
		c.queue.join(c)
		c.queue.handOut()
		c.queue.done()
	}
}

func (ch *modelChannel) Flow(active bool) error {
	if ch.closed {
		return warren.ErrClosed
	}
	ch.paused = !active
	if active {
		ch.serve()
	}
	return nil
}

// Close gives everything back that is not settled for good, then ends the
// consumers, the oldest first.
func (ch *modelChannel) Close() error {
	if ch.closed {
		return nil
	}
	ch.closed = true
	ch.session.channels = slices.DeleteFunc(ch.session.channels, func(x *modelChannel) bool { return x == ch })
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

func (ch *modelChannel) unhold() {
	ch.unacked, ch.held = ch.out(), nil
	slices.SortFunc(ch.unacked, func(a, b *modelDelivery) int { return int(a.tag) - int(b.tag) })
}

func (ch *modelChannel) Get(queue string, autoAck bool) (d warren.Delivery, ok bool, err error) {
	q, err := ch.findQueue("basic.get", queue)
	if err != nil {
		return d, false, err
	}
	q.use()
	if q.options.SingleActiveConsumer {
		return d, false, failure("basic.get", 405, "cannot obtain access to locked queue '%s' in vhost '/'. basic.get operations are not supported by classic queues with single active consumer", q.name)
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

func (ch *modelChannel) Consume(queue string, o warren.ConsumeOptions) (anyConsumer, error) {
	const method = "basic.consume"
	if ch.closed {
		return nil, warren.ErrClosed
	}
	if slices.ContainsFunc(ch.consumers, func(c *modelConsumer) bool {
		return c.tag == o.Tag && (c.queue != nil || !isReplyName(queue)) // there is no second reply consumer anyway
	}) {
		return nil, failure(method, 530, "attempt to reuse consumer tag '%s'", o.Tag)
	}
	c := &modelConsumer{ch: ch, tag: o.Tag, options: o, limit: o.Prefetch}
	if isReplyName(queue) {
		switch {
		case !o.NoAck:
			return nil, failure(method, 406, "reply consumer cannot acknowledge")
		case ch.reply != nil:
			return nil, failure(method, 406, "reply consumer already set")
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
			return nil, failure(method, 403, "queue '%s' in vhost '/' in exclusive use", q.name)
		}
		if c.limit == 0 {
			c.limit = ch.prefetch
		}
		c.queue, c.counted = q, ch.limited && !o.NoAck
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

func (ch *modelChannel) Cancel(tag string) error {
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
