package amqp

import (
	"github.com/warrenmq/warren"
	"github.com/warrenmq/warren/internal/wire"
)

// exchangeMethod handles a method of class exchange.
func (ch *channel) exchangeMethod(m wire.Method) error {
	switch m := m.(type) {
	case *wire.ExchangeDeclare:
		if m.Passive {
			return ch.answerUnless(m.NoWait, ch.core.ExchangeDeclarePassive(m.Exchange), &wire.ExchangeDeclareOk{})
		}
		err := ch.core.ExchangeDeclare(m.Exchange, warren.ExchangeType(m.Type), warren.ExchangeOptions{
			Durable: m.Durable, AutoDelete: m.AutoDelete, Internal: m.Internal, Args: m.Arguments,
		})
		return ch.answerUnless(m.NoWait, err, &wire.ExchangeDeclareOk{})
	case *wire.ExchangeDelete:
		err := ch.core.ExchangeDelete(m.Exchange, warren.ExchangeDeleteOptions{IfUnused: m.IfUnused})
		return ch.answerUnless(m.NoWait, err, &wire.ExchangeDeleteOk{})
	case *wire.ExchangeBind:
		err := ch.core.ExchangeBind(m.Destination, m.RoutingKey, m.Source, m.Arguments)
		return ch.answerUnless(m.NoWait, err, &wire.ExchangeBindOk{})
	case *wire.ExchangeUnbind:
		err := ch.core.ExchangeUnbind(m.Destination, m.RoutingKey, m.Source, m.Arguments)
		return ch.answerUnless(m.NoWait, err, &wire.ExchangeUnbindOk{})
	}
	return errUnexpected
}

// queueMethod handles a method of class queue.
func (ch *channel) queueMethod(m wire.Method) error {
	switch m := m.(type) {
	case *wire.QueueDeclare:
		return ch.declareQueue(m)
	case *wire.QueueBind:
		err := ch.core.QueueBind(m.Queue, m.RoutingKey, m.Exchange, m.Arguments)
		return ch.answerUnless(m.NoWait, err, &wire.QueueBindOk{})
	case *wire.QueueUnbind:
		err := ch.core.QueueUnbind(m.Queue, m.RoutingKey, m.Exchange, m.Arguments)
		return ch.answer(err, &wire.QueueUnbindOk{})
	case *wire.QueuePurge:
		n, err := ch.core.QueuePurge(m.Queue)
		return ch.answerUnless(m.NoWait, err, &wire.QueuePurgeOk{MessageCount: uint32(n)})
	case *wire.QueueDelete:
		n, err := ch.core.QueueDelete(m.Queue, warren.QueueDeleteOptions{IfUnused: m.IfUnused, IfEmpty: m.IfEmpty})
		return ch.answerUnless(m.NoWait, err, &wire.QueueDeleteOk{MessageCount: uint32(n)})
	}
	return errUnexpected
}

// declareQueue handles queue.declare.
func (ch *channel) declareQueue(m *wire.QueueDeclare) error {
	var q warren.Queue
	var err error
	if m.Passive {
		q, err = ch.core.QueueDeclarePassive(m.Queue)
	} else {
		q, err = ch.core.QueueDeclare(m.Queue, warren.QueueOptions{
			Durable: m.Durable, Exclusive: m.Exclusive, AutoDelete: m.AutoDelete, Args: m.Arguments,
		})
	}
	return ch.answerUnless(m.NoWait, err, &wire.QueueDeclareOk{
		Queue: q.Name, MessageCount: uint32(q.Messages), ConsumerCount: uint32(q.Consumers),
	})
}
