package warren

import (
	"context"
	"fmt"
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
	// Mandatory: if no queue takes the message, Publish fails with a *[Return] of
	// 312 (see [ErrNoRoute]). Otherwise such a message is dropped silently.
	Mandatory bool
	// Immediate: only queues with a consumer that has room take the message. If
	// there is none, Publish fails with a *[Return] of 313 (see [ErrNoConsumers]),
	// as in LavinMQ. With [LikeRabbitMQ] it fails with 540.
	Immediate bool
}

// Publish sends a message to an exchange with a routing key (basic.publish). An
// empty exchange is the default exchange: key is then the name of a queue.
//
// When it returns nil, the queues that the message was routed to have it. In confirm
// mode, a persistent message is then on disk in those that are durable, see
// [Confirmation]; ctx may end that wait, too. In a transaction they get it by TxCommit.
// It fails with 404 if there is no such
// exchange, with 403 if the exchange is internal, with 406 if the message is too
// large or has bad properties, with a *[Return] according to the options, with
// [ErrNacked] if a queue cannot keep the message, and with ctx's error if ctx ends
// while it waits for memory (see [Options].MemoryLimit). While the disk cannot take what
// goes there, it waits in the same way, or fails with [ErrStorage]. In a transaction that has
// messages it does not wait, but fails with [ErrMemoryLimit].
//
// If ReplyTo is a name of the direct reply-to pseudo-queue, it is replaced by the
// address of this channel's reply consumer. It fails with 406 if the channel has
// none.
func (ch *Channel) Publish(ctx context.Context, exchange, key string, msg Message, o PublishOptions) error {
	if ch.mode.Load() == modeConfirm {
		return ch.publishConfirmed(ctx, exchange, key, &msg, o)
	}
	p := newPublishing(o)
	if err := ch.prepare(ctx, &p, exchange, key, &msg); err != nil {
		return err
	}
	if ch.mode.Load() == modeTx {
		return ch.holdPublish(&p)
	}
	nacked, err := ch.send(&p)
	p.release(ch.vhost.broker)
	if nacked {
		return ErrNacked
	}
	return err
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
	p.release(ch.vhost.broker)
	return tag, p.Synced, nacked, err
}

