package warren

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/table"
	"github.com/warrenmq/warren/internal/wire"
)

// PublishOptions are the flags of basic.publish.
type PublishOptions struct {
	// Mandatory: if no queue takes the message, Publish fails with a *[Return]
	// of 312 (see [ErrNoRoute]). Without it such a message is dropped silently.
	Mandatory bool
	// Immediate: only queues with a consumer that has room take the message; if
	// there is none, Publish fails with a *[Return] of 313 (see
	// [ErrNoConsumers]), as in LavinMQ.
	Immediate bool
}

// Publish sends a message to an exchange with a routing key (basic.publish).
// The empty exchange is the default one: key is then the name of a queue.
//
// When it returns nil, the queues that the message was routed to have it; in a
// transaction, TxCommit will hand it over. It fails with 404 if there is no such exchange, with 403
// if it is internal, with 406 for a message that is too large or has bad
// properties, with a *[Return] as the options say, with [ErrNacked] if a queue
// cannot keep the message, and with ctx's error if ctx ends while it waits for
// memory (see [Options].MemoryLimit).
//
// A ReplyTo that is a name of the direct reply-to pseudo-queue is replaced by
// the address of this channel's reply consumer; without one it is 406.
func (ch *Channel) Publish(ctx context.Context, exchange, key string, msg Message, o PublishOptions) error {
	if ch.mode.Load() == modeConfirm {
		_, err := ch.publishConfirmed(ctx, exchange, key, &msg, o)
		return err
	}
	p := publishing{options: o}
	if err := ch.prepare(ctx, &p, exchange, key, &msg); err != nil {
		return err
	}
	if ch.mode.Load() == modeTx {
		return ch.holdPublish(p)
	}
	nacked, err := ch.send(&p)
	if nacked {
		return ErrNacked
	}
	return err
}

// publishing is a checked message on its way to the queues.
type publishing struct {
	entry
	options  PublishOptions
	extra    []string // further routing keys, from the headers CC and BCC
	blind    []string // those of extra that nobody gets to see
	deadline int64    // when it expires by its own expiration, see Broker.clock; zero: never
}

// prepare makes all checks of basic.publish, in RabbitMQ's order: size,
// exchange, reply_to, then the other properties.
func (ch *Channel) prepare(ctx context.Context, p *publishing, exchange, key string, msg *Message) error {
	v := ch.vhost
	if err := ch.check(); err != nil {
		return err
	}
	if err := v.checkSize(len(msg.Body)); err != nil {
		return err
	}
	if g := ch.session.grant.Load(); g != nil && !g.write.all {
		if err := ch.mayPublish(g, exchange); err != nil {
			return err
		}
	}
	x := v.fallback
	if exchange != "" {
		var err error
		if x, err = ch.exchangeFor(exchange); err != nil {
			return err
		}
	}
	if len(key) > maxShortString {
		return checkName(wire.BasicPublishID, "routing key", key)
	}
	p.body, p.key, p.exchange = msg.Body, key, x
	if !msg.plain() {
		if err := ch.prepareProperties(p, msg); err != nil {
			return err
		}
	}
	return ch.admit(ctx, p, nil)
}

// exchangeFor finds an exchange to publish to: mostly the one that the message
// before went to.
func (ch *Channel) exchangeFor(name string) (*exchange, error) {
	if x := ch.recentExchange.Load(); x != nil && x.name == name && !x.deleted.Load() {
		return x, nil
	}
	x, err := ch.vhost.exchangeFor(name)
	if err == nil {
		ch.recentExchange.Store(x)
	}
	return x, err
}

func (v *VirtualHost) checkSize(size int) error {
	if limit := v.broker.options.MaxMessageSize; limit > 0 && size > limit {
		return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "message size %d is larger than configured max size %d", size, limit)
	}
	return nil
}

