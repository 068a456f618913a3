package warren

import (
	"context"

	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// Publish sends a message to an exchange with a routing key (basic.publish). An
// empty exchange is the default exchange: key is then the name of a queue.
//
// When it returns nil, the queues that the message was routed to have it. In confirm
// mode, a persistent message is then on disk in those that are durable, see
// [Channel.PublishConfirm]; ctx may end that wait, too. In a transaction they get it by
// TxCommit.
//
// It fails with 404 if there is no such exchange, with 403 if the exchange is internal,
// with 406 if the message is too large or has bad properties, with a *[Return] according
// to the options, with [ErrNacked] if a queue cannot keep the message, and with ctx's
// error if ctx ends while it waits for memory (see [Options].MemoryLimit). While the disk
// takes nothing, a persistent message to a durable queue waits in the same way, or fails
// with [ErrStorage]. In a transaction that has messages Publish does not wait for memory,
// but fails with [ErrMemoryLimit].
//
// If ReplyTo is a name of the direct reply-to pseudo-queue, it is replaced by the
// address of this channel's reply consumer. It fails with 406 if the channel has
// none.
func (ch *Channel) Publish(ctx context.Context, exchange, key string, msg Message, o PublishOptions) error {
	if !ch.vhost.broker.bare || ch.mode.Load() != modePlain {
		return ch.publishAny(ctx, exchange, key, msg, o)
	}
	p := newPublishing(o)
	if err := ch.prepare(ctx, &p, exchange, key, &msg); err != nil {
		return err
	}
	return ch.sendPrepared(&p)
}

// publishAny is Publish with all that may stand around it, in any mode.
func (ch *Channel) publishAny(ctx context.Context, exchange, key string, msg Message, o PublishOptions) error {
	switch b := ch.vhost.broker; {
	case b.bare:
		return ch.publish(ctx, exchange, key, &msg, o)
	case b.options.Intercept.Publish == nil:
		return ch.publishTraced(ctx, exchange, key, msg, o)
	default:
		o.confirmed = nil // an interceptor may publish with the options that it was given
		return (*b.publishIntercepted())(ctx, ch, exchange, key, msg, o)
	}
}

// publishIntercepted returns publishNext with its interceptors.
func (b *Broker) publishIntercepted() *PublishFunc {
	if f := b.publishes.f.Load(); f != nil {
		return f
	}
	return b.publishes.make(b.options.Intercept.Publish, publishNext)
}

// publishNext is what the innermost interceptor calls: Publish or PublishConfirm.
func publishNext(ctx context.Context, ch *Channel, exchange, key string, msg Message, o PublishOptions) error {
	traced := ch.vhost.broker.options.Tracer != nil
	var c *Confirmation
	var err error
	switch {
	case o.confirmed != nil && traced:
		c, err = ch.publishConfirmTraced(ctx, exchange, key, msg, o)
	case o.confirmed != nil:
		c, err = ch.publishToConfirm(ctx, exchange, key, &msg, o)
	case traced:
		return ch.publishTraced(ctx, exchange, key, msg, o)
	default:
		return ch.publish(ctx, exchange, key, &msg, o)
	}
	if c != nil {
		o.confirmed.Store(c)
	}
	return err
}

// publish is Publish without interceptors and a tracer.
func (ch *Channel) publish(ctx context.Context, exchange, key string, msg *Message, o PublishOptions) error {
	switch ch.mode.Load() {
	case modeConfirm:
		return ch.publishConfirmed(ctx, exchange, key, msg, o)
	case modeElsewhere:
		return ch.publishElsewhere(ctx, exchange, key, msg, o)
	}
	p := newPublishing(o)
	if err := ch.prepare(ctx, &p, exchange, key, msg); err != nil {
		return err
	}
	return ch.sendPrepared(&p)
}

// sendPrepared sends a prepared message, or holds it in a transaction.
func (ch *Channel) sendPrepared(p *publishing) error {
	if ch.mode.Load() == modeTx {
		return ch.holdPublish(p)
	}
	nacked, err := ch.send(p)
	p.release(&ch.vhost.broker.queues)
	if nacked {
		return ErrNacked
	}
	return err
}

// publishTraced is publish with a tracer.
func (ch *Channel) publishTraced(ctx context.Context, exchange, key string, msg Message, o PublishOptions) error {
	ctx, end := ch.tracePublish(ctx, exchange, key, &msg)
	err := ch.publish(ctx, exchange, key, &msg, o)
	end(err)
	return err
}

// tracePublish begins a publish. The message is a copy of the caller's.
func (ch *Channel) tracePublish(ctx context.Context, exchange, key string, msg *Message) (context.Context, func(error)) {
	op := &Operation{
		Kind: OperationPublish, VirtualHost: ch.vhost.name, Exchange: exchange, RoutingKey: key, Message: msg,
	}
	return op.begin(ctx, ch.vhost.broker.options.Tracer)
}

// publishConfirmed is Publish in confirm mode.
func (ch *Channel) publishConfirmed(ctx context.Context, exchange, key string, msg *Message, o PublishOptions) error {
	_, synced, nacked, err := ch.publishNumbered(ctx, exchange, key, msg, o)
	switch {
	case err != nil:
		return err
	case nacked:
		return ErrNacked
	case synced != 0:
		return ch.awaitSync(ctx, synced)
	}
	return nil
}

// publishNumbered publishes the message with the next delivery tag. The tag is zero
// if the message was refused before it reached a queue. If synced is not zero, an ack
// has to wait for this record.
func (ch *Channel) publishNumbered(ctx context.Context, exchange, key string, msg *Message, o PublishOptions) (tag, synced uint64, nacked bool, err error) {
	p := newPublishing(o)
	if err := ch.prepare(ctx, &p, exchange, key, msg); err != nil {
		return 0, 0, false, err
	}
	tag = ch.published.Add(1)
	nacked, err = ch.send(&p)
	p.release(&ch.vhost.broker.queues)
	return tag, p.Synced, nacked, err
}

func newPublishing(o PublishOptions) publishing {
	return publishing{Publishing: message.Publishing{Mandatory: o.Mandatory, Immediate: o.Immediate}}
}

// prepare makes the checks of basic.publish for a message in process, and waits
// until there is memory for it.
func (ch *Channel) prepare(ctx context.Context, p *publishing, exchange, key string, msg *Message) error {
	if err := ch.checkOpen(); err != nil {
		return err
	}
	p.Body, p.Key = msg.Body, key
	if err := ch.vhost.prepare(p, ch, exchange); err != nil {
		return err
	}
	if props := msg.properties(); !props.Plain() {
		if err := ch.prepareProperties(p, props); err != nil {
			return err
		}
	}
	if b := ch.vhost.broker; b.disk == nil && b.admitsAny() {
		return nil
	}
	return ch.admit(ctx, p)
}

// prepare makes the checks of basic.publish that all publishers share, before those
// of properties, in RabbitMQ's order: size, permission, exchange, routing key. ch is
// nil for messages of the broker itself: requests of calls, and replies of handlers.
func (v *VirtualHost) prepare(p *publishing, ch *Channel, exchange string) error {
	if p.Immediate && v.broker.like.NoImmediate {
		return errNotLike(wire.BasicPublishID, "immediate=true")
	}
	if err := v.checkSize(len(p.Body)); err != nil {
		return err
	}
	x := v.defaultExchange
	var topics *grant // nil: routing keys need no permission
	if ch != nil {
		if g := ch.session.grant.Load(); g != nil {
			if !g.write.All() {
				if err := ch.checkPublishAccess(g, exchange); err != nil {
					return err
				}
			}
			if g.topics != nil {
				topics = g
			}
		}
	}
	if exchange != "" {
		var err error
		if x, err = v.findPublishExchange(ch, exchange); err != nil {
			return err
		}
	}
	if len(p.Key) > maxShortString {
		return checkName(wire.BasicPublishID, "routing key", p.Key)
	}
	if topics != nil {
		if err := topics.checkTopic(wire.BasicPublishID, toWrite, v, x, p.Key); err != nil {
			return err
		}
	}
	p.to, p.Exchange = x, &x.Name
	if v.broker.watchers.any() {
		counting := x.counting()
		p.passed = counting
		if ch != nil {
			if p.passed = ch.passed.Load(); p.passed == nil || p.passed.exchange != counting {
				p.passed = ch.findPassed(x)
			}
		}
	}
	return nil
}

// checkSize refuses a body that is too large.
func (v *VirtualHost) checkSize(size int) error {
	if limit := v.broker.options.MaxMessageSize; limit > 0 && size > limit {
		return errTooLarge(size, limit)
	}
	return nil
}

// errTooLarge is not inlined, so that the check is.
//
//go:noinline
func errTooLarge(size, limit int) error {
	return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "message size %d is larger than configured max size %d", size, limit)
}

