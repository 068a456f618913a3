package remote

import (
	"context"
	"errors"
	"maps"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
)

// sendBack passes on what has come to a side's address: what a handler here says in a
// stream, or a caller.
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

// sendTo sends what is for the other end of a talk alone.
func (br *bridge) sendTo(ch *amqp091.Channel, to end, p *message.Properties) error {
	br.address(to, p)
	return br.publishTo(ch, to, publishing(p))
}

// sendLong sends an answer and waits for the confirm: a broker that does not take it says so
// by closing the channel. Then the caller is told that. It tries again if the channel may
// have been closed because of another message: who gets an answer twice drops one.
func (br *bridge) sendLong(to end, p *message.Properties) (err error) {
	for range 3 {
		br.address(to, p)
		err = br.publish(br.ctx, &link.Outgoing{RoutingKey: to.address, Properties: p})
		if _, ok := err.(*unconfirmedError); !ok {
			break
		}
	}
	if errors.Is(err, warren.ErrNacked) {
		return nil // a queue that is full; nobody is told of that in the process, either
	}
	e, ok := errors.AsType[*warren.Error](err)
	if !ok || br.isEnded() {
		return err
	}
	return br.sendTo(br.back, to, &message.Properties{
		Headers: warren.Table{warren.ErrorCodeHeader: warren.CodeCodec, warren.ErrorTextHeader: e.Error()},
	})
}

// address makes a message one for the other end of a talk, or an error that says why it
// cannot be.
func (br *bridge) address(to end, p *message.Properties) {
	p.CorrelationId = to.correlation
	if isReplyAddress(p.ReplyTo) {
		p.ReplyTo = replyTo // also that of this end
	}
	if p.UserId != br.user {
		p.UserId = "" // a handler has returned its request; the broker would close the channel
	}
	if p.Headers["CC"] != nil || p.Headers["BCC"] != nil {
		p.Headers = maps.Clone(p.Headers)
		delete(p.Headers, "CC")
		delete(p.Headers, "BCC")
	}
	if err := br.checkSize(p); err != nil {
		p.Headers = warren.Table{warren.ErrorCodeHeader: warren.CodeCodec, warren.ErrorTextHeader: err.Error()}
		p.Body = nil
	}
}

// publishTo publishes to an address elsewhere.
func (br *bridge) publishTo(ch *amqp091.Channel, to end, m amqp091.Publishing) error {
	err := ch.PublishWithContext(context.Background(), "", to.address, false, false, m)
	if err != nil {
		if bad := m.Headers.Validate(); bad != nil { // before anything was written
			m = amqp091.Publishing{CorrelationId: m.CorrelationId, ReplyTo: m.ReplyTo, Headers: amqp091.Table{
				warren.ErrorCodeHeader: warren.CodeCodec, warren.ErrorTextHeader: bad.Error(),
			}}
			err = ch.PublishWithContext(context.Background(), "", to.address, false, false, m)
		}
	}
	if err != nil {
		br.end(err) // so that a request without its answer is not acknowledged
	}
	return err
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
