package remote

import (
	"context"
	"errors"
	"strconv"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// outgoing is a Broker as the local broker sees it.
type outgoing Broker

var _ link.Elsewhere = (*outgoing)(nil)

// Send implements link.Elsewhere.
func (o *outgoing) Send(ctx context.Context, e *message.Entry, immediate bool, fail func(error)) error {
	return (*Broker)(o).on(ctx, func(br *bridge) error {
		if err := br.admit(ctx); err != nil {
			return err
		}
		return br.ask(ctx, e, immediate, fail)
	})
}

// Forget implements link.Elsewhere.
func (o *outgoing) Forget(address string) {
	b := (*Broker)(o)
	b.mu.Lock()
	br := b.bridge
	b.mu.Unlock()
	if br != nil {
		br.forget(address)
	}
}

// errEnded: the bridge has ended before anything was sent.
var errEnded = errors.New("remote: the connection has ended")

// ask sends a request.
func (br *bridge) ask(ctx context.Context, e *message.Entry, immediate bool, fail func(error)) error {
	var p wire.Properties
	encoded := e.Content.AppendTo(nil)
	if err := p.Parse(encoded); err != nil {
		return err
	}
	if len(encoded) > br.mostProperties() {
		return br.errProperties(len(encoded))
	}
	if *e.Exchange != "" || immediate || p.UserId != "" {
		if err := br.checkRequest(ctx, *e.Exchange, e.Key, p.UserId, immediate); err != nil {
			return err
		}
	}
	if b, ok := e.Content.(*message.Blind); ok {
		hidden := make([]any, len(b.Keys))
		for i, key := range b.Keys {
			hidden[i] = key
		}
		if p.Headers == nil {
			p.Headers = make(wire.Table, 1)
		}
		p.Headers["BCC"] = hidden
	}
	t := &talk{began: time.Now(), here: end{p.ReplyTo, p.CorrelationId}, exchange: *e.Exchange, fail: fail}
	if *e.Exchange == "" {
		t.queue, t.durable = e.Key, p.Headers[warren.DurableHeader] == true
	}
	br.addTerms(ctx, t, &p)
	if !br.begin(t) {
		return errEnded
	}
	p.ReplyTo, p.CorrelationId = replyTo, t.there.correlation
	return br.sent(t, br.send(ctx, *e.Exchange, e.Key, immediate && br.immediate, publishing(&p, e.Body)))
}

// largeBody is from which size on a body may not fit into the buffers of a socket.
const largeBody = 32 << 10

// send publishes a request, when it is its turn. The error is errEnded if it is certain
// that it has not gone out completely. A broker that takes nothing may make a write last
// for ever: whose context ends is not held up by its own large body, nor by those of
// others.
func (br *bridge) send(ctx context.Context, exchange, key string, immediate bool, m amqp091.Publishing) error {
	select {
	case br.sending <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-br.ended:
		return errEnded
	}
	if len(m.Body) < largeBody || ctx.Done() == nil {
		return br.write(ctx, exchange, key, immediate, m)
	}
	done := make(chan error, 1)
	go func() { done <- br.write(ctx, exchange, key, immediate, m) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return nil // it may go out
	}
}

// write publishes a request, and ends its turn.
func (br *bridge) write(ctx context.Context, exchange, key string, immediate bool, m amqp091.Publishing) error {
	defer func() { <-br.sending }()
	writes := br.socket.writes.Load()
	err := br.ch.PublishWithContext(ctx, exchange, key, true, immediate, m)
	if err == amqp091.ErrClosed || err != nil && br.socket.hasNone(writes) {
		return errEnded
	}
	return err
}

// sent notes that a request was sent, or why not.
func (br *bridge) sent(t *talk, err error) error {
	br.mu.Lock()
	t.sent = true
	lost := br.lost
	br.mu.Unlock()
	if err == nil {
		return lost // which did not fail t, since it did not know yet
	}
	br.forget(t.here.address)
	switch a, ok := err.(*amqp091.Error); {
	case err == errEnded:
		return err
	case ok && a.Code == amqp091.SyntaxError, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err // before anything was written
	}
	return lostError{err}
}

// addTerms adds what a handler in this process would know by the context. The headers
// are the request's own: they were decoded for it.
func (br *bridge) addTerms(ctx context.Context, t *talk, p *wire.Properties) {
	t.stream = p.Headers[warren.StreamHeader] != nil
	d, limited := ctx.Deadline()
	t.deadline = d
	limited = limited && p.Headers[warren.DeadlineHeader] == nil
	cancels := !t.stream && p.Headers[warren.DurableHeader] != true
	if !limited && !cancels {
		return
	}
	if p.Headers == nil {
		p.Headers = make(wire.Table, 2)
	}
	if limited {
		p.Headers[warren.DeadlineHeader] = d.Add(time.Millisecond - 1).UnixMilli() // not before the caller's
	}
	if cancels {
		p.Headers[cancelsHeader] = true
	}
}

// begin notes a request of a caller here. Its correlation id stays if nobody else has it.
func (br *bridge) begin(t *talk) bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.lost != nil {
		return false
	}
	t.there.correlation = br.unused(br.asked, t.here.correlation)
	br.asked[t.there.correlation] = t
	br.callers[t.here.address] = t
	return true
}

