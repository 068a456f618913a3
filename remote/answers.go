package remote

import (
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
)

// answered passes on what has come to the callers' address over there: an answer for one
// of them, or a server that says where it is.
func (br *bridge) answered(d *amqp091.Delivery) {
	br.mu.Lock()
	t := br.asked[d.CorrelationId]
	to := br.noteServer(t, d)
	br.mu.Unlock()
	br.asks.pass(to, d)
}

// noteServer keeps what a message says about the server of a talk, and returns who in this
// process is to get it, if anybody is. br.mu is held.
func (br *bridge) noteServer(t *talk, d *amqp091.Delivery) (to end) {
	isHello := d.Headers[warren.StreamCreditHeader] != nil && isReplyAddress(d.ReplyTo)
	switch {
	case t == nil:
		if isHello { // the caller has gone meanwhile
			br.cancelAt(d)
		}
		return end{}
	case !t.stream && isHello:
		t.there.address = d.ReplyTo
		return end{}
	case !t.stream:
		t.answered = true
	case d.ReplyTo == "" || d.ReplyTo == t.there.address:
	case t.there.address == "":
		t.there.address = d.ReplyTo
	default: // another server has got the request, too
		if t.request.queue() != "" && !t.answered { // because the first one has died
			t.answered = true
			br.asks.later(func() { t.request.fail(warren.ErrServerLost) })
		}
		if isHello {
			br.cancelAt(d)
		}
		return end{}
	}
	return t.here
}

// cancelAt tells a server that nobody wants what it has begun. It does not see that its
// caller has gone: the address is the bridge's.
func (br *bridge) cancelAt(d *amqp091.Delivery) {
	to := end{d.ReplyTo, d.CorrelationId}
	br.asks.later(func() { br.sayCancel(to) })
}

// told passes on what has come to the handlers' address over there: what a caller there
// says in a stream, or that it has gone.
func (br *bridge) told(d *amqp091.Delivery) {
	br.mu.Lock()
	from := end{d.ReplyTo, d.CorrelationId}
	var to end
	if t := br.streams[from]; t != nil {
		to = t.here
	} else if d.Headers[warren.StreamCancelHeader] == true {
		br.cancelPlain(from)
	}
	br.mu.Unlock()
	br.serves.pass(to, d)
}

// cancelPlain ends the context of who serves a plain request. br.mu is held.
func (br *bridge) cancelPlain(from end) {
	for _, t := range br.served { // so that a request that is answered soon, as most are, is in one map only
		if t.there == from {
			br.serves.later(t.context.end)
		}
	}
}

// pass gives a message to the end of a talk in this process, if there is one.
func (s *side) pass(to end, d *amqp091.Delivery) {
	if to.address == "" {
		return
	}
	p := propertiesOf(d)
	p.CorrelationId = to.correlation
	if isReplyAddress(p.ReplyTo) {
		p.ReplyTo = s.address
	}
	if !s.link.Answer(to.address, &p) { // else it was a call that waits for no more
		s.publish(to.address, &p, nil)
	}
}

// returned fails a request that no queue has taken.
func (br *bridge) returned(r *amqp091.Return) {
	br.mu.Lock()
	t := br.asked[r.CorrelationId]
	br.mu.Unlock()
	if t == nil {
		return
	}
	d := amqp091.Delivery{
		Headers: r.Headers, ContentType: r.ContentType, ContentEncoding: r.ContentEncoding, DeliveryMode: r.DeliveryMode,
		Priority: r.Priority, CorrelationId: t.here.correlation, ReplyTo: t.here.address, Expiration: r.Expiration,
		MessageId: r.MessageId, Timestamp: r.Timestamp, Type: r.Type, UserId: r.UserId, AppId: r.AppId, Body: r.Body,
	}
	if delete(d.Headers, cancelsHeader); len(d.Headers) == 0 {
		d.Headers = nil
	}
	t.request.fail(&warren.Return{
		Message: messageOf(&d), Code: r.ReplyCode, Text: r.ReplyText, Exchange: r.Exchange, RoutingKey: r.RoutingKey,
	})
}
