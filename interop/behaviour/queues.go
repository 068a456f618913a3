package main

import (
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *script) queues() {
	declare := func(what, name string) {
		s.try(what, func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclare(name, false, true, false, false, nil)
			if err != nil {
				return err
			}
			s.say("  declared %q: %d messages, %d consumers", q.Name, q.Messages, q.Consumers)
			s.put("", q.Name, body("1", "2")...)
			s.take(ch, q.Name, 1)
			if name != "" {
				q, err = ch.QueueDeclare(name, false, true, false, false, nil)
				s.must("  again", err)
				s.say("  again: %d messages, %d consumers", q.Messages, q.Consumers)
			}
			_, err = ch.QueueDelete(q.Name, false, false, false)
			return err
		})
	}
	declare("a reserved name", "amq.mine")
	declare("a name of the broker's", "")
	declare("a long name", strings.Repeat("q", 255))
	declare("a name beyond ASCII", "häuschen 🐰")
	declare("a name with line ends", "b.\r\nline")
	s.try("a name of the broker's again", func(ch *amqp.Channel) error {
		q, err := ch.QueueDeclare("", false, false, true, false, nil)
		if err == nil {
			_, err = ch.QueueDeclare(q.Name, false, false, true, false, nil)
		}
		return err
	})
	s.try("passive, not there", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive("b.nowhere", false, false, false, false, nil)
		return err
	})
	s.try("passive, not there, a text that is cut", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(strings.Repeat("q", 255), false, false, false, false, nil)
		return err
	})
	s.try("delete, not there", func(ch *amqp.Channel) error {
		n, err := ch.QueueDelete("b.nowhere", false, false, false)
		s.say("  deleted %d", n)
		return err
	})
	s.try("delete if empty and unused, not there", func(ch *amqp.Channel) error {
		_, err := ch.QueueDelete("b.nowhere", true, true, false)
		return err
	})
	s.try("purge, not there", func(ch *amqp.Channel) error { _, err := ch.QueuePurge("b.nowhere", false); return err })
	s.try("get, not there", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.nowhere", false); return err })
	s.try("consume, not there", func(ch *amqp.Channel) error {
		_, err := ch.Consume("b.nowhere", "", false, false, false, false, nil)
		return err
	})
	s.lastDeclared()
	s.deleting()
}

// lastDeclared is the queue that an empty name stands for.
func (s *script) lastDeclared() {
	s.say("none declared")
	s.try("purge of an empty name", func(ch *amqp.Channel) error { _, err := ch.QueuePurge("", false); return err })
	s.try("get of an empty name", func(ch *amqp.Channel) error { _, _, err := ch.Get("", false); return err })
	s.try("delete of an empty name", func(ch *amqp.Channel) error { _, err := ch.QueueDelete("", false, false, false); return err })
	s.try("bind of an empty name", func(ch *amqp.Channel) error { return ch.QueueBind("", "k", "amq.direct", false, nil) })
	s.try("consume of an empty name", func(ch *amqp.Channel) error {
		_, err := ch.Consume("", "", false, false, false, false, nil)
		return err
	})
	s.try("one declared", func(ch *amqp.Channel) error {
		if _, err := ch.QueueDeclare("b.last", false, false, true, false, nil); err != nil {
			return err
		}
		if err := ch.QueueBind("", "", "amq.direct", false, nil); err != nil {
			return err
		}
		s.say("  the key is the name: %s", s.put("amq.direct", "b.last", body("by its name")...))
		if err := ch.QueueBind("", "k", "amq.direct", false, nil); err != nil {
			return err
		}
		s.put("amq.direct", "k", body("by the key")...)
		for range 2 {
			d, ok, err := ch.Get("", true)
			if err != nil {
				return err
			}
			s.say("  got %v %s", ok, d.Body)
		}
		if err := ch.QueueUnbind("", "k", "amq.direct", nil); err != nil {
			return err
		}
		_, err := ch.QueueDelete("", false, false, false)
		return err
	})
	s.made = append(s.made, "b.last")
}