func (ch *Channel) prepareProperties(p *publishing, msg *Message) error {
	var address string
	if isReplyName(msg.ReplyTo) {
		r := ch.reply.Load()
		if r == nil {
			return errNoReplyConsumer(msg.ReplyTo)
		}
		address = r.address
	}
	headers, err := p.checkProperties(ch.vhost.broker, msg)
	if err != nil {
		return err
	}
	if g := ch.session.grant.Load(); g != nil && msg.UserId != "" {
		if err := g.checkUser(msg.UserId, g.user); err != nil {
			return err
		}
	}
	props := properties(*msg)
	props.Headers, props.Body = headers, nil
	if address != "" {
		props.ReplyTo = address
	}
	p.content = &props
	p.hideBlind()
	return nil
}

func errNoReplyConsumer(name string) error {
	return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "fast reply consumer does not exist").
		hint("consume from " + name + " on the same channel before publishing")
}

// checkProperties checks the properties of msg. It takes further routing keys
// from the headers CC and BCC, and returns the headers without BCC.
func (p *publishing) checkProperties(b *Broker, msg *Message) (Table, error) {
	if err := msg.check(); err != nil {
		return nil, err
	}
	if err := p.setExpiration(b, msg.Expiration); err != nil {
		return nil, err
	}
	return p.takeKeys(msg.Headers)
}

// setExpiration checks a message's expiration and counts it from now.
func (p *publishing) setExpiration(b *Broker, expiration string) error {
	if expiration == "" {
		return nil
	}
	ms, err := parseExpiration(expiration)
	if err != nil {
		return err
	}
	p.deadline = earlier(p.deadline, b.clock()+ms*int64(time.Millisecond))
	return nil
}

func (p *publishing) takeKeys(headers Table) (Table, error) {
	for _, name := range [...]string{"CC", "BCC"} {
		v, ok := headers[name]
		if !ok {
			continue
		}
		list, ok := v.([]any)
		if !ok {
			return nil, failure(wire.BasicPublishID, wire.CodePreconditionFailed, "invalid message: {unacceptable_type_in_header,%q,%s}", name, table.TypeName(v))
		}
		visible := len(p.extra)
		for _, k := range list {
			if s, ok := k.(string); ok {
				p.extra = append(p.extra, s)
			}
		}
		if name == "BCC" {
			p.blind = p.extra[visible:]
			headers = table.Clone(headers)
			delete(headers, name)
		}
	}
	return headers, nil
}

// admit lets p in when there is memory. Its time to live begins then.
func (ch *Channel) admit(ctx context.Context, p *publishing, waits func()) error {
	b, start := ch.vhost.broker, int64(0)
	if p.deadline != 0 && b.memory.full() {
		start = b.clock()
	}
	if err := ch.vhost.admit(ctx, p.exchange, p.key, &ch.closed, waits); err != nil {
		if ch.closed.Load() {
			return ch.reason
		}
		return err
	}
	if start != 0 {
		p.deadline += b.clock() - start
	}
	return nil
}

// admit holds new messages back while memory is short, and refuses them once
// the broker drains; replies go through in both cases. Before a wait it calls
// waits, unless that is nil.
func (v *VirtualHost) admit(ctx context.Context, x *exchange, key string, gone *atomic.Bool, waits func()) error {
	b := v.broker
	if b.state.Load() == stateOpen && !b.memory.full() {
		return nil
	}
	if b.state.Load() == stateClosed {
		return ErrClosed
	}
	if x == v.fallback && isReplyAddress(key) {
		return nil
	}
	if b.state.Load() == stateDraining && !fromHandler(ctx) {
		return ErrClosed
	}
	return b.memory.admit(ctx, gone, waits)
}