// findPublishExchange returns the exchange to publish to. It first tries the exchange
// of the channel's previous message.
func (v *VirtualHost) findPublishExchange(ch *Channel, name string) (*declaredExchange, error) {
	if ch == nil {
		return v.lookUpPublishExchange(name)
	}
	if x := ch.recentExchange.Load(); x != nil && x.Name == name && !x.Gone.Load() {
		return x, nil
	}
	x, err := v.lookUpPublishExchange(name)
	if err == nil && x.light {
		ch.recentExchange.Store(x)
	}
	return x, err
}

// prepareProperties checks and completes the properties of a message, and makes the
// message's content from them.
func (ch *Channel) prepareProperties(p *publishing, props *message.Properties) error {
	if m, ok := props.OnlyMode(); ok {
		p.Content = m
		return nil
	}
	var address string
	if ch.vhost.isReplyName(props.ReplyTo) {
		r := ch.reply.Load()
		if r == nil {
			return errNoReplyConsumer(props.ReplyTo)
		}
		address = r.address
	}
	headers, err := p.setProperties(&ch.vhost.broker.queues, props)
	if err != nil {
		return err
	}
	if p.Extra != nil {
		if err := ch.checkExtraTopics(p); err != nil {
			return err
		}
	}
	if g := ch.session.grant.Load(); g != nil && props.UserId != "" {
		if err := g.checkUser(props.UserId, g.user); err != nil {
			return err
		}
	}
	if address != "" {
		props.ReplyTo = address
	}
	p.Content = message.NewChecked(props, headers)
	if props.ReplyTo != "" {
		p.Content = ch.bound(p.Content, props.ReplyTo)
	}
	p.HideKeys()
	return nil
}

func errNoReplyConsumer(name string) error {
	return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "fast reply consumer does not exist").
		withHint("consume from " + name + " on the same channel before publishing")
}

// send delivers the message to its queues. nacked is set when one of them could not
// keep it. The error is a *Return or nil.
//
// Most messages go to the same queue as the message before. That queue is not looked
// up again.
func (ch *Channel) send(p *publishing) (nacked bool, err error) {
	if p.to != ch.vhost.defaultExchange || p.Extra != nil {
		return ch.vhost.route(p)
	}
	q := ch.recentQueue.Load()
	if q == nil || q.Name() != p.Key {
		if isReplyAddress(p.Key) {
			return ch.vhost.route(p)
		}
		if q = ch.vhost.queue(p.Key); q == nil {
			return ch.vhost.route(p)
		}
		if q.light {
			ch.recentQueue.Store(q)
		}
	}
	if p.passed != nil {
		p.Tally = &p.passed.in
	}
	taken, err := q.Push(&p.Publishing)
	if !taken && err == nil {
		p.Tally = nil
		ch.recentQueue.Store(nil) // the queue is deleted, or no consumer has room
		return ch.vhost.route(p)
	}
	return err != nil, nil
}