func (s *script) deleting() {
	s.queue("b.q", nil)
	s.put("", "b.q", body("1", "2", "3")...)
	s.try("delete if empty", func(ch *amqp.Channel) error { _, err := ch.QueueDelete("b.q", false, true, false); return err })
	s.try("delete if unused", func(ch *amqp.Channel) error {
		if _, err := ch.Consume("b.q", "", false, false, false, false, nil); err != nil {
			return err
		}
		_, err := ch.QueueDelete("b.q", true, false, false)
		return err
	})
	s.settle("b.q", 3)
	s.try("purge while one is unacked", func(ch *amqp.Channel) error {
		s.take(ch, "b.q", 1)
		n, err := ch.QueuePurge("b.q", false)
		s.say("  purged %d", n)
		return err
	})
	s.drain("b.q", 1)
	s.put("", "b.q", body("1", "2", "3")...)
	s.try("delete", func(ch *amqp.Channel) error {
		s.take(ch, "b.q", 1)
		n, err := ch.QueueDelete("b.q", true, false, false)
		s.say("  deleted %d", n)
		return err
	})
	s.queue("b.q", nil)
	s.try("delete if empty and unused", func(ch *amqp.Channel) error { _, err := ch.QueueDelete("b.q", true, true, false); return err })
	s.try("ack after the queue has gone", func(ch *amqp.Channel) error {
		s.queue("b.q", nil)
		s.put("", "b.q", body("1")...)
		d := s.take(ch, "b.q", 1)
		s.delete("b.q")
		return d[0].Ack(false)
	})
	s.try("nack after the queue has gone", func(ch *amqp.Channel) error {
		s.queue("b.q", nil)
		s.put("", "b.q", body("1")...)
		d := s.take(ch, "b.q", 1)
		s.delete("b.q")
		return d[0].Nack(false, true)
	})
}

func (s *script) exclusiveQueues() {
	other := s.dial()
	ch, err := other.Channel()
	if err != nil {
		panic(err)
	}
	for _, durable := range []bool{false, true} {
		_, err = ch.QueueDeclare("b.locked", durable, false, true, false, nil)
		s.say("declare again, durable=%v: %s", durable, s.outcome(err))
	}
	if ch, err = other.Channel(); err != nil {
		panic(err)
	}
	_, err = ch.QueueDeclare("b.locked", false, false, false, false, nil)
	s.say("the owner declares it as shared: %s", s.outcome(err))
	if ch, err = other.Channel(); err != nil {
		panic(err)
	}
	_, err = ch.Consume("b.locked", "", true, false, false, false, nil)
	s.say("another channel of the owner consumes: %s", s.outcome(err))

	for _, exclusive := range []bool{false, true} {
		s.try("another declares it", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("b.locked", false, false, exclusive, false, nil)
			return err
		})
	}
	for _, c := range []struct {
		what string
		do   func(ch *amqp.Channel) error
	}{
		{"passive", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclarePassive("b.locked", false, false, false, false, nil)
			return err
		}},
		{"get", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.locked", true); return err }},
		{"consume", func(ch *amqp.Channel) error {
			_, err := ch.Consume("b.locked", "", true, false, false, false, nil)
			return err
		}},
		{"bind", func(ch *amqp.Channel) error { return ch.QueueBind("b.locked", "k", "amq.direct", false, nil) }},
		{"bind to an exchange that is not there", func(ch *amqp.Channel) error { return ch.QueueBind("b.locked", "k", "b.nowhere", false, nil) }},
		{"unbind", func(ch *amqp.Channel) error { return ch.QueueUnbind("b.locked", "k", "amq.direct", nil) }},
		{"purge", func(ch *amqp.Channel) error { _, err := ch.QueuePurge("b.locked", false); return err }},
		{"delete", func(ch *amqp.Channel) error { _, err := ch.QueueDelete("b.locked", false, false, false); return err }},
		{"publish", func(ch *amqp.Channel) error { return ch.Publish("", "b.locked", false, false, amqp.Publishing{}) }},
	} {
		s.try(c.what, c.do)
	}
	if err := other.Close(); err != nil {
		panic(err)
	}
	s.goneQueue("b.locked")
}

func (s *script) autoDeleteQueues() {
	declare := func() {
		s.made = append(s.made, "b.auto")
		s.do("declare", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("b.auto", false, true, false, false, nil)
			return err
		})
	}
	declare()
	s.put("", "b.auto", body("1", "2")...)
	s.do("get", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.auto", true); return err })
	s.say("no consumer ever")
	s.counts("b.auto")
	s.do("consume", func(ch *amqp.Channel) error {
		one, two := s.channel(), s.channel()
		s.say("two consumers")
		s.consume(one, "b.auto", "one", nil)
		s.consume(two, "b.auto", "two", nil)
		s.counts("b.auto")
		s.say("one cancels")
		if err := one.Cancel("one", false); err != nil {
			return err
		}
		s.counts("b.auto")
		s.say("and the other")
		if err := two.Cancel("two", false); err != nil {
			return err
		}
		s.goneQueue("b.auto")
		one.Close()
		two.Close()
		return nil
	})
	declare()
	s.say("the last channel closes")
	s.with(func(ch *amqp.Channel) error { s.consume(ch, "b.auto", "", nil); return nil })
	s.goneQueue("b.auto")
	declare()
	s.say("the last connection closes")
	other := s.dial()
	ch, err := other.Channel()
	if err != nil {
		panic(err)
	}
	s.consume(ch, "b.auto", "", nil)
	if err := other.Close(); err != nil {
		panic(err)
	}
	s.goneQueue("b.auto")
}
