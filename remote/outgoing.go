package remote

import (
	"context"
	"errors"
	"strconv"

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

// sendAgain sends a request of which it is known that nothing has gone out.
func (b *Broker) sendAgain(t *talk) {
	r := &t.request
	if err := (*outgoing)(b).Send(r.ctx, r.entry, r.immediate, t.fail); err != nil {
		t.fail(err)
	}
}

// Forget implements link.Elsewhere.
func (o *outgoing) Forget(address string) {
	b := (*Broker)(o)
	b.mu.Lock()
	br := b.bridge
	b.mu.Unlock()
	switch {
	case br == nil:
	case br.streams(address): // what the caller has said before is still in the list
		br.asks.later(func() { br.forget(address) })
	default:
		br.forget(address)
	}
}

// errEnded: the bridge has ended before anything was sent.
var errEnded = errors.New("remote: the connection has ended")

// ask sends a request.
func (br *bridge) ask(ctx context.Context, e *message.Entry, immediate bool, fail func(error)) error {
	p := e.Properties()
	if *e.Exchange != "" { // one that is not there would cost the channel
		if err := br.declare(ctx, wire.ExchangeDeclareID, func(ch *amqp091.Channel) error {
			return ch.ExchangeDeclarePassive(*e.Exchange, "direct", false, false, false, false, nil)
		}); err != nil {
			return err
		}
	}
	t := &talk{here: end{p.ReplyTo, p.CorrelationId}, fail: fail, request: request{ctx, e, immediate}, at: br.gatherer.accepted()}
	if *e.Exchange == "" {
		t.queue, t.durable = e.Key, p.Headers[warren.DurableHeader] == true
	}
	if !br.begin(t) {
		return errEnded
	}
	p.ReplyTo, p.CorrelationId = replyTo, t.there.correlation
	return br.sent(t, br.send(ctx, *e.Exchange, e.Key, immediate, publishing(&p)))
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
	at := br.gatherer.accepted()
	err := br.ch.PublishWithContext(ctx, exchange, key, true, immediate, m)
	if br.unsent(err, at) {
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
		id = given + "-" + strconv.FormatUint(br.number, 36)
	}
	return id
}

// streams reports whether a caller here has heard of a server's address over there.
func (br *bridge) streams(address string) bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	t := br.callers[address]
	return t != nil && t.there.address != ""
}

// forget says that nobody waits at an address here any more.
func (br *bridge) forget(address string) {
	br.mu.Lock()
	defer br.mu.Unlock()
	if t := br.callers[address]; t != nil {
		delete(br.callers, address)
		delete(br.asked, t.there.correlation)
	}
}

// answered passes on what has come to the callers' address over there: an answer for one
// of them.
func (br *bridge) answered(d *amqp091.Delivery) {
	br.mu.Lock()
	t := br.asked[d.CorrelationId]
	if t != nil && d.ReplyTo != "" {
		if t.there.address == "" {
			t.there.address = d.ReplyTo
		} else if t.there.address != d.ReplyTo {
			br.mu.Unlock()
			t.fail(warren.ErrServerLost) // and its request was given to another one, which begins anew
			br.stop(d)
			return
		}
	}
	br.mu.Unlock()
	if !br.asks.pass(t, d) {
		br.stop(d)
	}
}

// told passes on what has come to the handlers' address over there: what a caller there
// says in a stream.
func (br *bridge) told(d *amqp091.Delivery) {
	br.mu.Lock()
	t := br.byThere[end{d.ReplyTo, d.CorrelationId}]
	br.mu.Unlock()
	br.serves.pass(t, d)
}

// pass gives a message to the end of a talk in this process. It reports false if there is
// none.
func (s *side) pass(t *talk, d *amqp091.Delivery) bool {
	if t == nil {
		return false
	}
	s.bridge.mu.Lock()
	to := t.here
	s.bridge.mu.Unlock()
	if to.address == "" {
		return false
	}
	p := propertiesOf(d)
	p.CorrelationId = to.correlation
	s.publish(to.address, &p, nil)
	return true
}

// stop tells who has sent the beginning of a stream that nobody wants it. A server that
// gets a request anew does not see that the caller has gone: the address is the bridge's.
func (br *bridge) stop(d *amqp091.Delivery) {
	if _, begins := d.Headers[warren.StreamCreditHeader]; !begins || d.ReplyTo == "" {
		return
	}
	cancel := amqp091.Publishing{
		Headers: amqp091.Table{warren.StreamCancelHeader: true}, CorrelationId: d.CorrelationId, ReplyTo: replyTo,
	}
	br.asks.later(func() { br.ch.PublishWithContext(context.Background(), "", d.ReplyTo, false, false, cancel) })
}

// returned fails a request that no queue has taken.
func (br *bridge) returned(r *amqp091.Return) {
	br.mu.Lock()
	t := br.asked[r.CorrelationId]
	br.mu.Unlock()
	if t != nil {
		t.fail(&warren.Return{Code: r.ReplyCode, Text: r.ReplyText, Exchange: r.Exchange, RoutingKey: r.RoutingKey})
	}
}

// sendBack passes on what has come to a side's address: an answer of a handler here, or
// what a caller here says in a stream.
func (br *bridge) sendBack(s *side, p *message.Properties) {
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
	ch := br.ch
	if s == br.serves {
		ch = br.back
	}
	br.sendTo(ch, to, p)
}

// sendTo sends a message to an end over there.
func (br *bridge) sendTo(ch *amqp091.Channel, to end, p *message.Properties) error {
	p.CorrelationId = to.correlation
	if p.ReplyTo != "" {
		p.ReplyTo = replyTo
	}
	m := publishing(p)
	err := ch.PublishWithContext(context.Background(), "", to.address, false, false, m)
	if err != nil && m.Headers.Validate() == nil {
		br.end(err) // so that a request without its answer is not acknowledged
	}
	return err
}

// forgetBridge lets others wait for another bridge.
func (b *Broker) forgetBridge(br *bridge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bridge == br {
		b.bridge = nil
	}
}
