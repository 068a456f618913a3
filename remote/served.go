package remote

import (
	"strings"
	"sync/atomic"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/message"
)

// servedRequest is a request that a handler here has. It is one allocation.
type servedRequest struct {
	talk
	bridge *bridge
	ack    acker
	done   func()      // called when it is settled
	told   atomic.Bool // what has become of it
	ctx    lateContext

	// Owned by the handler's goroutine.
	answers bool // it was answered
	refused bool // it was not, since there is no way any more: it comes again
	held    bool // the answer waits

	forwarded message.Forwarded
	origin    message.Origin
}

// request gives a request to its handler, and calls done when it is settled. It reports
// false if the handler takes no more.
func (br *bridge) request(h *handler, d *amqp091.Delivery, done func()) bool {
	cancels := d.Headers[cancelsHeader] == true || strings.HasPrefix(d.CorrelationId, cancelsPrefix)
	if delete(d.Headers, cancelsHeader); len(d.Headers) == 0 {
		d.Headers = nil
	}
	p := propertiesOf(d)
	r := &servedRequest{
		talk: talk{
			began: time.Now(), stream: p.Headers[warren.StreamHeader] != nil, there: end{d.ReplyTo, d.CorrelationId},
		},
		bridge: br, ack: acker{d.Acknowledger, d.DeliveryTag}, done: done,
	}
	r.talk.context = &r.ctx
	if !br.beginServed(&r.talk, cancels) {
		done()
		return true
	}
	p.CorrelationId = r.here.correlation
	if d.ReplyTo != "" {
		p.ReplyTo = br.serves.address
	}
	r.origin = message.Origin{Context: &r.ctx, Exchange: d.Exchange, RoutingKey: d.RoutingKey, Requester: r}
	r.forwarded = message.Forwarded{Settle: r.settle, Redelivered: d.Redelivered, Origin: &r.origin}
	if br.serves.publish(h.queue, &p, &r.forwarded) {
		return true
	}
	r.settle(message.Dropped)
	return false
}

// beginServed notes a request of a caller elsewhere, which has a correlation id here that
// no other has. It reports false if the bridge has ended.
func (br *bridge) beginServed(t *talk, cancels bool) bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.lost != nil {
		return false
	}
	t.here.correlation = br.unused(br.served, t.there.correlation)
	br.served[t.here.correlation] = t
	if t.there.address != "" {
		if t.stream {
			br.streams[t.there] = t
		}
		if t.unknown = cancels; cancels && !br.greets {
			br.awaitAge(helloAfter)
		}
	}
	return true
}

// forgetServed says that a request was served. It reports false if the bridge has ended
// before, so that the answer was perhaps not sent.
func (br *bridge) forgetServed(t *talk) bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	_, ok := br.served[t.here.correlation]
	delete(br.served, t.here.correlation)
	if t.stream && br.streams[t.there] == t {
		delete(br.streams, t.there)
	}
	return ok
}

// longAnswer is from how many octets on an answer may be more than a broker takes. Then it
// is not acknowledged before that is known.
const longAnswer = 4 << 10

// Answer implements message.Requester. What the handler has said in a stream is before it.
func (r *servedRequest) Answer(p *message.Properties) bool {
	br := r.bridge
	if r.stream {
		p.ReplyTo = br.serves.address // the caller is to know which server this is the end of
		return br.serves.later(func() { br.sendTo(br.back, r.there, p) })
	}
	r.answers = br.beginAnswer()
	r.refused = !r.answers || r.send(p) != nil
	return !r.refused
}

// send sends an answer.
func (r *servedRequest) send(p *message.Properties) error {
	br := r.bridge
	if len(p.Body) >= longAnswer {
		return br.sendLong(r.there, p)
	}
	br.gatherer.hold()
	err := br.sendTo(br.back, r.there, p)
	if r.held = br.gatherer.isBusy(); !r.held { // else until it is acknowledged, too
		br.gatherer.release()
	}
	return err
}

// beginAnswer reports whether a request may be answered. If so, endAnswer is called when it
// is acknowledged, too.
func (br *bridge) beginAnswer() bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.lost != nil || br.quiet != nil {
		return false
	}
	br.answering++
	return true
}

func (br *bridge) endAnswer() {
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.answering--; br.answering == 0 && br.quiet != nil {
		close(br.quiet)
	}
}

// hush lets no more requests be answered, and waits until those that were are acknowledged:
// they would be served again.
func (br *bridge) hush() {
	br.mu.Lock()
	quiet := br.quiet
	if quiet == nil {
		quiet = make(chan struct{})
		if br.quiet = quiet; br.answering == 0 {
			close(quiet)
		}
	}
	br.mu.Unlock()
	select {
	case <-quiet:
	case <-time.After(lastWrite): // the broker reads nothing
	}
}

// IsWaiting implements message.Requester.
func (r *servedRequest) IsWaiting() bool { return !r.bridge.isGone(r.there.address) }

// Served implements message.Requester.
func (r *servedRequest) Served(f message.Fate) {
	if r.stream {
		r.settle(f)
		return
	}
	if !r.held {
		r.bridge.gatherer.hold()
	}
	if r.refused {
		f = message.Dropped
	}
	if !r.told.Swap(true) {
		r.tell(f)
	}
	r.bridge.gatherer.release()
	if r.answers {
		r.bridge.endAnswer()
	}
}

// settle is Served for who may not write to the network, and for what comes after all that
// was said in a stream.
func (r *servedRequest) settle(f message.Fate) {
	if !r.told.Swap(true) && !r.bridge.serves.later(func() { r.tell(f) }) {
		r.ctx.end()
		r.done()
	}
}

// tell settles the request elsewhere. Once the bridge has ended it is not settled, so that
// it comes again.
func (r *servedRequest) tell(f message.Fate) {
	ok := r.bridge.forgetServed(&r.talk)
	r.ctx.end()
	if ok {
		r.ack.settle(f)
	}
	r.done()
}

// acker settles a message elsewhere.
type acker struct {
	amqp091.Acknowledger
	tag uint64
}

// settle tells the broker elsewhere what has become of its message.
func (a acker) settle(f message.Fate) {
	switch f {
	case message.Acked:
		a.Ack(a.tag, false)
	case message.Rejected:
		a.Reject(a.tag, false)
	case message.Dropped:
		a.Nack(a.tag, false, true)
	}
}