// unused returns a correlation id that no talk has: the given one, if that is so.
func (br *bridge) unused(talks map[string]*talk, id string) string {
	for given := id; id == "" || talks[id] != nil; {
		br.number++
		id = given[:min(len(given), 200)] + "-" + strconv.FormatUint(br.number, 36)
	}
	return id
}

// forget says that nobody waits at an address here any more.
func (br *bridge) forget(address string) {
	br.mu.Lock()
	t := br.callers[address]
	if t != nil && t.stream && !t.over { // what it has said is still to be sent
		t.over = true
		br.mu.Unlock()
		br.asks.later(func() { br.forget(address) })
		return
	}
	if t != nil {
		delete(br.callers, address)
		delete(br.asked, t.there.correlation)
	}
	br.mu.Unlock()
	if t == nil || t.stream || t.answered || t.there.address == "" {
		return
	}
	if t.deadline.IsZero() || time.Now().Before(t.deadline) { // else the handler knows
		br.asks.later(func() { br.sayCancel(t.there) })
	}
}

// answered passes on what has come to the bridge's address over there: an answer for a
// caller here, or what a caller there says in a stream.
func (br *bridge) answered(d *amqp091.Delivery) {
	br.mu.Lock()
	t, s := br.byThere[end{d.ReplyTo, d.CorrelationId}], br.serves
	if t == nil {
		t, s = br.asked[d.CorrelationId], br.asks
	}
	to := br.note(t, s, d)
	br.mu.Unlock()
	if to.address == "" {
		return
	}
	p := propertiesOf(d)
	p.CorrelationId = to.correlation
	if isReplyAddress(p.ReplyTo) {
		p.ReplyTo = replyTo
	}
	s.publish(to.address, &p, d.Body, link.Publish{User: p.UserId})
}

// note keeps what a message says about a talk, and returns who in this process is to get
// it, if anybody is. br.mu is held.
func (br *bridge) note(t *talk, s *side, d *amqp091.Delivery) (to end) {
	hello := (t == nil || !t.stream) && d.Headers[warren.StreamCreditHeader] != nil && isReplyAddress(d.ReplyTo)
	switch {
	case t == nil:
		if hello { // the caller has gone meanwhile
			to := end{d.ReplyTo, d.CorrelationId}
			br.asks.later(func() { br.sayCancel(to) })
		}
	case s == br.serves:
		if t.stream {
			return t.here
		}
		if d.Headers[warren.StreamCancelHeader] == true {
			br.serves.later(t.cancel)
		}
	case hello:
		t.there.address = d.ReplyTo
	case !t.stream:
		t.answered = true
		return t.here
	case d.ReplyTo == "" || d.ReplyTo == t.there.address:
		return t.here
	case t.there.address == "":
		t.there.address = d.ReplyTo
		return t.here
	default: // another server has got the request, too
		if t.exchange == "" && !t.answered { // because the first one has died
			t.answered = true
			br.asks.later(func() { t.fail(warren.ErrServerLost) })
		}
		if d.Headers[warren.StreamCreditHeader] != nil {
			to := end{d.ReplyTo, d.CorrelationId}
			br.asks.later(func() { br.sayCancel(to) })
		}
	}
	return end{}
}

