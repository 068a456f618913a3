package main

import (
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/wire"
)

func (s *script) settling() {
	s.queue("b.q", nil)
	s.try("ack of what never was", func(ch *amqp.Channel) error { return ch.Ack(1, false) })
	s.try("ack of all, of nothing", func(ch *amqp.Channel) error { return ch.Ack(0, true) })
	s.try("ack of tag 0", func(ch *amqp.Channel) error { return ch.Ack(0, false) })
	s.try("ack of many that never were", func(ch *amqp.Channel) error { return ch.Ack(5, true) })
	s.try("nack of all, of nothing", func(ch *amqp.Channel) error { return ch.Nack(0, true, true) })
	s.try("nack of tag 0", func(ch *amqp.Channel) error { return ch.Nack(0, false, true) })
	s.try("nack of what never was", func(ch *amqp.Channel) error { return ch.Nack(5, true, true) })
	s.try("reject of what never was", func(ch *amqp.Channel) error { return ch.Reject(5, true) })
	s.try("reject of tag 0", func(ch *amqp.Channel) error { return ch.Reject(0, true) })
	five := func() {
		s.purge("b.q")
		s.put("", "b.q", body("1", "2", "3", "4", "5")...)
	}
	try := func(what string, f func(ch *amqp.Channel) error) {
		five()
		s.try(what, func(ch *amqp.Channel) error {
			s.take(ch, "b.q", 4)
			return f(ch)
		})
		s.settle("b.q", 1)
		s.drain("b.q", 1)
	}
	try("ack twice", func(ch *amqp.Channel) error {
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		return ch.Ack(1, false)
	})
	try("ack up to one", func(ch *amqp.Channel) error { return ch.Ack(3, true) })
	try("ack up to one that is settled", func(ch *amqp.Channel) error {
		if err := ch.Ack(2, false); err != nil {
			return err
		}
		return ch.Ack(2, true)
	})
	try("ack beyond the last", func(ch *amqp.Channel) error { return ch.Ack(9, true) })
	try("ack all", func(ch *amqp.Channel) error { return ch.Ack(0, true) })
	try("out of order", func(ch *amqp.Channel) error {
		for _, tag := range []uint64{4, 1, 3, 2} {
			if err := ch.Ack(tag, false); err != nil {
				return err
			}
		}
		return nil
	})
	try("nack up to one", func(ch *amqp.Channel) error { return ch.Nack(2, true, true) })
	try("nack all without requeue", func(ch *amqp.Channel) error { return ch.Nack(0, true, false) })
	try("reject", func(ch *amqp.Channel) error { return ch.Reject(2, false) })
	s.try("ack on another channel", func(ch *amqp.Channel) error {
		five()
		s.take(ch, "b.q", 1)
		s.try("  there", func(ch *amqp.Channel) error { return ch.Ack(1, false) })
		return ch.Ack(1, false)
	})
	s.drain("b.q", 4)
}

func (s *script) requeueing() {
	s.queue("b.q", nil)
	part := func(what string, f func(ch *amqp.Channel) error) {
		s.say("%s", what)
		s.purge("b.q")
		s.put("", "b.q", body("1", "2", "3", "4", "5")...)
		s.do(what, f)
		s.settle("b.q", 5)
		s.drain("b.q", 5)
	}
	part("to their places", func(ch *amqp.Channel) error {
		s.take(ch, "b.q", 4)
		for _, tag := range []uint64{3, 1, 4, 2} {
			if err := ch.Nack(tag, false, true); err != nil {
				return err
			}
		}
		return nil
	})
	part("in two lots", func(ch *amqp.Channel) error {
		s.take(ch, "b.q", 3)
		if err := ch.Reject(2, true); err != nil {
			return err
		}
		s.take(ch, "b.q", 1)
		return ch.Nack(0, true, true)
	})
	part("the channel closes", func(ch *amqp.Channel) error { s.take(ch, "b.q", 3); return nil })
	part("the connection closes", func(*amqp.Channel) error {
		other := s.dial()
		ch, err := other.Channel()
		if err != nil {
			return err
		}
		s.take(ch, "b.q", 2)
		return other.Close()
	})
	part("recover", func(ch *amqp.Channel) error {
		s.take(ch, "b.q", 3)
		//lint:ignore SA1019 what it does is what is asked here
		if err := ch.Recover(true); err != nil {
			return err
		}
		s.counts("b.q")
		return nil
	})
	part("two channels", func(ch *amqp.Channel) error {
		other := s.channel()
		defer other.Close()
		s.take(ch, "b.q", 1)
		s.take(other, "b.q", 1)
		s.take(ch, "b.q", 1)
		if err := ch.Nack(0, true, true); err != nil {
			return err
		}
		s.settle("b.q", 4)
		return other.Nack(0, true, true)
	})
}

// recovering gives back what a consumer has, one by one or all that a channel has.
func (s *script) recovering() {
	s.queue("b.q", nil)
	s.say("with a consumer")
	s.put("", "b.q", body("1", "2", "3")...)
	s.do("consume", func(ch *amqp.Channel) error {
		if err := ch.Qos(2, 0, false); err != nil {
			return err
		}
		c := s.consume(ch, "b.q", "c", nil)
		s.say("  %v", nextN(c, 2))
		if err := ch.Reject(1, true); err != nil {
			return err
		}
		s.say("  after a reject: %s", next(c))
		//lint:ignore SA1019 what it does is what is asked here
		if err := ch.Recover(true); err != nil {
			return err
		}
		s.say("  after recover: %s", next(c))
		s.say("  and: %s", next(c))
		return nil
	})
	s.drain("b.q", 3)
	s.say("to the next consumer")
	s.do("consume", func(ch *amqp.Channel) error {
		a, b := s.consume(ch, "b.q", "a", nil), s.consume(ch, "b.q", "b", nil)
		s.put("", "b.q", body("1")...)
		s.say("  a: %s", next(a))
		if err := ch.Nack(1, false, true); err != nil {
			return err
		}
		s.say("  b: %s", next(b))
		return ch.Ack(2, false)
	})
	s.say("on the wire")
	for _, m := range []wire.Method{&wire.BasicRecover{Requeue: true}, &wire.BasicRecover{}, &wire.BasicRecoverAsync{Requeue: true}, &wire.BasicRecoverAsync{}} {
		s.delete("b.q") // a connection that hangs up may give back what it had after the next purge
		s.queue("b.q", nil)
		s.put("", "b.q", body("1", "2")...)
		p := s.open()
		p.send(1, &wire.BasicGet{Queue: []byte("b.q")}, &wire.BasicQos{})
		p.read(wire.BasicQosOkID)
		p.send(1, m, &wire.BasicGet{Queue: []byte("b.q")}, &wire.BasicQos{})
		s.say("  %s: %s", shownMethod(m), p.read(wire.BasicQosOkID))
		p.close()
	}
}