// publishing is a checked message and the exchange that it goes to.
type publishing struct {
	message.Publishing
	to       *declaredExchange
	reserved int64 // bytes that admit has counted, until queues count the message
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
	if ch != nil {
		if g := ch.session.grant.Load(); g != nil && !g.write.All() {
			if err := ch.checkPublishAccess(g, exchange); err != nil {
				return err
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
	p.to, p.Exchange = x, &x.Name
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

// checkProperties refuses properties that AMQP cannot carry. narrow says that the
// headers have integers which users see in another width.
func checkProperties(props *message.Properties) (narrow bool, err error) {
	if name, size := props.TooLong(); name != "" {
		return false, failure(wire.BasicPublishID, wire.CodeSyntaxError, "property %s of %d bytes exceeds %d", name, size, maxShortString)
	}
	if props.Headers == nil {
		return false, nil
	}
	return checkTable(wire.BasicPublishID, props.Headers)
}

// setProperties checks the properties, sets the message's deadline from its
// expiration, and takes more routing keys from the headers CC and BCC. It removes
// BCC from the headers. narrow is as in checkProperties.
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

// setExpiration checks an expiration and sets the deadline, counted from now.
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

// takeKeys adds the routing keys in the headers CC and BCC to p, and returns the
// headers without BCC.
func (p *publishing) takeKeys(headers Table) (Table, error) {
	rest, bad, v := p.TakeKeys(headers)
	if bad != "" {
		return nil, failure(wire.BasicPublishID, wire.CodePreconditionFailed, "invalid message: {unacceptable_type_in_header,%q,%s}", bad, table.TypeName(v))
	}
	return rest, nil
}

// admit waits until there is memory for p, and the disk may take it if it goes there. The time to live of p begins when the
// wait ends.
func (ch *Channel) admit(ctx context.Context, p *publishing) error {
	b := ch.vhost.broker
	if b.disk != nil {
		if err := ch.vhost.admitToDisk(ctx, p, ch, nil); err != nil {
			return err
		}
	}
	if b.admitsAny() || b.admits(p) {
		return nil
	}
	if ch.holdsMessages() && b.state.Load() == stateOpen {
		if size := p.Cost(); b.queues.Memory.Overdraw(size) {
			p.reserved = size
			return nil
		}
		return ErrMemoryLimit
	}
	start := b.queues.Clock.Now()
	if err := ch.vhost.admit(ctx, p, ch); err != nil {
		if ch.closed.Load() {
			return ch.reason
		}
		return err
	}
	if p.Deadline != 0 {
		p.Deadline += b.queues.Clock.Now() - start
	}
	return nil
}

// admitsAny reports whether every message is admitted without a wait: mostly it is so.
func (b *Broker) admitsAny() bool {
	return b.state.Load() == stateOpen && b.queues.Memory.FitsAny()
}

// admits reports whether p is admitted without a wait.
func (b *Broker) admits(p *publishing) bool {
	return b.state.Load() == stateOpen && b.queues.Memory.Fits(p.Cost())
}

// admit waits while memory is short, unless the message is exempt: see
// checkPublisher.
func (v *VirtualHost) admit(ctx context.Context, p *publishing, ch *Channel) error {
	if exempt, err := v.checkPublisher(ctx, p, ch); exempt || err != nil {
		return err
	}
	var channelClosed *atomic.Bool
	if ch != nil {
		channelClosed = &ch.closed
	}
	size := p.Cost()
	if err := v.broker.waitForMemory(ctx, size, channelClosed, nil); err != nil {
		return err
	}
	p.reserved = size
	return nil
}

// checkPublisher returns ErrClosed if the broker takes no message like p. While it
// drains, it takes replies of channels, what handlers publish, and what channels
// publish whose deliveries are being worked on. Replies are exempt from the wait for
// memory. ch is the publisher's channel; it is nil for a Call.
func (v *VirtualHost) checkPublisher(ctx context.Context, p *publishing, ch *Channel) (exempt bool, err error) {
	state := v.broker.state.Load()
	if state == stateClosed {
		return false, ErrClosed
	}
	if ch != nil && p.to == v.defaultExchange && isReplyAddress(p.Key) {
		return true, nil
	}
	if state == stateDraining && !fromHandler(ctx) && (ch == nil || !ch.mayPublish()) {
		return false, ErrClosed
	}
	return false, nil
}

// waitForMemory waits until there is memory for size bytes, and counts them. It
// returns ErrMemoryLimit instead of waiting if the options say so, and also if ctx
// ends the wait.
func (b *Broker) waitForMemory(ctx context.Context, size int64, channelClosed *atomic.Bool, onWait func()) error {
	switch err := b.queues.Memory.Admit(ctx, size, channelClosed, onWait); err {
	case memory.ErrFull:
		return ErrMemoryLimit
	case memory.ErrClosed:
		return ErrClosed
	case nil:
		return nil
	default:
		return fmt.Errorf("%w (gave up waiting: %w)", ErrMemoryLimit, err)
	}
}

// release gives back what admit has counted, because those who have the message now
// count it, or nobody has it.
func (p *publishing) release(b *Broker) {
	if p.reserved != 0 {
		b.queues.Memory.Add(-p.reserved)
		p.reserved = 0
	}
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
		if q = ch.vhost.queue(p.Key); q == nil {
			return ch.vhost.route(p)
		}
		if q.light {
			ch.recentQueue.Store(q)
		}
	}
	taken, err := q.Push(&p.Publishing)
	if !taken && err == nil {
		ch.recentQueue.Store(nil) // the queue is deleted, or no consumer has room
		return ch.vhost.route(p)
	}
	return err != nil, nil
}
