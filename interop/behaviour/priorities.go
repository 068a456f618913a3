package main

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// ranked puts messages of some priorities into a queue, one after the other.
func (s *script) ranked(queue string, priorities ...uint8) {
	for i, p := range priorities {
		s.put("", queue, amqp.Publishing{Body: fmt.Appendf(nil, "%d of %d", i, p), Priority: p})
	}
}

func (s *script) priorities() {
	s.queue("b.q", amqp.Table{"x-max-priority": int32(5)})
	s.ranked("b.q", 0, 3, 5, 9, 1, 5, 0, 4, 3)
	s.say("back to where they were")
	s.do("get", func(ch *amqp.Channel) error {
		s.take(ch, "b.q", 4)
		return ch.Nack(0, true, true)
	})
	s.settle("b.q", 9)
	s.drain("b.q", 9)
	s.say("the highest number, and none")
	s.queue("b.high", amqp.Table{"x-max-priority": int32(255)})
	s.ranked("b.high", 0, 255, 254, 1)
	s.drain("b.high", 4)
	s.queue("b.zero", amqp.Table{"x-max-priority": int32(0)})
	s.ranked("b.zero", 0, 255, 1)
	s.drain("b.zero", 3)
	s.queue("b.plain", nil)
	s.ranked("b.plain", 0, 255, 1)
	s.drain("b.plain", 3)
	s.say("to a consumer")
	s.ranked("b.q", 1, 2, 3)
	s.do("consume", func(ch *amqp.Channel) error {
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		c := s.consume(ch, "b.q", "c", nil)
		s.say("  %s", next(c))
		s.ranked("b.q", 5)
		if err := ch.Nack(1, false, true); err != nil {
			return err
		}
		s.say("  %s", next(c))
		if err := ch.Ack(2, false); err != nil {
			return err
		}
		s.say("  %s", next(c))
		return nil
	})
	s.settle("b.q", 3)
	s.drain("b.q", 3)
	s.queue("b.dead", nil)
	s.say("with a limit")
	s.queue("b.limit", toDead(amqp.Table{"x-max-priority": int32(5), "x-max-length": int32(3)}))
	s.ranked("b.limit", 3, 1, 5, 1, 0, 4)
	s.drain("b.limit", 3)
	s.drain("b.dead", 3)
	s.queue("b.reject", amqp.Table{"x-max-priority": int32(5), "x-max-length": int32(2), "x-overflow": "reject-publish"})
	s.ranked("b.reject", 1, 2, 3)
	s.drain("b.reject", 2)
	s.say("expiry at the head of each priority")
	s.queue("b.ttl", toDead(amqp.Table{"x-max-priority": int32(5)}))
	s.put("", "b.ttl", amqp.Publishing{Body: []byte("high"), Priority: 5}, amqp.Publishing{Body: []byte("low"), Priority: 1, Expiration: "30"},
		amqp.Publishing{Body: []byte("behind"), Priority: 5, Expiration: "30"})
	time.Sleep(100 * time.Millisecond)
	s.counts("b.ttl")
	s.drain("b.ttl", 0)
	s.drain("b.dead", 2)
}

func (s *script) deliveryLimit() {
	s.queue("b.dead", nil)
	limited := func(name string, limit int32) {
		s.queue(name, toDead(amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": limit}))
		s.put("", name, amqp.Publishing{Body: []byte("poison"), DeliveryMode: 2, Headers: amqp.Table{"h": "v"}})
	}
	for _, c := range []struct {
		what string
		back func(ch *amqp.Channel, tag uint64) error
	}{
		{"nack", func(ch *amqp.Channel, tag uint64) error { return ch.Nack(tag, false, true) }},
		{"reject", func(ch *amqp.Channel, tag uint64) error { return ch.Reject(tag, true) }},
	} {
		s.say("%s", c.what)
		limited("b."+c.what, 2)
		s.do("consume", func(ch *amqp.Channel) error {
			d := s.consume(ch, "b."+c.what, "", nil)
			for tag := uint64(1); tag <= 3; tag++ {
				s.say("  %s", next(d))
				if err := c.back(ch, tag); err != nil {
					return err
				}
			}
			s.say("  then %s", none(d))
			return nil
		})
		s.drain("b.dead", 1)
	}
	s.say("the channel closes")
	limited("b.close", 1)
	for range 2 {
		s.do("consume", func(ch *amqp.Channel) error {
			s.say("  %s", next(s.consume(ch, "b.close", "", nil)))
			return nil
		})
	}
	s.drain("b.dead", 1)
	s.say("a limit of none")
	limited("b.none", 0)
	s.do("consume", func(ch *amqp.Channel) error {
		d := s.consume(ch, "b.none", "", nil)
		s.say("  %s", next(d))
		if err := ch.Nack(1, false, true); err != nil {
			return err
		}
		s.say("  then %s", none(d))
		return nil
	})
	s.drain("b.dead", 1)
	s.say("an ack in time")
	limited("b.ack", 1)
	s.do("consume", func(ch *amqp.Channel) error {
		d := s.consume(ch, "b.ack", "", nil)
		s.say("  %s", next(d))
		if err := ch.Nack(1, false, true); err != nil {
			return err
		}
		s.say("  %s", next(d))
		return ch.Ack(2, false)
	})
	s.drain("b.ack", 0)
	s.drain("b.dead", 0)
}

func (s *script) singleActive() {
	s.queue("b.q", amqp.Table{"x-single-active-consumer": true})
	a, b := s.channel(), s.channel()
	defer b.Close()
	first := s.consume(a, "b.q", "first", nil)
	second := s.consume(b, "b.q", "second", amqp.Table{"x-priority": int32(10)})
	third := s.consume(b, "b.q", "third", nil)
	s.put("", "b.q", body("1", "2")...)
	s.say("first: %s", next(first))
	s.say("first: %s", next(first))
	s.say("second: %s, third: %s", none(second), none(third))
	s.counts("b.q")
	s.try("an exclusive one", func(ch *amqp.Channel) error {
		_, err := ch.Consume("b.q", "other", false, true, false, false, nil)
		return err
	})
	a.Close()
	s.say("second takes over: %s", next(second))
	s.say("and: %s", next(second))
	s.say("third: %s", none(third))
	if err := b.Cancel("second", false); err != nil {
		s.say("cancel: %s", s.outcome(err))
	}
	s.put("", "b.q", body("3")...)
	s.say("third takes over: %s", next(third))
	s.say("what second has, it keeps: %s", none(third))
	if err := b.Ack(2, true); err != nil {
		s.say("ack: %s", s.outcome(err))
	}
	s.do("consume", func(ch *amqp.Channel) error {
		s.say("with a prefetch, the others get nothing")
		s.queue("b.one", amqp.Table{"x-single-active-consumer": true})
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		one, two := s.consume(ch, "b.one", "one", nil), s.consume(ch, "b.one", "two", nil)
		s.put("", "b.one", body("1", "2")...)
		s.say("  %v %v", nextN(one, 1), nextN(two, 0))
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		s.say("  %v %v", nextN(one, 1), nextN(two, 0))
		return nil
	})
}
