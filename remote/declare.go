package remote

import (
	"context"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/link"
	"github.com/warrenmq/warren/internal/wire"
)

// topology is the channel of a bridge for declarations. The broker closes it when it
// refuses one.
type topology struct {
	turn chan struct{}    // has room for one: who has put something in uses ch
	ch   *amqp091.Channel // guarded by turn; nil: not open
}

// QueueDeclare implements link.Far.
func (o *outgoing) QueueDeclare(ctx context.Context, q *link.QueueDeclare) error {
	return o.declare(ctx, wire.QueueDeclareID, func(ch *amqp091.Channel) error {
		declare := ch.QueueDeclare
		if q.Passive {
			declare = ch.QueueDeclarePassive
		}
		_, err := declare(q.Name, q.Durable, q.AutoDelete, q.Exclusive, false, tableThere(o.options.queueArguments(q)))
		return err
	})
}

// QueueBind implements link.Far.
func (o *outgoing) QueueBind(ctx context.Context, queue, key, exchange string, args wire.Table) error {
	return o.declare(ctx, wire.QueueBindID, func(ch *amqp091.Channel) error {
		return ch.QueueBind(queue, key, exchange, false, tableThere(args))
	})
}

// ExchangeDeclare implements link.Far.
func (o *outgoing) ExchangeDeclare(ctx context.Context, x *link.ExchangeDeclare) error {
	return o.declare(ctx, wire.ExchangeDeclareID, func(ch *amqp091.Channel) error {
		declare := ch.ExchangeDeclare
		if x.Passive {
			declare = ch.ExchangeDeclarePassive
		}
		return declare(x.Name, x.Kind, x.Durable, x.AutoDelete, x.Internal, false, tableThere(x.Arguments))
	})
}

// declare runs a declaration, which may be repeated, on one connection after the other
// until one has answered.
func (o *outgoing) declare(ctx context.Context, m wire.MethodID, f func(*amqp091.Channel) error) error {
	return (*Broker)(o).on(ctx, func(br *bridge) error { return br.declare(ctx, m, f) })
}

func (br *bridge) declare(ctx context.Context, m wire.MethodID, f func(*amqp091.Channel) error) error {
	t := &br.topology
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-br.ctx.Done():
		return errEnded
	}
	return finish(ctx, func() error {
		defer func() { <-t.turn }()
		for {
			err := t.use(br, f)
			switch e := refused(m, err); {
			case err == nil:
				return nil
			case e != nil:
				return e
			case br.over():
				return errEnded
			case t.ch == nil || !t.ch.IsClosed():
				return err
			}
		}
	})
}

// use runs f with the channel, which it opens if need be.
func (t *topology) use(br *bridge, f func(*amqp091.Channel) error) (err error) {
	if t.ch == nil || t.ch.IsClosed() {
		if t.ch, err = br.conn.Channel(); err != nil {
			t.ch = nil
			return err
		}
	}
	return f(t.ch)
}
