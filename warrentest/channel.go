package warrentest

import (
	"slices"

	"github.com/warrenmq/warren/internal/wire"
)

// channel is what the tap knows of a channel. Where faults make the client's numbers of
// publishes and deliveries others than the broker's, the tap translates.
//
// The tap's mu guards it.
type channel struct {
	open         bool
	closing      bool // the tap has sent channel.close, and the client has not answered
	awaitsServer bool // the listener has not answered the tap's channel.close

	asked     []*op  // methods that the listener has not answered yet
	lastQueue string // that was declared last, for methods that name none

	confirms  bool   // confirm mode
	published uint64 // by the client, in confirm mode
	passed    uint64 // of these, and again, to the listener
	publishes []*publish

	consumers  map[string]consumer // by tag
	delivered  uint64              // to the client
	shifted    bool                // numbers of deliveries are not the listener's
	deliveries []delivery          // that are not settled
}

// publish is one that has no confirm yet.
type publish struct {
	op     *op    // nil: the client knows nothing of it
	server uint64 // the listener's number; zero: it has not got it
}

// confirmed is a publish that the listener has confirmed.
type confirmed struct {
	op   *op // the publish
	nack bool
}

type consumer struct {
	queue string
	noAck bool
}

// delivery is one that is not settled.
type delivery struct {
	client, server       uint64 // numbers; zero: the listener does not know it
	queue, exchange, key string
}

// observe notes what an op changes, and completes its Event. It reports false for what the
// client or the listener says on a channel that the tap has closed, which ends here.
func (t *tap) observe(o *op) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.Channel == 0 {
		if o.From == Client {
			t.observeLogin(o)
		}
		t.finishEvent(o)
		return true
	}
	c := t.channels[o.Channel]
	if c == nil {
		c = &channel{}
		t.channels[o.Channel] = c
	}
	o.channel = c
	if c.closing && o.From == Client || c.awaitsServer && o.From == Server {
		t.observeClosing(c, o)
		return false
	}
	if o.From == Client {
		c.observeClient(o)
	} else {
		c.observeServer(o)
	}
	t.finishEvent(o)
	return true
}

// finishEvent copies to an Event what is known only now.
func (t *tap) finishEvent(o *op) {
	o.Connection, o.User, o.VirtualHost = t.name, t.user, t.vhost
}

// observeLogin notes who the client is.
func (t *tap) observeLogin(o *op) {
	switch m := o.method.(type) {
	case *wire.ConnectionStartOk:
		if name, ok := m.ClientProperties["connection_name"].(string); ok && name != "" {
			t.name = name
		}
		capabilities, _ := m.ClientProperties["capabilities"].(wire.Table)
		t.hearsBlocked, _ = capabilities["connection.blocked"].(bool)
		t.user = userOf(m)
	case *wire.ConnectionTuneOk:
		if m.FrameMax >= wire.FrameMinMax {
			t.frameMax = m.FrameMax
		}
	case *wire.ConnectionOpen:
		t.vhost = m.VirtualHost
		if t.vhost == "" {
			t.vhost = "/"
		}
	}
}

// observeClosing handles what is said on a channel that the tap has closed.
func (t *tap) observeClosing(c *channel, o *op) {
	switch {
	case o.id == wire.ChannelCloseOkID && o.From == Client:
		c.closing = false
	case o.id == wire.ChannelCloseOkID:
		c.awaitsServer = false
	case o.id == wire.ChannelCloseID:
		back := t.to(other(o.From))
		t.broker.taps.running.Go(func() { back.method(o.Channel, &wire.ChannelCloseOk{}) }) // not with mu held
		if o.From == Client {
			c.closing = false
		}
	}
}

func other(s Side) Side {
	if s == Client {
		return Server
	}
	return Client
}

// closeChannel closes a channel on both sides.
func (t *tap) closeChannel(number uint16, code uint16, text string, cause wire.MethodID) {
	t.mu.Lock()
	c := t.channels[number]
	if c == nil || c.closing || t.closing {
		t.mu.Unlock()
		return
	}
	*c = channel{closing: true, awaitsServer: true}
	t.mu.Unlock()
	t.toClient.method(number, &wire.ChannelClose{ReplyCode: code, ReplyText: text, Cause: cause})
	t.toServer.method(number, &wire.ChannelClose{ReplyCode: codeSuccess, ReplyText: "closed by the test"})
}

// observeClient notes a method of the client.
func (c *channel) observeClient(o *op) {
	switch m := o.method.(type) {
	case *wire.ChannelOpen:
		*c = channel{open: true, awaitsServer: c.awaitsServer}
	case *wire.ChannelCloseOk:
		c.open = false
	case *wire.ConfirmSelect:
		c.confirms = true
	case *wire.BasicPublish:
		if c.confirms {
			c.published++
			o.DeliveryTag = c.published
			c.publishes = append(c.publishes, &publish{op: o})
		}
	case *wire.BasicConsume:
		if len(m.ConsumerTag) > 0 {
			c.addConsumer(string(m.ConsumerTag), c.queueName(o), m.NoAck)
		}
	case *wire.BasicCancel:
		o.Queue = c.consumers[o.ConsumerTag].queue
	case *wire.BasicAck, *wire.BasicNack, *wire.BasicReject:
		c.settle(o)
	}
	if o.Queue == "" {
		o.Queue = c.queueName(o)
	}
	if o.isAnswered() {
		c.asked = append(c.asked, o)
	}
}