// returned fails a request that no queue has taken.
func (br *bridge) returned(r *amqp091.Return) {
	br.mu.Lock()
	t := br.asked[r.CorrelationId]
	br.mu.Unlock()
	if t != nil {
		d := amqp091.Delivery{
			Headers: r.Headers, ContentType: r.ContentType, ContentEncoding: r.ContentEncoding, DeliveryMode: r.DeliveryMode,
			Priority: r.Priority, CorrelationId: t.here.correlation, ReplyTo: t.here.address, Expiration: r.Expiration,
			MessageId: r.MessageId, Timestamp: r.Timestamp, Type: r.Type, UserId: r.UserId, AppId: r.AppId, Body: r.Body,
		}
		t.fail(&warren.Return{
			Message: messageOf(&d), Code: r.ReplyCode, Text: r.ReplyText, Exchange: r.Exchange, RoutingKey: r.RoutingKey,
		})
	}
}

// sendBack passes on what has come to a side's address: an answer of a handler here, or
// what a caller here says in a stream.
func (br *bridge) sendBack(s *side, p *wire.Properties, body []byte) {
	br.mu.Lock()
	var t *talk
	if s == br.serves {
		if t = br.served[p.CorrelationId]; t != nil && p.ReplyTo != "" {
			t.here.address = p.ReplyTo
		}
	} else {
		t = br.callers[p.ReplyTo]
	}
	var to end
	if t != nil {
		to = t.there
	}
	br.mu.Unlock()
	if to.address == "" {
		return
	}
	br.sendTo(to, p, body)
}

// sendTo sends what is for the other end of a talk alone.
func (br *bridge) sendTo(to end, p *wire.Properties, body []byte) {
	p.CorrelationId = to.correlation
	if isReplyAddress(p.ReplyTo) {
		p.ReplyTo = replyTo // also that of this end
	}
	if p.UserId != br.user {
		p.UserId = "" // a handler has returned its request; the broker would close the channel
	}
	if len(p.Headers) > 0 {
		if n := len(p.Append(nil)); n > br.mostProperties() {
			p.Headers = wire.Table{warren.ErrorCodeHeader: warren.CodeCodec, warren.ErrorTextHeader: br.errProperties(n).Error()}
			body = nil
		}
	}
	m := publishing(p, body)
	delete(m.Headers, "CC")
	delete(m.Headers, "BCC")
	br.publishBack(to, m)
}

// passOn gives a request that a handler here passes on the address that its requester has
// elsewhere, so that somebody else can answer it.
func (br *bridge) passOn(p *link.Outgoing) {
	if !isReplyAddress(p.ReplyTo) {
		return
	}
	br.mu.Lock()
	defer br.mu.Unlock()
	if t := br.served[p.CorrelationId]; t != nil && t.there.address != "" {
		p.ReplyTo, p.CorrelationId = t.there.address, t.there.correlation
	}
}

// publishBack publishes to an address elsewhere.
func (br *bridge) publishBack(to end, m amqp091.Publishing) {
	if err := br.ch.PublishWithContext(context.Background(), "", to.address, false, false, m); err != nil && m.Headers.Validate() == nil {
		br.end(err) // so that a request without its answer is not acknowledged
	}
}

// forgetBridge lets others wait for another bridge.
func (b *Broker) forgetBridge(br *bridge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bridge == br {
		b.bridge = nil
	}
}
