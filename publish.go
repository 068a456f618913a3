package warren

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/warrenmq/warren/internal/clock"
	"github.com/warrenmq/warren/internal/memory"
	"github.com/warrenmq/warren/internal/message"
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
	p := newPublishing(o)
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

// publishConfirmed is Publish in confirm mode.
func (ch *Channel) publishConfirmed(ctx context.Context, exchange, key string, msg *Message, o PublishOptions) (uint64, error) {
	tag, nacked, err := ch.publishNumbered(ctx, exchange, key, msg, o)
	if err == nil && nacked {
		err = ErrNacked
	}
	return tag, err
}

// publishNumbered gives the message the next number. The number is zero if the
// message was refused before it reached a queue.
func (ch *Channel) publishNumbered(ctx context.Context, exchange, key string, msg *Message, o PublishOptions) (tag uint64, nacked bool, err error) {
	p := newPublishing(o)
	if err := ch.prepare(ctx, &p, exchange, key, msg); err != nil {
		return 0, false, err
	}
	tag = ch.published.Add(1)
	nacked, err = ch.send(&p)
	return tag, nacked, err
}

// publishing is a checked message on its way to the queues.
type publishing struct {
	message.Publishing
	to *declaredExchange
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
	return ch.admit(ctx, p, nil)
}

// prepare makes the checks of basic.publish that all publishers share, before
// those of properties, in RabbitMQ's order: size, permission, exchange, routing
// key. A nil channel stands for what the broker publishes itself: requests of
// calls, and replies of handlers.
func (v *VirtualHost) prepare(p *publishing, ch *Channel, exchange string) error {
	if err := v.checkSize(len(p.Body)); err != nil {
		return err
	}
	x := v.defaultExchange
	if ch != nil {
		if g := ch.session.grant.Load(); g != nil && !g.write.All() {
			if err := ch.checkPublishAccess(g, exchange); err != nil {
				return err
			}
		}
	}
	if exchange != "" {
		var err error
		if x, err = v.exchangeForPublish(ch, exchange); err != nil {
			return err
		}
	}
	if len(p.Key) > maxShortString {
		return checkName(wire.BasicPublishID, "routing key", p.Key)
	}
	p.to, p.Exchange = x, &x.Name
	return nil
}

func (v *VirtualHost) checkSize(size int) error {
	if limit := v.broker.options.MaxMessageSize; limit > 0 && size > limit {
		return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "message size %d is larger than configured max size %d", size, limit)
	}
	return nil
}

// publishable finds an exchange to publish to: mostly the one that the channel's
// message before went to.
func (v *VirtualHost) exchangeForPublish(ch *Channel, name string) (*declaredExchange, error) {
	if ch == nil {
		return v.findPublishExchange(name)
	}
	if x := ch.recentExchange.Load(); x != nil && x.Name == name && !x.deleted.Load() {
		return x, nil
	}
	x, err := v.findPublishExchange(name)
	if err == nil {
		ch.recentExchange.Store(x)
	}
	return x, err
}

// prepareProperties checks the properties of a message that has some, makes them
// what the broker sends, and makes the message's content.
func (ch *Channel) prepareProperties(p *publishing, props *message.Properties) error {
	var address string
	if isReplyName(props.ReplyTo) {
		r := ch.reply.Load()
		if r == nil {
			return errNoReplyConsumer(props.ReplyTo)
		}
		address = r.address
	}
	narrow, err := p.setProperties(ch.vhost.broker, props)
	if err != nil {
		return err
	}
	if g := ch.session.grant.Load(); g != nil && props.UserId != "" {
		if err := g.checkUser(props.UserId, g.user); err != nil {
			return err
		}
	}
	if address != "" {
		props.ReplyTo = address
	}
	p.Content = message.NewChecked(props, narrow)
	p.HideKeys()
	return nil
}

func errNoReplyConsumer(name string) error {
	return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "fast reply consumer does not exist").
		withHint("consume from " + name + " on the same channel before publishing")
}

// checkProperties refuses properties that AMQP cannot carry. Narrow tells whether
// users see integers in the headers in another width.
func checkProperties(props *message.Properties) (narrow bool, err error) {
	if name, size := props.TooLong(); name != "" {
		return false, failure(wire.BasicPublishID, wire.CodeSyntaxError, "property %s of %d bytes exceeds %d", name, size, maxShortString)
	}
	if props.Headers == nil {
		return false, nil
	}
	return checkTable(wire.BasicPublishID, props.Headers)
}

