package remote

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/wire"
)

// handler is a queue elsewhere that is served here.
type handler struct {
	*warren.Handler
	queue       string
	durable     bool
	concurrency int
}

// Handle is [warren.Broker.Handle] of a queue elsewhere.
func (b *Broker) Handle(queue string, f warren.HandlerFunc, opts ...warren.HandleOptions) (*warren.Handler, error) {
	queue = named(queue)
	return b.handle(opts, func() (*warren.Handler, error) { return b.handled.Handle(queue, f, opts...) })
}

// HandleStream is [warren.Broker.HandleStream] of a queue elsewhere.
func (b *Broker) HandleStream(queue string, f warren.StreamFunc, opts ...warren.HandleOptions) (*warren.Handler, error) {
	queue = named(queue)
	return b.handle(opts, func() (*warren.Handler, error) { return b.handled.HandleStream(queue, f, opts...) })
}

// named returns the name of a queue, a new one for the empty name. The broker's own names
// could not be declared again after the connection was lost.
func named(queue string) string {
	if queue == "" {
		return "warren.gen-" + uuid.NewString()
	}
	return queue
}

func (b *Broker) handle(opts []warren.HandleOptions, begin func() (*warren.Handler, error)) (*warren.Handler, error) {
	local, err := begin()
	if err != nil {
		return nil, err
	}
	h := &handler{Handler: local, queue: local.Queue(), concurrency: 256}
	for _, o := range opts {
		h.durable = h.durable || o.Durable
		if o.Concurrency > 0 {
			h.concurrency = o.Concurrency
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	br, err := b.connected(ctx)
	if err != nil {
		local.Close()
		return nil, err
	}
	first := make(chan error, 1)
	b.gone.Go(func() { b.serve(h, br, first) })
	if err := <-first; err != nil {
		local.Close()
		if e := refused(wire.BasicConsumeID, err); e != nil {
			return nil, e
		}
		return nil, err
	}
	return local, nil
}

// serve consumes for a handler until it ends, from one connection after the other.
func (b *Broker) serve(h *handler, br *bridge, first chan<- error) {
	for {
		err := br.serve(h, func() {
			if first != nil {
				close(first)
				first = nil
			}
		})
		if first != nil {
			first <- err
			return
		}
		for delay := b.options.Delay; ; delay = min(2*delay, b.options.MaxDelay) {
			select {
			case <-h.Done():
				return
			case <-b.ctx.Done():
				return
			case <-time.After(delay):
			}
			if br, err = b.connected(b.ctx); err != nil {
				return
			}
			break
		}
	}
}

// serve consumes for a handler until it or the connection ends.
func (br *bridge) serve(h *handler, begun func()) error {
	ch, err := br.declareServed(h)
	if err != nil {
		return err
	}
	defer ch.Close()
	if err := ch.Qos(min(h.concurrency, math.MaxUint16), 0, false); err != nil {
		return err
	}
	tag := "warren-" + uuid.NewString()
	requests, err := ch.Consume(h.queue, tag, false, false, false, false, nil)
	if err != nil {
		return err
	}
	begun()
	stopped := false
	for {
		select {
		case d, ok := <-requests:
			switch {
			case ok:
				if !br.request(h, &d) && !stopped {
					stopped = true // the handler still works on others
					if err := ch.Cancel(tag, false); err != nil {
						return err
					}
				}
			case stopped:
				requests = nil
			default:
				return ErrConnectionLost
			}
		case <-h.Done():
			return nil
		case <-br.broker.ctx.Done():
			return nil
		}
	}
}

// declareServed declares a handler's queue, on a channel that it opens. A queue that is there
// with other properties is used as it is, unless it does not keep what a durable one does.
func (br *bridge) declareServed(h *handler) (*amqp091.Channel, error) {
	args := br.broker.options.queueArguments(&link.QueueDeclare{Durable: h.durable, AutoDelete: !h.durable})
	ch, err := br.conn.Channel()
	if err != nil {
		return nil, err
	}
	_, err = ch.QueueDeclare(h.queue, h.durable, !h.durable, false, false, tableThere(args))
	if err == nil {
		return ch, nil
	}
	e, ok := errors.AsType[*amqp091.Error](err)
	if !ok || e.Code != amqp091.PreconditionFailed || h.durable && strings.Contains(e.Reason, "'durable'") {
		return nil, err
	}
	if ch, err = br.conn.Channel(); err != nil {
		return nil, err
	}
	_, err = ch.QueueDeclarePassive(h.queue, h.durable, !h.durable, false, false, nil)
	return ch, err
}

// request gives a request to its handler. It reports false if that takes no more.
func (br *bridge) request(h *handler, d *amqp091.Delivery) bool {
	p := propertiesOf(d)
	ctx, cancel := context.WithCancel(context.Background())
	t := &talk{began: time.Now(), there: end{d.ReplyTo, d.CorrelationId}, stream: p.Headers[warren.StreamHeader] != nil, cancel: cancel}
	cancels := p.Headers[cancelsHeader] == true
	if delete(p.Headers, cancelsHeader); len(p.Headers) == 0 {
		p.Headers = nil
	}
	br.mu.Lock()
	if br.lost != nil {
		br.mu.Unlock()
		cancel()
		return true
	}
	t.here.correlation = br.unused(br.served, d.CorrelationId)
	br.served[t.here.correlation] = t
	if d.ReplyTo != "" {
		br.byThere[t.there] = t
		p.ReplyTo = replyTo
		if cancels {
			br.ages(t)
		}
	}
	br.mu.Unlock()
	correlation := t.here.correlation
	p.CorrelationId = correlation
	var once sync.Once
	settle := func(f message.Fate) {
		once.Do(func() {
			br.serves.later(func() {
				br.settle(d, f)
				br.mu.Lock()
				delete(br.served, correlation)
				if br.byThere[t.there] == t {
					delete(br.byThere, t.there)
				}
				br.mu.Unlock()
				cancel()
			})
		})
	}
	origin := &message.Origin{
		Context: ctx, Exchange: d.Exchange, RoutingKey: d.RoutingKey, Redelivered: d.Redelivered,
		Answer:    func(p *message.Properties) { br.answer(t, p) },
		IsWaiting: func() bool { return !br.isGone(d.ReplyTo) },
	}
	if br.serves.publish(h.queue, &p, d.Body, link.Publish{User: p.UserId, Settle: settle, Origin: origin}) {
		return true
	}
	settle(message.Dropped)
	return false
}

// answer sends what a handler returned.
func (br *bridge) answer(t *talk, p *message.Properties) {
	w := wire.Properties{
		Headers: p.Headers, ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode,
		Priority: p.Priority, ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageId: p.MessageId, Timestamp: p.Timestamp,
		Type: p.Type, UserId: p.UserId, AppId: p.AppId,
	}
	if t.stream {
		w.ReplyTo = replyTo // the caller is to know which server this is the end of
	}
	body := p.Body
	br.serves.later(func() { br.sendTo(t.there, &w, body) })
}

// settle tells the broker elsewhere what has become of its message.
func (br *bridge) settle(d *amqp091.Delivery, f message.Fate) {
	switch f {
	case message.Acked:
		d.Ack(false)
	case message.Rejected:
		d.Reject(false)
	case message.Dropped:
		d.Nack(false, true)
	}
}
