package remote

import (
	"context"
	"errors"
	"strconv"

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
	b := (*Broker)(o)
	for {
		br, err := b.connected(ctx)
		if err != nil {
			return err
		}
		if err = br.ask(ctx, e, immediate, fail); !errors.Is(err, errEnded) {
			return err
		}
		b.forgetBridge(br)
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
func (br *bridge) ask(ctx context.Context, e *message.Entry, immediate bool, fail func(error)) error {
	p := e.Properties()
	if *e.Exchange != "" { // one that is not there would cost the channel
		if err := br.probe.do(ctx, func(ch *amqp091.Channel) error {
			return ch.ExchangeDeclarePassive(*e.Exchange, "direct", false, false, false, false, nil)
		}); err != nil {
			return err
		}
	}
	t := &talk{here: end{p.ReplyTo, p.CorrelationId}, fail: fail}
	if !br.begin(t) {
		return errEnded
	}
	p.ReplyTo, p.CorrelationId = replyTo, t.there.correlation
	err := br.ch.PublishWithContext(ctx, *e.Exchange, e.Key, true, immediate, publishing(&p))
	if err != nil {
		br.forget(t.here.address)
		return errors.Join(ErrConnectionLost, err)
	}
	return nil
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
			t = nil // another server has been first
		}
	}
	br.mu.Unlock()
	br.asks.pass(t, d)
}

// said passes on what has come to the handlers' address over there: what a caller there
// says in a stream.
func (br *bridge) said(d *amqp091.Delivery) {
	br.mu.Lock()
	t := br.byThere[end{d.ReplyTo, d.CorrelationId}]
	br.mu.Unlock()
	br.serves.pass(t, d)
}

// pass gives a message to the end of a talk in this process, if there is one.
func (s *side) pass(t *talk, d *amqp091.Delivery) {
	if t == nil {
		return
	}
	s.bridge.mu.Lock()
	to := t.here
	s.bridge.mu.Unlock()
	if to.address == "" {
		return
	}
	p := propertiesOf(d)
	p.CorrelationId = to.correlation
	s.publish(to.address, &p, nil)
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
	return ch.PublishWithContext(context.Background(), "", to.address, false, false, publishing(p))
}

// forgetBridge lets others wait for another bridge.
func (b *Broker) forgetBridge(br *bridge) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bridge == br {
		b.bridge = nil
	}
}
