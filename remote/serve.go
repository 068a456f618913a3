package remote

import (
	"context"
	"sync/atomic"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/message"
	"github.com/warrenmq/warren/internal/names"
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
	return b.handle(queue, opts, func() (*warren.Handler, error) { return b.handled.Handle(queue, f, opts...) })
}

// HandleStream is [warren.Broker.HandleStream] of a queue elsewhere.
func (b *Broker) HandleStream(queue string, f warren.StreamFunc, opts ...warren.HandleOptions) (*warren.Handler, error) {
	queue = named(queue)
	return b.handle(queue, opts, func() (*warren.Handler, error) { return b.handled.HandleStream(queue, f, opts...) })
}

// named returns the name of a queue, or a new one if it has none: a name that a broker
// chooses is its own, and cannot be declared again on another connection.
func named(queue string) string {
	if queue == "" {
		return names.New("queue-")
	}
	return queue
}

func (b *Broker) handle(queue string, opts []warren.HandleOptions, begin func() (*warren.Handler, error)) (*warren.Handler, error) {
	local, err := begin()
	if err != nil {
		return nil, err
	}
	h := &handler{Handler: local, queue: queue, concurrency: 256}
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
	ch, err := br.conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	if _, err := ch.QueueDeclare(h.queue, h.durable, !h.durable, false, false, nil); err != nil {
		return err
	}
	br.declareAgain(br.broker.ctx, br.broker.declared.noted(h.queue))
	if err := ch.Qos(h.concurrency, 0, false); err != nil {
		return err
	}
	requests, err := ch.Consume(h.queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	begun()
	for {
		select {
		case d, ok := <-requests:
			if !ok {
				return ErrConnectionLost
			}
			br.request(h, &d)
		case <-h.Done():
			return nil
		case <-br.broker.ctx.Done():
			return nil
		}
	}
}

// request gives a request to its handler. That of a stream has a correlation id here that
// no other has.
func (br *bridge) request(h *handler, d *amqp091.Delivery) {
	p := propertiesOf(d)
	there, ack := end{d.ReplyTo, d.CorrelationId}, acker{d.Acknowledger, d.DeliveryTag}
	var m *message.Forwarded
	if d.Headers[warren.StreamHeader] == nil {
		m = br.plainRequest(there, ack)
	} else if m = br.streamRequest(there, ack, &p.CorrelationId); m == nil {
		return
	}
	if !br.serves.publish(h.queue, &p, m) {
		m.Settle(message.Dropped)
	}
}

// plainRequest is a request that is answered and settled in its handler's goroutine.
func (br *bridge) plainRequest(there end, ack acker) *message.Forwarded {
	told := new(atomic.Bool)
	return &message.Forwarded{
		Answer: func(p message.Properties) bool { return br.sendTo(br.back, there, &p) == nil },
		Served: func(f message.Fate) {
			if !told.Swap(true) {
				ack.settle(f)
			}
		},
		Settle: func(f message.Fate) {
			if !told.Swap(true) {
				br.serves.later(func() { ack.settle(f) })
			}
		},
	}
}

// streamRequest is a request that is answered by a stream. It changes the correlation id.
// It is nil if the bridge has ended.
func (br *bridge) streamRequest(there end, ack acker, correlation *string) *message.Forwarded {
	t := &talk{there: there}
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.lost != nil {
		return nil
	}
	t.here.correlation = br.unused(br.served, *correlation)
	*correlation = t.here.correlation
	br.served[t.here.correlation] = t
	br.byThere[t.there] = t
	told := new(atomic.Bool)
	return &message.Forwarded{Settle: func(f message.Fate) {
		if told.Swap(true) {
			return
		}
		br.serves.later(func() { // after what the handler has said
			ack.settle(f)
			br.forgetServed(t)
		})
	}}
}

// forgetServed says that a stream has ended.
func (br *bridge) forgetServed(t *talk) {
	br.mu.Lock()
	defer br.mu.Unlock()
	delete(br.served, t.here.correlation)
	delete(br.byThere, t.there)
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
