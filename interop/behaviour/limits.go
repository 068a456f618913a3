package main

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *script) limits() {
	s.queue("b.dead", nil)
	show := func(name string, dead int, args amqp.Table, messages ...amqp.Publishing) {
		s.queue(name, toDead(args))
		s.say("%s: confirms %s", name, s.put("", name, messages...))
		s.drain("b.dead", dead)
		s.drain(name, 0)
	}
	five := body("1", "2", "3", "4", "5")
	show("b.head", 2, amqp.Table{"x-max-length": int32(3)}, five...)
	show("b.drop", 2, amqp.Table{"x-max-length": int32(3), "x-overflow": "drop-head"}, five...)
	show("b.reject", 0, amqp.Table{"x-max-length": int32(3), "x-overflow": "reject-publish"}, five...)
	show("b.rejectdlx", 2, amqp.Table{"x-max-length": int32(3), "x-overflow": "reject-publish-dlx"}, five...)
	show("b.none", 5, amqp.Table{"x-max-length": int32(0)}, five...)
	bytes := body("1234", "5678", "90ab", "c")
	show("b.bytes", 1, amqp.Table{"x-max-length-bytes": int32(10)}, bytes...)
	show("b.exactly", 0, amqp.Table{"x-max-length-bytes": int32(13)}, bytes...)
	show("b.bytesreject", 0, amqp.Table{"x-max-length-bytes": int32(10), "x-overflow": "reject-publish"}, bytes...)
	show("b.big", 1, amqp.Table{"x-max-length-bytes": int32(3)}, body("12345")...)
	show("b.bigreject", 0, amqp.Table{"x-max-length-bytes": int32(3), "x-overflow": "reject-publish"}, body("12345", "1")...)
	show("b.both", 2, amqp.Table{"x-max-length": int32(2), "x-max-length-bytes": int32(10)}, bytes...)
	show("b.empty", 0, amqp.Table{"x-max-length-bytes": int32(0)}, body("", "")...)

	s.say("unacked messages do not count")
	s.queue("b.unacked", toDead(amqp.Table{"x-max-length": int32(2)}))
	s.do("get", func(ch *amqp.Channel) error {
		s.put("", "b.unacked", body("1", "2")...)
		s.take(ch, "b.unacked", 2)
		s.put("", "b.unacked", body("3", "4")...)
		s.settle("b.unacked", 2)
		return ch.Nack(0, true, true)
	})
	s.settle("b.dead", 2)
	s.drain("b.dead", 2)
	s.drain("b.unacked", 2)
	s.say("nor do those that a consumer takes at once")
	s.queue("b.consumed", toDead(amqp.Table{"x-max-length": int32(0)}))
	s.queue("b.consumedreject", toDead(amqp.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"}))
	s.do("consume", func(ch *amqp.Channel) error {
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		for _, name := range []string{"b.consumed", "b.consumedreject"} {
			c := s.consume(ch, name, name, nil)
			s.say("  %s: %s", name, s.put("", name, body("1", "2")...))
			s.say("  %s", none(c))
			time.Sleep(50 * time.Millisecond)
			s.drain("b.dead", 0)
		}
		return nil
	})
}