// setProperties checks properties, and has the message expire as they say. It
// takes further routing keys from the headers CC and BCC, and takes the latter
// out. Narrow is as in checkProperties.
func (p *publishing) setProperties(b *Broker, props *message.Properties) (narrow bool, err error) {
	if narrow, err = checkProperties(props); err != nil {
		return false, err
	}
	if err := p.setExpiration(b, props.Expiration); err != nil || props.Headers == nil {
		return false, err
	}
	props.Headers, err = p.takeKeys(props.Headers)
	return narrow, err
}

// setExpiration checks a message's expiration and counts it from now.
func (p *publishing) setExpiration(b *Broker, expiration string) error {
	if expiration == "" {
		return nil
	}
	ms, problem := message.ParseExpiration(expiration)
	if problem != "" {
		return failure(wire.BasicPublishID, wire.CodePreconditionFailed, "invalid expiration '%s': %s", expiration, problem).
			withHint("it is a number of milliseconds, written as decimal digits")
	}
	p.Deadline = clock.Earlier(p.Deadline, b.queues.Clock.Now()+ms*int64(time.Millisecond))
	return nil
}

// takeKeys takes further routing keys from the headers CC and BCC, and returns
// the headers without BCC.
func (p *publishing) takeKeys(headers Table) (Table, error) {
	rest, bad, v := p.TakeKeys(headers)
	if bad != "" {
		return nil, failure(wire.BasicPublishID, wire.CodePreconditionFailed, "invalid message: {unacceptable_type_in_header,%q,%s}", bad, table.TypeName(v))
	}
	return rest, nil
}

// admit lets p in when there is memory. Its time to live begins then. Before a
// wait it calls waits, unless that is nil.
func (ch *Channel) admit(ctx context.Context, p *publishing, onWait func()) error {
	b, start := ch.vhost.broker, int64(0)
	if p.Deadline != 0 && b.queues.Memory.Full() {
		start = b.queues.Clock.Now()
	}
	if err := ch.vhost.admit(ctx, p, &ch.closed, onWait); err != nil {
		if ch.closed.Load() {
			return ch.reason
		}
		return err
	}
	if start != 0 {
		p.Deadline += b.queues.Clock.Now() - start
	}
	return nil
}

// admit holds new messages back while memory is short, and refuses them once
// the broker drains; replies go through in both cases. What is published on may
// be gone meanwhile.
func (v *VirtualHost) admit(ctx context.Context, p *publishing, channelClosed *atomic.Bool, onWait func()) error {
	b := v.broker
	if b.state.Load() == stateOpen && b.queues.Memory.Open() {
		return nil
	}
	if b.state.Load() == stateClosed {
		return ErrClosed
	}
	if channelClosed != nil && p.to == v.defaultExchange && isReplyAddress(p.Key) {
		return nil
	}
	if b.state.Load() == stateDraining && !fromHandler(ctx) {
		return ErrClosed
	}
	return b.waitForMemory(ctx, channelClosed, onWait)
}

// waitForMemory waits until there is memory, or fails as the options say.
func (b *Broker) waitForMemory(ctx context.Context, channelClosed *atomic.Bool, onWait func()) error {
	switch err := b.queues.Memory.Admit(ctx, channelClosed, onWait); err {
	case memory.ErrFull:
		return ErrMemoryLimit
	case memory.ErrClosed:
		return ErrClosed
	default:
		return err
	}
}

// send gives the message to its queues. nacked is set when one of them could
// not keep it; the error is a *Return or nil.
//
// Most messages go to the queue that the one before went to: then it need not
// be looked up.
func (ch *Channel) send(p *publishing) (nacked bool, err error) {
	if p.to != ch.vhost.defaultExchange || p.Extra != nil {
		return ch.vhost.route(p)
	}
	q := ch.recentQueue.Load()
	if q == nil || q.Name != p.Key {
		if q = ch.vhost.queue(p.Key); q == nil {
			return ch.vhost.route(p)
		}
		ch.recentQueue.Store(q)
	}
	taken, err := q.Push(&p.Publishing)
	if !taken && err == nil {
		ch.recentQueue.Store(nil) // it is gone, or has no consumer with room
		return ch.vhost.route(p)
	}
	return err != nil, nil
}
