package model_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/warrenmq/warren"
)

// generator makes operations at random. It looks at the model, to make more of
// those that do something.
type generator struct {
	*rand.Rand
	world *world // the model's
	model *model
	rules map[string]warren.QueueOptions // of queues, by name
	sent  int

	durable bool // there is a disk
}

func (g *generator) next() operation {
	unread, unsettled, held, requesters := g.busy()
	kinds := []struct {
		weight int
		make   func() operation
	}{
		{6 + 30/(1+len(g.model.queues)), g.queueDeclare},
		{4, g.exchangeDeclare},
		{6, g.bind},
		{3, g.exchangeBind},
		{35, g.publish},
		{14, g.get},
		{10, g.consume},
		{2 + 12*unread, g.read},
		{3 + 9*unsettled, g.settle},
		{3 + 6*requesters, g.reply},
		{4, g.consumeReplies},
		{4, g.inspect},
		{2, g.cancel},
		{5, g.qos},
		{2 + unsettled, g.recover},
		{2, g.flow},
		{1 + 5*held, g.mode},
		{2, g.remove},
		{2, g.close},
		{7, g.pass},
		{8 * g.closed(), g.reopen},
		{g.restarts(), g.restart},
	}
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	n := g.IntN(total)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			return k.make()
		}
	}
	panic("unreachable")
}

