package remote

import (
	"context"

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
	p.CorrelationId = to.correlation
	if isReplyAddress(p.ReplyTo) {
		p.ReplyTo = replyTo // also that of this end
	}
	if p.UserId != br.user {
		p.UserId = "" // a handler has returned its request; the broker would close the channel
	}
	if len(p.Headers) > 0 {
		if n := len(p.AppendTo(nil)); n > br.mostProperties() {
			p.Headers = warren.Table{warren.ErrorCodeHeader: warren.CodeCodec, warren.ErrorTextHeader: br.errProperties(n).Error()}
			p.Body = nil
		}
	}
	m := publishing(p)
	delete(m.Headers, "CC")
	delete(m.Headers, "BCC")
	return br.publishTo(ch, to, m)
}

// publishTo publishes to an address elsewhere.
func (br *bridge) publishTo(ch *amqp091.Channel, to end, m amqp091.Publishing) error {
	err := ch.PublishWithContext(context.Background(), "", to.address, false, false, m)
	if err != nil && m.Headers.Validate() == nil {
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