// send gives the message to its queues. nacked is set when one of them could
// not keep it; the error is a *Return or nil.
//
// Most messages go to the queue that the one before went to: then it need not
// be looked up.
func (ch *Channel) send(p *publishing) (nacked bool, err error) {
	if p.exchange != ch.vhost.fallback || p.extra != nil {
		return ch.vhost.route(p)
	}
	q := ch.recentQueue.Load()
	if q == nil || q.name != p.key {
		if q = ch.vhost.queue(p.key); q == nil {
			return ch.vhost.route(p)
		}
		ch.recentQueue.Store(q)
	}
	taken, err := q.push(p)
	if !taken && err == nil {
		ch.recentQueue.Store(nil) // it is gone, or has no consumer with room
		return ch.vhost.route(p)
	}
	return err != nil, nil
}

// route finds the queues of the message and gives it to them.
func (v *VirtualHost) route(p *publishing) (nacked bool, err error) {
	if p.extra == nil {
		v.mu.RLock()
		queues, ok := p.exchange.matcher.exact(p.key)
		v.mu.RUnlock()
		if ok && len(queues) > 0 {
			return v.deliver(p, queues, nil, nil)
		}
	}
	r := v.startRouting()
	defer v.endRouting(r)
	v.mu.RLock()
	r.route(p)
	v.mu.RUnlock()
	return v.deliver(p, r.queues, r.replies, r.delays)
}

// deliver gives the message to the queues and requesters that routing found,
// and to the exchanges that keep it back.
func (v *VirtualHost) deliver(p *publishing, queues []*queue, replies []string, later []*delays) (nacked bool, err error) {
	taken, nacked := v.give(p, queues, replies)
	routed := taken > 0 || nacked
	for _, d := range later {
		if d.add(p) {
			taken++
		}
	}
	if !routed && (taken == 0 || p.options.Mandatory && p.request() == nil) {
		return false, v.unrouted(p)
	}
	if missed := len(queues) + len(replies) + len(later) - taken; missed > 0 && taken > 0 && p.request() != nil {
		p.request().dropped(missed, ErrRequestDropped)
	}
	return nacked, nil
}

// give offers the message to all of them and counts those who took it.
func (v *VirtualHost) give(p *publishing, queues []*queue, replies []string) (taken int, nacked bool) {
	for _, q := range queues {
		ok, err := q.push(p)
		if err != nil {
			nacked = true
		} else if ok {
			taken++
		}
	}
	for _, address := range replies {
		if v.replies.deliver(address, &p.entry) {
			taken++
		}
	}
	return taken, nacked
}

// forward gives a message that the broker had already, and that was from until
// now, to all that routing found for it. It reports false if nobody took it.
func (v *VirtualHost) forward(r *routing, p *publishing, from *entry) bool {
	n := len(r.queues) + len(r.replies) + len(r.delays)
	if n == 0 {
		from.drop(ErrRequestDropped)
		return false
	}
	req := p.request()
	if req != nil {
		req.copies.Store(int32(n))
	}
	taken, _ := v.give(p, r.queues, r.replies)
	for _, d := range r.delays {
		if d.add(p) {
			taken++
		}
	}
	if req != nil && taken < n {
		req.dropped(n-taken, ErrRequestDropped)
	}
	return taken > 0
}

// unrouted counts a message that nobody took, and returns it if it had to be
// taken.
func (v *VirtualHost) unrouted(p *publishing) error {
	code := 0
	switch {
	case p.options.Immediate:
		code = wire.CodeNoConsumers
	case p.options.Mandatory:
		code = wire.CodeNoRoute
	case p.exchange == v.fallback && isReplyAddress(p.key):
		return nil // counted as a dropped reply
	default:
		v.unroutable.Add(1)
		return nil
	}
	v.returned.Add(1)
	return &Return{
		Message: p.message(), Code: uint16(code), Text: wire.CodeName(uint16(code)),
		Exchange: p.exchange.name, RoutingKey: p.key,
	}
}

func (v *VirtualHost) startRouting() *routing {
	if r, ok := v.routings.Get().(*routing); ok {
		return r
	}
	return &routing{vhost: v}
}

func (v *VirtualHost) endRouting(r *routing) {
	r.reset()
	v.routings.Put(r)
}
