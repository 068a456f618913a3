package main

import (
	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *script) prefetch() {
	s.queue("b.q", nil)
	part := s.withEight
	part("for each consumer", func(ch *amqp.Channel) {
		s.qos(ch, 2, false)
		a, b := s.consume(ch, "b.q", "a", nil), s.consume(ch, "b.q", "b", nil)
		s.say("  %d and %d", len(nextN(a, 2)), len(nextN(b, 2)))
	})
	part("only for those that come later", func(ch *amqp.Channel) {
		s.qos(ch, 1, false)
		a := s.consume(ch, "b.q", "a", nil)
		s.say("  a: %v", nextN(a, 1))
		s.qos(ch, 3, false)
		s.say("  a: %v", nextN(a, 0))
		b := s.consume(ch, "b.q", "b", nil)
		s.say("  b: %v, a: %v", nextN(b, 3), nextN(a, 0))
	})
	part("none at first, and zero", func(ch *amqp.Channel) {
		s.say("  %v", nextN(s.consume(ch, "b.q", "a", nil), 8))
	})
	part("zero is no limit", func(ch *amqp.Channel) {
		s.qos(ch, 1, false)
		s.qos(ch, 0, false)
		s.say("  %v", nextN(s.consume(ch, "b.q", "a", nil), 8))
	})
	part("no acks, no limit", func(ch *amqp.Channel) {
		s.qos(ch, 1, false)
		c, err := ch.Consume("b.q", "", true, false, false, false, nil)
		s.must("consume", err)
		s.say("  %v", nextN(c, 8))
	})
	part("every way to settle gives room", func(ch *amqp.Channel) {
		s.qos(ch, 1, false)
		c := s.consume(ch, "b.q", "a", nil)
		for _, settle := range []func() error{
			func() error { return ch.Ack(1, false) },
			func() error { return ch.Nack(2, false, false) },
			func() error { return ch.Reject(3, false) },
			func() error { return ch.Reject(4, true) },
		} {
			s.say("  %s", next(c))
			s.must("settle", settle())
		}
		s.say("  %s", next(c))
	})
	s.try("prefetch size", func(ch *amqp.Channel) error { return ch.Qos(0, 1, false) })
	s.try("prefetch size of the channel", func(ch *amqp.Channel) error { return ch.Qos(1, 4000, true) })
}

// sharedPrefetch is that of a whole channel.
func (s *script) sharedPrefetch() {
	s.queue("b.q", nil)
	part := s.withEight
	part("of the channel", func(ch *amqp.Channel) {
		s.qos(ch, 3, true)
		a := s.consume(ch, "b.q", "a", nil)
		s.say("  %v", nextN(a, 3))
		s.qos(ch, 5, true)
		s.say("  then %v", nextN(a, 2))
		s.must("ack", ch.Ack(2, true))
		s.say("  then %v", nextN(a, 2))
		s.qos(ch, 0, true)
		s.say("  then %v", nextN(a, 1))
	})
	part("both", func(ch *amqp.Channel) {
		s.qos(ch, 2, false)
		s.qos(ch, 3, true)
		a := s.consume(ch, "b.q", "a", nil)
		s.say("  a: %v", nextN(a, 2))
		b := s.consume(ch, "b.q", "b", nil)
		s.say("  b: %v", nextN(b, 1))
	})
	part("what is got does not count", func(ch *amqp.Channel) {
		s.qos(ch, 1, true)
		s.take(ch, "b.q", 2)
		s.say("  %v", nextN(s.consume(ch, "b.q", "a", nil), 1))
	})
}

func (s *script) qos(ch *amqp.Channel, n int, global bool) { s.must("qos", ch.Qos(n, 0, global)) }

// withEight runs f while b.q has eight messages.
func (s *script) withEight(what string, f func(ch *amqp.Channel)) {
	s.say("%s", what)
	s.purge("b.q")
	s.put("", "b.q", body("1", "2", "3", "4", "5", "6", "7", "8")...)
	s.do(what, func(ch *amqp.Channel) error { f(ch); return nil })
}