// queueName returns the queue that a method names, which may be the one that was declared
// last.
func (c *channel) queueName(o *op) string {
	if o.Queue == "" && o.id != wire.QueueDeclareID && (o.id.Class() == wire.ClassQueue || o.id == wire.BasicConsumeID || o.id == wire.BasicGetID) {
		return c.lastQueue
	}
	return o.Queue
}

func (c *channel) addConsumer(tag, queue string, noAck bool) {
	if c.consumers == nil {
		c.consumers = make(map[string]consumer)
	}
	c.consumers[tag] = consumer{queue, noAck}
}

// observeServer notes a method of the listener.
func (c *channel) observeServer(o *op) {
	if len(c.asked) > 0 && o.answersSomething() {
		o.answers = c.asked[0]
		c.asked = c.asked[1:]
		if o.Queue == "" {
			o.Queue = o.answers.Queue
		}
		if o.Exchange == "" && o.id != wire.BasicGetOkID {
			o.Exchange = o.answers.Exchange
		}
	}
	switch m := o.method.(type) {
	case *wire.ChannelClose:
		c.asked = nil
	case *wire.ChannelCloseOk:
		c.open = false
	case *wire.QueueDeclareOk:
		c.lastQueue = o.Queue
	case *wire.BasicConsumeOk:
		if o.answers != nil {
			asked := o.answers.method.(*wire.BasicConsume)
			c.addConsumer(string(m.ConsumerTag), o.answers.Queue, asked.NoAck)
		}
	case *wire.BasicCancel:
		o.Queue = c.consumers[o.ConsumerTag].queue
	case *wire.BasicDeliver:
		k := c.consumers[o.ConsumerTag]
		o.Queue = k.queue
		c.deliver(o, m.DeliveryTag, k.noAck)
	case *wire.BasicGetOk:
		noAck := false
		if o.answers != nil {
			if get, ok := o.answers.method.(*wire.BasicGet); ok {
				noAck = get.NoAck
			}
		}
		c.deliver(o, m.DeliveryTag, noAck)
	case *wire.BasicRecoverOk:
		c.deliveries = nil
	case *wire.BasicAck:
		o.confirms = c.confirm(m.DeliveryTag, m.Multiple, false)
	case *wire.BasicNack:
		o.confirms = c.confirm(m.DeliveryTag, m.Multiple, true)
	}
}

// deliver gives a delivery the client's number. A zero server is a second one of the
// same message.
func (c *channel) deliver(o *op, server uint64, noAck bool) {
	c.delivered++
	o.DeliveryTag = c.delivered
	if server != c.delivered {
		c.shifted = true
	}
	if !noAck {
		c.deliveries = append(c.deliveries, delivery{c.delivered, server, o.Queue, o.Exchange, o.RoutingKey})
	}
}

// settle takes out what the client settles, and translates its numbers.
func (c *channel) settle(o *op) {
	i, found := slices.BinarySearchFunc(c.deliveries, o.DeliveryTag, func(d delivery, tag uint64) int {
		switch {
		case d.client < tag:
			return -1
		case d.client > tag:
			return 1
		}
		return 0
	})
	from, to := i, i
	if found {
		to = i + 1
	}
	if o.Multiple {
		from = 0
		if o.DeliveryTag == 0 {
			to = len(c.deliveries)
		}
	}
	settled := c.deliveries[from:to]
	if len(settled) > 0 {
		last := settled[len(settled)-1]
		o.Queue, o.Exchange, o.RoutingKey = last.queue, last.exchange, last.key
	}
	if c.shifted {
		o.settles = true
		for _, d := range settled {
			if d.server != 0 {
				o.settled = append(o.settled, d.server)
			}
		}
		if len(settled) == 0 {
			o.settled = []uint64{unknownTag} // for the listener to say that there is none
		}
	}
	if from == 0 {
		c.deliveries = c.deliveries[to:]
		return
	}
	c.deliveries = slices.Delete(c.deliveries, from, to)
}

// unknownTag is no delivery's.
const unknownTag = 1 << 62

// confirm takes out the publishes that the listener confirms.
func (c *channel) confirm(tag uint64, multiple, nack bool) (list []confirmed) {
	rest := c.publishes[:0]
	for i, p := range c.publishes {
		if p.server > tag {
			rest = append(rest, c.publishes[i:]...)
			break
		}
		if p.server == 0 || !multiple && p.server != tag {
			rest = append(rest, p)
			continue
		}
		list = append(list, confirmed{p.op, nack})
	}
	clear(c.publishes[len(rest):])
	c.publishes = rest
	return list
}

// pass gives a publish the listener's number, in confirm mode. Again: the client knows
// nothing of it.
func (c *channel) pass(o *op, again bool) {
	if !c.confirms || o.DeliveryTag == 0 {
		return
	}
	c.passed++
	if again {
		c.publishes = append(c.publishes, &publish{server: c.passed})
		return
	}
	for _, p := range slices.Backward(c.publishes) {
		if p.op == o {
			p.server = c.passed
			return
		}
	}
}

// forget takes out a publish that the listener does not get, and a method that it does
// not answer.
func (c *channel) forget(o *op, answered bool) {
	c.asked = slices.DeleteFunc(c.asked, func(a *op) bool { return a == o })
	if answered {
		c.publishes = slices.DeleteFunc(c.publishes, func(p *publish) bool { return p.op == o })
	}
}