func (g *generator) one(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

// busy counts consumers that can be read, and channels with something to
// settle, to commit or to get replies.
func (g *generator) busy() (unread, unsettled, held, requesters int) {
	for _, c := range g.world.consumers {
		if c != nil && len(c.(*modelConsumer).unread) > 0 {
			unread++
		}
	}
	for _, c := range g.world.channels {
		ch := c.(*modelChannel)
		unsettled += min(1, len(ch.unacked))
		held += min(1, len(ch.held)+len(ch.publishes))
		if ch.reply != nil {
			requesters++
		}
	}
	return unread, unsettled, held, requesters
}

func (g *generator) closed() (n int) {
	for _, ch := range g.world.channels {
		if ch.(*modelChannel).closed {
			n++
		}
	}
	return n
}

// channel picks one, mostly one for which like is true.
func (g *generator) channel(like func(ch *modelChannel) bool) int {
	var liked []int
	for i, ch := range g.world.channels {
		if ch := ch.(*modelChannel); !ch.closed && like(ch) {
			liked = append(liked, i)
		}
	}
	if len(liked) > 0 && g.one(92) {
		return pick(g, liked...)
	}
	return g.IntN(channelCount)
}

func (g *generator) open() int { return g.channel(func(*modelChannel) bool { return true }) }

// openFor picks a channel, mostly one that may use the queue.
func (g *generator) openFor(queue string) int {
	q := g.model.queues[queue]
	return g.channel(func(ch *modelChannel) bool { return q == nil || q.owner == nil || q.owner == ch.session })
}

// queue names one, mostly one that is there.
func (g *generator) queue() string {
	if there := slices.Sorted(maps.Keys(g.model.queues)); len(there) > 0 && g.one(85) {
		return pick(g, there...)
	}
	return pick(g, append(queueNames[:], "", "amq.gen-1", oddQueue)...)
}

func (g *generator) exchange() string {
	if there := slices.Sorted(maps.Keys(g.model.exchanges)); g.one(60) {
		return pick(g, there[len(there)-min(4, len(there)-1):]...)
	}
	if g.one(70) {
		return pick(g, "x0", "x1", "x2", "x3")
	}
	return pick(g, "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "")
}

func (g *generator) key() string {
	return pick(g, "a", "a.b", "a.b.a", "", pick(g, queueNames[:]...))
}

func (g *generator) pattern() string {
	return pick(g, g.key(), "#", "a.*", "*.b", "#.a", "a.#.a", "*")
}

// address is a reply address that somebody has seen, or one that is wrong.
func (g *generator) address() string {
	var seen []string
	for n := range g.world.names {
		if isReplyAddress(n) {
			seen = append(seen, n)
		}
	}
	slices.Sort(seen)
	slices.SortStableFunc(seen, func(a, b string) int { return g.waits(b) - g.waits(a) }) // the living first
	if len(seen) > 0 && g.one(90) {
		return seen[min(g.IntN(len(seen)), g.IntN(len(seen)))]
	}
	return pick(g, "amq.direct.reply-to.1", "amq.rabbitmq.reply-to.garbage", "amq.lavinmq.reply-to.AAAAAAAAAAAAAAAAAAAAAA0")
}

// waits is 1 if somebody waits for replies at the address.
func (g *generator) waits(address string) int {
	if g.model.requester[address] == nil {
		return 0
	}
	return 1
}

func (g *generator) replyName() string {
	return pick(g, "amq.direct.reply-to", "amq.rabbitmq.reply-to", "amq.lavinmq.reply-to")
}

func (g *generator) publish() operation {
	x, key := "", g.queue()
	if g.one(45) {
		x, key = g.exchange(), g.key()
		if bs := g.model.bindings; len(bs) > 0 && g.one(80) {
			b := pick(g, bs...)
			x, key = b.source.name, pick(g, b.key, key)
		}
	}
	return g.publishTo(g.open(), x, key, "")
}

// reply publishes to a reply address, or sends a request.
func (g *generator) reply() operation {
	if a := g.address(); g.one(10) || g.waits(a) == 1 && g.one(60) {
		return g.publishTo(g.open(), pick(g, "", "", "", "", "", "", g.exchange()), a, "")
	}
	c := g.channel(func(ch *modelChannel) bool { return ch.reply != nil })
	return g.publishTo(c, "", g.queue(), pick(g, g.replyName(), g.replyName(), g.address()))
}

func (g *generator) publishTo(c int, x, key, replyTo string) operation {
	g.sent++
	body := fmt.Sprintf("m%d", g.sent)
	o := warren.PublishOptions{Mandatory: g.one(30), Immediate: g.one(6)}
	headers := map[string]any{}
	for _, k := range []string{"h", "i"} {
		if g.one(25) {
			headers[k] = pick[any](g, "1", "2", int32(1))
		}
	}
	for _, k := range []string{"CC", "BCC"} {
		switch {
		case g.one(8):
			headers[k] = []any{pick(g, g.queue(), g.key(), g.address()), g.queue()}
		case g.one(1):
			headers[k] = g.queue()
		}
	}
	priority, expiration := uint8(0), ""
	if g.one(30) {
		priority = uint8(g.IntN(5))
	}
	if g.one(12) {
		expiration = pick(g, "0", "4", "9")
	}
	id := ""
	if replyTo != "" {
		id = body
	}
	mode := uint8(0)
	if g.durable && g.one(80) {
		mode = warren.Persistent
	}
	message := func(w *world) warren.Message {
		m := warren.Message{DeliveryMode: mode, Body: []byte(body), ReplyTo: w.name(replyTo), CorrelationId: id, Priority: priority, Expiration: expiration}
		for k, v := range headers {
			if m.Headers == nil {
				m.Headers = warren.Table{}
			}
			if list, ok := v.([]any); ok {
				m.Headers[k] = []any{w.name(list[0].(string)), w.name(list[1].(string))}
			} else {
				m.Headers[k] = v
			}
		}
		return m
	}
	confirm, method := g.one(30), "Publish"
	if confirm = confirm && g.world.channels[c].(*modelChannel).confirm; confirm || g.one(1) {
		confirm, method = true, "PublishConfirm"
	}
	op := onChannel(c, func(w *world, ch anyChannel) answer {
		if !confirm {
			return answer{}.err(ch.Publish(x, w.name(key), message(w), o))
		}
		tag, acked, err := ch.PublishConfirm(x, w.name(key), message(w), o)
		return answer{}.add("number %d, acked %v, ", tag, acked).err(err)
	}, "%s(%q, %q, %s%s%s)", method, x, key, body, flagsText("reply to", replyTo, "mandatory", o.Mandatory, "immediate", o.Immediate, "priority", priority, "expires", expiration, "mode", mode), tableText(headers))
	op.confirms = func(m *model, answer string) bool {
		return g.world.channels[c].(*modelChannel).confirm && (answer == "ok" || strings.HasSuffix(answer, "acked true, ok"))
	}
	op.unclear = func(w *world) bool {
		p, err := w.channels[c].(*modelChannel).prepare(x, w.name(key), message(w), o)
		return err == nil && p.orderMatters()
	}
	return op
}

// orderMatters: AMQP does not say in which order queues get a message, but
// consumers that share a limit of their channel would show it, and what one
// queue loses may come to another.
func (p *modelPublishing) orderMatters() bool {
	for _, q := range p.queues {
		if q.options.DeadLetter != nil && len(p.queues) > 1 {
			return true
		}
	}
	seen := map[*modelChannel]*modelQueue{}
	for _, q := range p.queues {
		for _, c := range q.consumers {
			if other := seen[c.ch]; other != nil && other != q && c.ch.shared > 0 {
				return true
			}
			seen[c.ch] = q
		}
	}
	return false
}

func (g *generator) get() operation {
	q, autoAck := g.queue(), g.one(25)
	if g.one(2) {
		q = pick(g, g.address(), g.replyName())
	}
	for _, name := range queueNames { // one with something in it is worth more
		if x := g.model.queues[name]; x != nil && len(x.ready) > 0 && g.one(30) {
			q = name
		}
	}
	return onChannel(g.openFor(q), func(w *world, ch anyChannel) answer {
		d, ok, err := ch.Get(w.name(q), autoAck)
		if !ok && err == nil {
			return answer{text: "empty"}
		}
		return answer{}.delivery(d, err)
	}, "Get(%q%s)", q, flagsText("auto-ack", autoAck))
}

// place is one for a new consumer, mostly one that is free.
func (g *generator) place() int {
	for k, c := range g.world.consumers {
		if c == nil || c.(*modelConsumer).ended || c.(*modelConsumer).ch.closed {
			return k
		}
	}
	return g.IntN(consumerCount)
}

func (g *generator) consume() operation {
	o := warren.ConsumeOptions{
		Tag: pick(g, "", "", "t0", "t1"), NoAck: g.one(30), Exclusive: g.one(6),
		Prefetch: pick(g, 0, 0, 1, 2, -1), Priority: pick(g, 0, 0, 0, 1),
	}
	q := g.queue()
	if g.one(3) {
		q = g.address()
	}
	return g.consumeFrom(g.openFor(q), q, o)
}

func (g *generator) consumeReplies() operation {
	o := warren.ConsumeOptions{Tag: pick(g, "", "", "t0", "t1"), NoAck: g.one(90)}
	return g.consumeFrom(g.channel(func(ch *modelChannel) bool { return ch.reply == nil }), g.replyName(), o)
}

func (g *generator) consumeFrom(c int, q string, o warren.ConsumeOptions) operation {
	k := g.place()
	op := onChannel(c, func(w *world, ch anyChannel) answer {
		consumer, err := ch.Consume(w.name(q), o)
		if err != nil {
			return answer{}.err(err)
		}
		w.consumers[k] = consumer
		if s, ok := consumer.(interface{ Tag() string }); ok {
			return answer{}.name(s.Tag())
		}
		return answer{}.name(consumer.(*modelConsumer).tag)
	}, "Consume(%q%s)", q, flagsText("tag", o.Tag, "no-ack", o.NoAck, "exclusive", o.Exclusive, "prefetch", o.Prefetch, "priority", o.Priority))
	op.text = fmt.Sprintf("k%d = %s", k, op.text)
	return op
}

// read takes from a consumer, mostly from one that has something.
func (g *generator) read() operation {
	k := g.IntN(consumerCount)
	var full []int
	for i, c := range g.world.consumers {
		if c != nil && len(c.(*modelConsumer).unread) > 0 {
			full = append(full, i)
		}
	}
	if len(full) > 0 && g.one(90) {
		k = pick(g, full...)
	}
	return operation{
		text: fmt.Sprintf("k%d.Next()", k),
		do:   func(w *world, _ uint64) answer { return w.next(k) },
	}
}

func (g *generator) settle() operation {
	c := g.channel(func(ch *modelChannel) bool { return len(ch.unacked) > 0 })
	nth := 1 + g.IntN(1+len(g.world.channels[c].(*modelChannel).unacked))
	multiple, requeue := g.one(35), g.one(60)
	if g.one(4) {
		nth = 0
	}
	op := operation{channel: c, nth: nth}
	on := func(do func(ch anyChannel, tag uint64) error, format string, args ...any) operation {
		op.text = fmt.Sprintf("c%d.%s", c, fmt.Sprintf(format, args...))
		op.do = func(w *world, tag uint64) answer { return answer{}.err(do(w.channels[c], tag)) }
		return op
	}
	switch g.IntN(5) {
	case 0, 1:
		return on(func(ch anyChannel, tag uint64) error { return ch.Ack(tag, multiple) }, "Ack(TAG%s)", flagsText("multiple", multiple))
	case 2:
		return on(func(ch anyChannel, tag uint64) error { return ch.Reject(tag, requeue) }, "Reject(TAG%s)", flagsText("requeue", requeue))
	}
	return on(func(ch anyChannel, tag uint64) error { return ch.Nack(tag, multiple, requeue) }, "Nack(TAG%s)", flagsText("multiple", multiple, "requeue", requeue))
}

func (g *generator) cancel() operation {
	if g.one(50) {
		k := g.IntN(consumerCount)
		return operation{text: fmt.Sprintf("k%d.Cancel()", k), do: func(w *world, _ uint64) answer {
			if w.consumers[k] == nil {
				return answer{text: "no consumer"}
			}
			return answer{}.err(w.consumers[k].Cancel())
		}}
	}
	c := g.channel(func(ch *modelChannel) bool { return len(ch.consumers) > 0 })
	tag := "t0"
	if cs := g.world.channels[c].(*modelChannel).consumers; len(cs) > 0 {
		tag = pick(g, cs...).tag
	}
	return onChannel(c, func(w *world, ch anyChannel) answer {
		return answer{}.err(ch.Cancel(w.name(tag)))
	}, "Cancel(%q)", tag)
}

func (g *generator) qos() operation {
	n, global := g.IntN(4), g.one(50)
	return onChannel(g.open(), func(w *world, ch anyChannel) answer {
		return answer{}.err(ch.Qos(n, warren.QosOptions{Global: global}))
	}, "Qos(%d%s)", n, flagsText("global", global))
}

func (g *generator) recover() operation {
	requeue := g.one(50)
	return onChannel(g.channel(func(ch *modelChannel) bool { return len(ch.unacked) > 0 }), func(w *world, ch anyChannel) answer {
		return answer{}.err(ch.Recover(requeue))
	}, "Recover(%v)", requeue)
}

func (g *generator) flow() operation {
	c, active := g.open(), g.one(30)
	if paused := g.channel(func(ch *modelChannel) bool { return ch.paused }); g.one(75) {
		c, active = paused, true
	}
	return onChannel(c, func(w *world, ch anyChannel) answer {
		return answer{}.err(ch.Flow(active))
	}, "Flow(%v)", active)
}

func (g *generator) mode() operation {
	c := g.channel(func(ch *modelChannel) bool { return len(ch.held)+len(ch.publishes) > 0 })
	if g.one(30) {
		c = g.open()
	}
	on := func(name string, do func(ch anyChannel) error) operation {
		return onChannel(c, func(w *world, ch anyChannel) answer { return answer{}.err(do(ch)) }, name+"()")
	}
	n := g.IntN(10)
	if !g.world.channels[c].(*modelChannel).tx && g.one(80) {
		n = g.IntN(4)
	}
	switch {
	case n == 0:
		return on("Confirm", anyChannel.Confirm)
	case n <= 3:
		return on("Tx", anyChannel.Tx)
	case n <= 5:
		return on("TxRollback", anyChannel.TxRollback)
	}
	op := on("TxCommit", anyChannel.TxCommit)
	op.confirms = func(_ *model, answer string) bool { return answer == "ok" }
	op.unclear = func(w *world) bool {
		return slices.ContainsFunc(w.channels[c].(*modelChannel).publishes, (*modelPublishing).orderMatters)
	}
	return op
}

func (g *generator) close() operation {
	if g.one(25) {
		s := g.IntN(sessionCount)
		return operation{text: fmt.Sprintf("s%d.Close()", s), do: func(w *world, _ uint64) answer {
			return answer{}.err(w.sessions[s].Close())
		}}
	}
	return onChannel(g.open(), func(w *world, ch anyChannel) answer { return answer{}.err(ch.Close()) }, "Close()")
}

// reopen opens a channel, or a session with its channels, in the place of
// what is then closed.
func (g *generator) reopen() operation {
	c := g.channel(func(ch *modelChannel) bool { return false })
	for i, ch := range g.world.channels {
		if ch.(*modelChannel).closed {
			c = i
		}
	}
	s := c / 2
	if g.one(10) || g.world.sessions[s].(*modelSession).closed && g.one(80) {
		return operation{text: fmt.Sprintf("s%d.Close(); s%d = Session(), with its channels", s, s), do: func(w *world, _ uint64) answer {
			err := w.sessions[s].Close()
			w.openSession(s)
			return answer{}.err(err)
		}}
	}
	return operation{text: fmt.Sprintf("c%d.Close(); c%d = s%d.Channel()", c, c, s), do: func(w *world, _ uint64) answer {
		w.channels[c].Close()
		ch, err := w.sessions[s].Channel()
		if err == nil {
			w.channels[c] = ch
		}
		return answer{}.err(err)
	}}
}
