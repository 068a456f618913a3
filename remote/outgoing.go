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
)

// outgoing is a Broker as the local broker sees it.
type outgoing Broker

var _ link.Elsewhere = (*outgoing)(nil)

// Send implements link.Elsewhere.
func (o *outgoing) Send(ctx context.Context, e *message.Entry, immediate bool, fail func(error)) error {
	return (*Broker)(o).on(ctx, func(br *bridge) error { return br.ask(request{ctx: ctx, entry: e, immediate: immediate, fail: fail}) })
}

// sendAgain sends a request of which it is known that nothing has gone out.
func (b *Broker) sendAgain(t *talk) {
	r := &t.request
	if err := (*outgoing)(b).Send(r.ctx, r.entry, r.immediate, r.fail); err != nil {
		r.fail(err)
	}
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
func (br *bridge) ask(r request) error {
	ctx, exchange, key := r.ctx, *r.entry.Exchange, r.entry.Key
	p := r.entry.Properties()
	if err := br.checkSize(&p); err != nil {
		return err
	}
	if exchange != "" || r.immediate || p.UserId != "" {
		if err := br.checkRequest(ctx, exchange, key, p.UserId, r.immediate); err != nil {
			return err
		}
	}
	r.durable = p.Headers[warren.DurableHeader] == true
	t := &talk{
		began: time.Now(), stream: p.Headers[warren.StreamHeader] != nil, request: r,
		here: end{p.ReplyTo, p.CorrelationId},
	}
	m := publishing(&p)
	if b, ok := r.entry.Content.(*message.Blind); ok {
		hidden := make([]any, len(b.Keys)) // the other broker has to send to them
		for i, key := range b.Keys {
			hidden[i] = key
		}
		addHeader(&m, "BCC", hidden)
	}
	t.addTerms(&m)
	if !br.begin(t) {
		return errEnded
	}
	m.ReplyTo, m.CorrelationId = replyTo, t.there.correlation
	return br.sent(t, br.send(t, m))
}

// largeBody is from which size on a body may not fit into the buffers of a socket.
const largeBody = 32 << 10

// send publishes a request, when it is its turn. The error is errEnded if it is certain
// that it has not gone out completely. A broker that takes nothing may make a write last
// for ever: whose context ends is not held up by its own large body, nor by those of
// others.
func (br *bridge) send(t *talk, m amqp091.Publishing) error {
	ctx := t.request.ctx
	select {
	case br.sending <- struct{}{}:
	default:
		br.gatherer.meet()
		select {
		case br.sending <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-br.ended:
			return errEnded
		}
	}
	if len(m.Body) < largeBody || ctx.Done() == nil {
		return br.write(t, m)
	}
	done := make(chan error, 1)
	go func() { done <- br.write(t, m) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return nil // it may go out
	}
}

// write publishes a request, and ends its turn.
func (br *bridge) write(t *talk, m amqp091.Publishing) error {
	br.gatherer.hold()
	defer br.gatherer.release()
	defer func() { <-br.sending }() // first, so that others can write before
	at := br.gatherer.accepted()
	br.mu.Lock()
	t.at = at
	br.mu.Unlock()
	r := &t.request
	err := br.ch.PublishWithContext(r.ctx, *r.entry.Exchange, r.entry.Key, true, r.immediate && !br.rabbit, m) // RabbitMQ would close the connection
	switch {
	case br.unsent(err, at):
		return errEnded
	case err != nil && m.Headers.Validate() != nil:
		return unsent("remote: headers: " + err.Error()) // before anything was written
	}
	return err
}

// sent notes that a request was sent, or why not.
func (br *bridge) sent(t *talk, err error) error {
	br.mu.Lock()
	t.sent = true
	lost := br.lost
	br.mu.Unlock()
	if lost != nil {
		if e := br.checkBody(len(t.request.entry.Body)); e != nil {
			return e // it may be why
		}
	}
	if err == nil {
		return lost // which did not fail t, since it did not know yet
	}
	br.forget(t.here.address)
	a, ok := err.(*amqp091.Error)
	_, refused := err.(unsent)
	switch {
	case err == errEnded, refused:
		return err
	case ok && a.Code == amqp091.SyntaxError, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err // before anything was written
	}
	return lostError{err}
}

// addTerms adds what a handler in this process would know by the context.
func (t *talk) addTerms(m *amqp091.Publishing) {
	if d, limited := t.request.ctx.Deadline(); limited && m.Headers[warren.DeadlineHeader] == nil {
		addHeader(m, warren.DeadlineHeader, d.Add(time.Millisecond-1).UnixMilli()) // not before the caller's
	}
	if t.cancels() && !t.isUnnamed() {
		addHeader(m, cancelsHeader, true)
	}
}

func addHeader(m *amqp091.Publishing, name string, v any) {
	if m.Headers == nil {
		m.Headers = make(amqp091.Table, 2)
	}
	m.Headers[name] = v
}

// begin notes a request of a caller here. A correlation id that the caller has given stays
// if nobody else has it.
func (br *bridge) begin(t *talk) bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.lost != nil {
		return false
	}
	id := t.here.correlation
	if t.cancels() && t.isUnnamed() {
		br.number++
		id = cancelsPrefix + strconv.FormatUint(br.number, 36)
	}
	t.there.correlation = br.unused(br.asked, id)
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
	if !t.request.isLate() { // else the handler knows
		br.asks.later(func() { br.sayCancel(t.there) })
	}
}
