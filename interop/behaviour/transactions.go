package main

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/wire"
)

func (s *script) transactions() {
	s.queue("b.q", nil)
	s.try("tx after confirm", func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		return ch.Tx()
	})
	s.try("confirm after tx", func(ch *amqp.Channel) error {
		if err := ch.Tx(); err != nil {
			return err
		}
		return ch.Confirm(false)
	})
	s.try("commit without tx", func(ch *amqp.Channel) error { return ch.TxCommit() })
	s.try("rollback without tx", func(ch *amqp.Channel) error { return ch.TxRollback() })
	s.tx("select twice", func(ch *amqp.Channel) error { return ch.Tx() })
	s.tx("commit and rollback of nothing", func(ch *amqp.Channel) error {
		if err := ch.TxCommit(); err != nil {
			return err
		}
		return ch.TxRollback()
	})
	s.tx("commit", func(ch *amqp.Channel) error {
		s.publish(ch, "", "b.q", "1")
		s.publish(ch, "", "b.q", "2")
		s.counts("b.q")
		if err := ch.TxCommit(); err != nil {
			return err
		}
		s.counts("b.q")
		s.publish(ch, "", "b.q", "never committed")
		return nil
	})
	s.drain("b.q", 2)
	s.tx("rollback", func(ch *amqp.Channel) error {
		s.publish(ch, "", "b.q", "not")
		if err := ch.TxRollback(); err != nil {
			return err
		}
		s.publish(ch, "", "b.q", "this")
		return ch.TxCommit()
	})
	s.drain("b.q", 1)
	s.tx("an error", func(ch *amqp.Channel) error {
		s.publish(ch, "", "b.q", "held")
		s.publish(ch, "b.nowhere", "", "")
		return ch.TxCommit()
	})
	s.drain("b.q", 0)
	s.tx("bound after the publish", func(ch *amqp.Channel) error {
		s.publish(ch, "amq.direct", "b.tx", "too early")
		s.bind("b.q", "b.tx", "amq.direct", nil)
		return ch.TxCommit()
	})
	s.counts("b.q")
	s.tx("unbound after the publish", func(ch *amqp.Channel) error {
		s.publish(ch, "amq.direct", "b.tx", "in time")
		if err := ch.QueueUnbind("b.q", "b.tx", "amq.direct", nil); err != nil {
			return err
		}
		return ch.TxCommit()
	})
	s.drain("b.q", 1)
	s.tx("the queue has gone", func(ch *amqp.Channel) error {
		s.publish(ch, "", "b.q", "nobody's")
		s.delete("b.q")
		return ch.TxCommit()
	})
	s.queue("b.q", nil)
	s.queue("b.full", amqp.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"})
	s.tx("a queue is full", func(ch *amqp.Channel) error {
		s.publish(ch, "", "b.full", "refused")
		s.publish(ch, "", "b.q", "kept")
		return ch.TxCommit()
	})
	s.drain("b.q", 1)
}

// tx runs f on a transactional channel.
func (s *script) tx(what string, f func(ch *amqp.Channel) error) {
	s.try(what, func(ch *amqp.Channel) error {
		if err := ch.Tx(); err != nil {
			return err
		}
		return f(ch)
	})
}

func (s *script) transactionReturns() {
	p := s.open()
	defer p.close()
	p.send(1, &wire.TxSelect{})
	p.read(wire.TxSelectOkID)
	p.publish(&wire.BasicPublish{RoutingKey: []byte("b.nowhere"), Mandatory: true}, "back")
	p.send(1, &wire.BasicQos{})
	s.say("  before: %s", p.read(wire.BasicQosOkID))
	p.send(1, &wire.TxCommit{})
	s.say("  commit: %s", p.read(wire.TxCommitOkID))
	p.publish(&wire.BasicPublish{RoutingKey: []byte("b.nowhere"), Mandatory: true}, "back")
	p.send(1, &wire.TxRollback{})
	s.say("  rollback: %s", p.read(wire.TxRollbackOkID))
}

// transactionAcks are acks that wait for the commit.
func (s *script) transactionAcks() {
	s.queue("b.q", nil)
	part := func(what string, f func(ch *amqp.Channel) error) {
		s.purge("b.q")
		s.put("", "b.q", body("1", "2", "3")...)
		s.tx(what, func(ch *amqp.Channel) error {
			s.take(ch, "b.q", 2)
			return f(ch)
		})
		s.settle("b.q", 1)
		s.drain("b.q", 1)
	}
	part("acks that are committed", func(ch *amqp.Channel) error {
		if err := ch.Ack(2, true); err != nil {
			return err
		}
		return ch.TxCommit()
	})
	part("acks that are rolled back", func(ch *amqp.Channel) error {
		if err := ch.Ack(2, true); err != nil {
			return err
		}
		return ch.TxRollback()
	})
	part("acked again after the rollback", func(ch *amqp.Channel) error {
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		if err := ch.TxRollback(); err != nil {
			return err
		}
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		return ch.TxCommit()
	})
	part("acks that are forgotten", func(ch *amqp.Channel) error { return ch.Ack(2, true) })
	part("ack twice", func(ch *amqp.Channel) error {
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		return ch.Ack(1, false)
	})
	part("ack of what never was", func(ch *amqp.Channel) error { return ch.Ack(9, false) })
	part("nacks", func(ch *amqp.Channel) error {
		if err := ch.Nack(1, false, true); err != nil {
			return err
		}
		if err := ch.Reject(2, false); err != nil {
			return err
		}
		s.counts("b.q")
		if err := ch.TxCommit(); err != nil {
			return err
		}
		s.settle("b.q", 2)
		s.counts("b.q")
		return nil
	})
}
