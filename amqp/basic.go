package amqp

import (
	"math"

	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// basicMethod handles a method of class basic other than basic.publish.
func (ch *channel) basicMethod(m wire.Method) error {
	switch m := m.(type) {
	case *wire.BasicAck:
		return ch.core.Ack(m.DeliveryTag, m.Multiple)
	case *wire.BasicNack:
		return ch.core.Nack(m.DeliveryTag, m.Multiple, m.Requeue)
	case *wire.BasicReject:
		return ch.core.Reject(m.DeliveryTag, m.Requeue)
	case *wire.BasicConsume:
		return ch.consume(m)
	case *wire.BasicCancel:
		tag := string(m.ConsumerTag)
		return ch.answerUnless(m.NoWait, ch.core.Cancel(tag), &wire.BasicCancelOk{ConsumerTag: []byte(tag)})
	case *wire.BasicCancelOk:
		return nil // the client has seen that the server cancelled
	case *wire.BasicGet:
		ok, err := ch.link.Get(string(m.Queue), m.NoAck, ch)
		if err != nil || ok {
			return err
		}
		ch.send(&wire.BasicGetEmpty{})
		return nil
	case *wire.BasicQos:
		if m.PrefetchSize != 0 {
			return failure(wire.CodeNotImplemented, "prefetch_size!=0 (%d)", m.PrefetchSize)
		}
		err := ch.core.Qos(int(m.PrefetchCount), warren.QosOptions{Global: m.Global})
		return ch.answer(err, &wire.BasicQosOk{})
	case *wire.BasicRecover:
		return ch.link.Recover(m.Requeue, func() { ch.send(&wire.BasicRecoverOk{}) }, ch.conn.waitForRoom)
	case *wire.BasicRecoverAsync:
		if ch.conn.server.like.NoRecoverAsync {
			return failure(wire.CodeNotImplemented, "%s", m.ID())
		}
		return ch.link.Recover(m.Requeue, func() {}, ch.conn.waitForRoom)
	}
	return errUnexpected
}

// consume starts a consumer. The broker calls Consuming, which answers the client.
func (ch *channel) consume(m *wire.BasicConsume) error {
	ch.noWait = m.NoWait
	return ch.link.Consume(&link.Consume{
		Queue: string(m.Queue), Tag: string(m.ConsumerTag), NoAck: m.NoAck, Exclusive: m.Exclusive, Arguments: m.Arguments,
	}, ch)
}

// The channel is the link.Sink of its consumers. Its methods run with locks of
// the broker held, in any goroutine.

// Consuming answers basic.consume, before the first delivery.
func (ch *channel) Consuming(tag string) {
	if !ch.noWait {
		ch.send(&wire.BasicConsumeOk{ConsumerTag: []byte(tag)})
	}
}

// Deliver writes basic.deliver. When the buffer is full, all channels of the connection
// must wait. Replies by direct reply-to cannot; too many of them end the connection.
func (ch *channel) Deliver(d link.Delivery) {
	m := wire.BasicDeliver{
		ConsumerTag: view(d.ConsumerTag), DeliveryTag: d.Tag, Redelivered: d.Redelivered,
		Exchange: view(d.Exchange), RoutingKey: view(d.RoutingKey),
	}
	o := &ch.conn.out
	o.mu.Lock()
	if !o.closed && !o.last {
		before := len(o.buf)
		o.buf = wire.AppendDeliver(o.buf, ch.number, &m, o.encode(d.Properties), d.Body, ch.conn.frameMax)
		o.watch()
		if d.Reply {
			o.replies += len(o.buf) - before
			if o.replies > repliesLimit*o.most+len(d.Body) {
				o.closed = true  // more must not come meanwhile
				go ch.conn.cut() // in a goroutine, because the broker's locks are held
			}
		}
	}
	o.unlock()
}

// Got answers basic.get.
func (ch *channel) Got(d link.Delivery, left int) {
	m := wire.BasicGetOk{
		DeliveryTag: d.Tag, Redelivered: d.Redelivered, Exchange: view(d.Exchange), RoutingKey: view(d.RoutingKey),
		MessageCount: uint32(min(uint64(left), math.MaxUint32)),
	}
	o := &ch.conn.out
	o.mu.Lock()
	if !o.closed && !o.last {
		o.buf = wire.AppendGetOk(o.buf, ch.number, &m, o.encode(d.Properties), d.Body, ch.conn.frameMax)
		o.watch()
	}
	o.unlock()
}

// Cancelled sends basic.cancel, if the client has the capability
// consumer_cancel_notify.
func (ch *channel) Cancelled(tag string) {
	if ch.conn.client.hearsCancels {
		ch.send(&wire.BasicCancel{ConsumerTag: []byte(tag), NoWait: true})
	}
}

// encode returns the encoded properties, which are valid until the next call. It is
// called with mu held.
func (o *output) encode(p link.Properties) wire.RawProperties {
	if p == nil {
		return nil
	}
	o.props = p.AppendTo(o.props[:0])
	return o.props
}
