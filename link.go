package warren

import (
	"bytes"
	"context"
	"math"
	"unsafe"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// The ports give channels and sessions the method Link, which is for package
// amqp alone: messages stay encoded, and deliveries go straight to the
// connection. By these names the embedded fields are not exported.
type (
	channelPort = link.ChannelPort
	sessionPort = link.SessionPort
)

// linked is a channel as a connection uses it.
type linked Channel

func (l *linked) channel() *Channel { return (*Channel)(l) }

// linkedSession is a session as a connection uses it.
type linkedSession Session

// Ended has f called when the session is closed, or at once if it is.
func (l *linkedSession) Ended(f func(reason string)) {
	l.mu.Lock()
	closed := l.closed
	l.ended = f
	l.mu.Unlock()
	if closed {
		f(shutdownReason)
	}
}

// Publish follows Channel.Publish, with properties that stay as they are.
func (l *linked) Publish(ctx context.Context, m *link.Publish) (number uint64, nacked bool, err error) {
	ch := l.channel()
	p := publishing{options: PublishOptions{Mandatory: m.Mandatory, Immediate: m.Immediate}}
	if err := l.prepare(ctx, &p, m); err != nil {
		return 0, false, err
	}
	switch ch.mode.Load() {
	case modeTx:
		return 0, false, ch.holdPublish(p)
	case modeConfirm:
		number = ch.published.Add(1)
	}
	nacked, err = ch.send(&p)
	return number, nacked, err
}

// prepare makes the checks of basic.publish, in the order of Channel.prepare.
func (l *linked) prepare(ctx context.Context, p *publishing, m *link.Publish) error {
	ch := l.channel()
	v := ch.vhost
	if err := ch.check(); err != nil {
		return err
	}
	if err := v.checkSize(len(m.Body)); err != nil {
		return err
	}
	g := ch.session.grant.Load()
	if g != nil && !g.write.all {
		if err := ch.mayPublish(g, string(m.Exchange)); err != nil {
			return err
		}
	}
	x := v.fallback
	if len(m.Exchange) > 0 {
		var err error
		if x, err = l.exchangeFor(m.Exchange); err != nil {
			return err
		}
	}
	p.body, p.exchange = m.Body, x
	p.key = l.routingKey(x, m.RoutingKey)
	if m.Properties != nil {
		if err := l.setProperties(p, m, g); err != nil {
			return err
		}
	}
	return ch.admit(ctx, p, m.Waits)
}

// exchangeFor makes a string of the name only if the exchange was not the one
// published to before.
func (l *linked) exchangeFor(name []byte) (*exchange, error) {
	if x := l.recentExchange.Load(); x != nil && x.name == string(name) && !x.deleted.Load() {
		return x, nil
	}
	return l.channel().exchangeFor(string(name))
}

// routingKey makes a string of the key, if there is none yet that says the
// same.
func (l *linked) routingKey(x *exchange, key []byte) string {
	if x == l.vhost.fallback {
		if q := l.recentQueue.Load(); q != nil && q.name == string(key) {
			return q.name
		}
	}
	if k := l.recentKey.Load(); k != nil && *k == string(key) {
		return *k
	}
	k := string(key)
	l.recentKey.Store(&k)
	return k
}

// setProperties checks what the broker looks at: reply_to, expiration, user_id,
// and the headers CC and BCC.
func (l *linked) setProperties(p *publishing, from *link.Publish, g *grant) error {
	raw, e := from.Properties, (*encoded)(nil)
	if name, ok := raw.Get(wire.ReplyTo); ok && len(name) <= len(rabbitReplyTo) && isReplyName(string(name)) {
		r := l.reply.Load()
		if r == nil {
			return errNoReplyConsumer(string(name))
		}
		var a addressed
		e, raw = &a.encoded, raw.AppendWith(a.room[:0], wire.ReplyTo, view(r.address))
	}
	if ms, ok := raw.Get(wire.Expiration); ok {
		if err := p.setExpiration(l.vhost.broker, string(ms)); err != nil {
			return err
		}
	}
	if user, ok := raw.Get(wire.UserId); ok {
		if err := g.checkUser(string(user), from.User); err != nil {
			return err
		}
	}
	if e == nil {
		e = &encoded{}
	}
	e.raw, p.content = raw, e
	// Few messages have these headers; a look at the bytes saves decoding the
	// others.
	if headers, ok := raw.Get(wire.Headers); ok && bytes.Contains(headers, []byte("CC")) {
		return l.senderSelected(p, e)
	}
	return nil
}

func (l *linked) senderSelected(p *publishing, e *encoded) error {
	headers, err := p.takeKeys(e.headers())
	if err != nil || len(headers) == len(e.headers()) {
		return err
	}
	m := e.message() // without BCC it is another message
	m.Headers = headers
	p.content = (*properties)(&m)
	p.hideBlind()
	return nil
}

// Consume follows Channel.Consume.
func (l *linked) Consume(c *link.Consume, sink link.Sink) error {
	o := ConsumeOptions{Tag: c.Tag, NoAck: c.NoAck, Exclusive: c.Exclusive, Args: c.Arguments}
	_, err := l.channel().consume(c.Queue, o, sink)
	return err
}

// Get follows Channel.Get.
func (l *linked) Get(name string, noAck bool, sink link.Sink) (ok bool, err error) {
	ch := l.channel()
	if err := ch.check(); err != nil {
		return false, err
	}
	q, err := ch.readQueue(wire.BasicGetID, name)
	if err != nil {
		return false, err
	}
	d, left, ok, err := q.get(noAck)
	if !ok {
		return false, err
	}
	if !ch.pass(nil, &d, noAck, sink, left) {
		q.requeue(nil, []settling{unsettled(d.item)}, false)
		return false, ch.check()
	}
	return true, nil
}

// Ended has f called after the broker has closed the channel by itself, with
// the error; number is the channel's on its connection.
func (l *linked) Ended(number uint16, f func(err error)) {
	l.mu.Lock()
	l.shown, l.ended = uint64(number), f
	l.mu.Unlock()
}

// Recover follows Channel.Recover.
func (l *linked) Recover(requeue bool, done func()) error {
	ch := l.channel()
	if !requeue { // nothing comes back to a queue that a consumer could have it from
		done()
		return ch.Recover(false)
	}
	if !ch.paused.Swap(true) {
		defer ch.Flow(true)
	}
	err := ch.Recover(true)
	if err == nil {
		done()
	}
	return err
}

func (l *linked) Stall(stalled bool) {
	l.stalled.Store(stalled)
	if !stalled {
		l.shared.missed.Store(true)
		l.channel().revive()
	}
}

func (l *linked) MaxMessageSize() int {
	if limit := l.vhost.broker.options.MaxMessageSize; limit > 0 {
		return limit
	}
	return math.MaxInt
}

func (l *linked) Encode(message any) wire.RawProperties {
	if m, ok := message.(*Message); ok && !m.plain() {
		return m.appendProperties(nil)
	}
	return nil
}

// pass gives a message its delivery tag and passes it to the connection under
// the channel's lock, so that tags leave in their order. It reports false if
// the channel is closed. A nil consumer is Get, with what is left in the queue.
func (ch *Channel) pass(c *Consumer, given *delivered, noAck bool, sink link.Sink, left int) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.closed.Load() {
		return false
	}
	it := &given.item
	d := link.Delivery{
		Tag: ch.lastTag.Add(1), Redelivered: it.redelivered,
		Exchange: it.exchange.name, RoutingKey: it.key, Body: it.body,
	}
	if c := it.shown(); c != nil {
		d.Properties = c
	}
	if c != nil {
		d.ConsumerTag, d.Reply = c.tag, c.c == nil
	}
	if !noAck {
		ch.keep(d.Tag, given)
	}
	if c == nil {
		sink.Got(d, left)
	} else {
		sink.Deliver(d)
	}
	return true
}

// send passes a message of the consumer to its connection. What comes after
// the channel was closed lies in the mailbox until the consumer ends.
func (c *Consumer) send(it *item) {
	d, noAck := delivered{item: *it}, true
	if c.c != nil {
		d.queue, d.consumer, d.timeout, noAck = c.c.queue, c.c, c.c.timeout, c.c.noAck
	}
	if !c.ch.pass(c, &d, noAck, c.out, 0) {
		c.box.put(it)
	}
}

// toConnection makes c one that sends: its messages go past the mailbox, and
// without a prefetch it is the connection's buffer that bounds them.
func (c *consumer) toConnection() {
	c.box = nil
	if c.untilRead {
		c.limit = math.MaxInt
	}
}

// view shows a string as bytes that must not be written to.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
