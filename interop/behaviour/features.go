package main

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *script) limits() {
	s.queue("b.dead", nil)
	limited := func(name string, args amqp.Table) string {
		args["x-dead-letter-exchange"] = ""
		args["x-dead-letter-routing-key"] = "b.dead"
		s.queue(name, args)
		return name
	}
	show := func(name string, dead int, confirms string) {
		s.say("%s: confirms %s", name, confirms)
		s.drain("b.dead", dead)
		s.drain(name, 0)
	}
	five := body("1", "2", "3", "4", "5")
	show(limited("b.head", amqp.Table{"x-max-length": int32(3)}), 2, s.put("", "b.head", five...))
	show(limited("b.reject", amqp.Table{"x-max-length": int32(3), "x-overflow": "reject-publish"}), 0, s.put("", "b.reject", five...))
	show(limited("b.rejectdlx", amqp.Table{"x-max-length": int32(3), "x-overflow": "reject-publish-dlx"}), 2, s.put("", "b.rejectdlx", five...))
	show(limited("b.none", amqp.Table{"x-max-length": int32(0)}), 5, s.put("", "b.none", five...))
	show(limited("b.bytes", amqp.Table{"x-max-length-bytes": int32(10)}), 2, s.put("", "b.bytes", body("1234", "5678", "90ab", "c")...))
	show(limited("b.big", amqp.Table{"x-max-length-bytes": int32(3)}), 1, s.put("", "b.big", body("12345")...))
	show(limited("b.bigreject", amqp.Table{"x-max-length-bytes": int32(3), "x-overflow": "reject-publish"}), 0, s.put("", "b.bigreject", body("12345", "1")...))
	s.say("unacked messages do not count")
	limited("b.unacked", amqp.Table{"x-max-length": int32(2)})
	s.with(func(ch *amqp.Channel) error {
		s.put("", "b.unacked", body("1", "2")...)
		s.settle("b.unacked", 2)
		ch.Get("b.unacked", false)
		ch.Get("b.unacked", false)
		s.put("", "b.unacked", body("3", "4")...)
		s.settle("b.unacked", 2)
		return ch.Nack(0, true, true)
	})
	time.Sleep(100 * time.Millisecond)
	s.drain("b.dead", 2)
	s.drain("b.unacked", 2)
}

func (s *script) deadLetters() {
	s.exchange("b.dlx", "topic", nil)
	s.queue("b.dead", nil)
	s.bind("b.dead", "#", "b.dlx", nil)
	s.say("rejected, with the keys that it had")
	s.queue("b.q", amqp.Table{"x-dead-letter-exchange": "b.dlx"})
	s.bind("b.q", "k.1", "amq.direct", nil)
	reject := func(queue string, requeue bool) {
		s.settle(queue, 1)
		s.with(func(ch *amqp.Channel) error {
			d, ok, err := ch.Get(queue, false)
			if !ok {
				s.say("  %s has no message", queue)
				return err
			}
			return d.Reject(requeue)
		})
	}
	s.put("amq.direct", "k.1", amqp.Publishing{Body: []byte("1"), Headers: amqp.Table{"CC": []any{"k.2"}, "BCC": []any{"k.3"}, "n": int32(1)}})
	reject("b.q", false)
	s.drain("b.dead", 1)
	s.say("with a key of the queue")
	s.queue("b.key", amqp.Table{"x-dead-letter-exchange": "b.dlx", "x-dead-letter-routing-key": "other.key"})
	s.put("", "b.key", amqp.Publishing{Body: []byte("2"), Headers: amqp.Table{"CC": []any{"k.2"}}, Expiration: "60000"})
	reject("b.key", false)
	s.drain("b.dead", 1)
	s.say("no such exchange")
	s.queue("b.lost", amqp.Table{"x-dead-letter-exchange": "b.nowhere"})
	s.put("", "b.lost", body("lost")...)
	reject("b.lost", false)
	s.drain("b.lost", 0)
	s.say("several times: counts")
	s.queue("b.one", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.two"})
	s.queue("b.two", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.one"})
	s.put("", "b.one", amqp.Publishing{Body: []byte("round"), Headers: amqp.Table{"x-death": "mine"}})
	for range 2 {
		reject("b.one", false)
		reject("b.two", false)
	}
	s.drain("b.one", 1)
	s.say("different reasons in one queue")
	s.queue("b.both", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.back"})
	s.queue("b.back", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.both"})
	s.put("", "b.both", amqp.Publishing{Body: []byte("both"), Expiration: "50"})
	s.settle("b.back", 1)
	reject("b.back", false)
	reject("b.both", false)
	s.drain("b.back", 1)
	s.say("a cycle without a reject ends")
	s.queue("b.cycle1", amqp.Table{"x-message-ttl": int32(20), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.cycle2"})
	s.queue("b.cycle2", amqp.Table{"x-message-ttl": int32(20), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.cycle1"})
	s.put("", "b.cycle1", body("round")...)
	time.Sleep(300 * time.Millisecond)
	s.drain("b.cycle1", 0)
	s.drain("b.cycle2", 0)
	s.say("to itself")
	s.queue("b.self", amqp.Table{"x-message-ttl": int32(20), "x-dead-letter-exchange": ""})
	s.put("", "b.self", body("self")...)
	time.Sleep(200 * time.Millisecond)
	s.drain("b.self", 0)
	s.say("several at once keep their order")
	s.put("", "b.q", body("1", "2", "3", "4", "5")...)
	s.settle("b.q", 5)
	s.with(func(ch *amqp.Channel) error {
		for range 5 {
			ch.Get("b.q", false)
		}
		return ch.Nack(0, true, false)
	})
	s.drain("b.dead", 5)
	s.say("purged and deleted messages do not go there")
	s.put("", "b.q", body("1", "2")...)
	s.settle("b.q", 2)
	s.with(func(ch *amqp.Channel) error { _, err := ch.QueuePurge("b.q", false); return err })
	s.put("", "b.q", body("3")...)
	s.settle("b.q", 1)
	s.with(func(ch *amqp.Channel) error { _, err := ch.QueueDelete("b.q", false, false, false); return err })
	time.Sleep(100 * time.Millisecond)
	s.drain("b.dead", 0)
}

func (s *script) deliveryLimit() {
	s.queue("b.dead", nil)
	s.queue("b.q", amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int32(2), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.dead"})
	s.put("", "b.q", amqp.Publishing{Body: []byte("poison"), DeliveryMode: 2, Headers: amqp.Table{"h": "v"}})
	s.with(func(ch *amqp.Channel) error {
		c, err := ch.Consume("b.q", "", false, false, false, false, nil)
		if err != nil {
			return err
		}
		for tag := uint64(1); tag <= 3; tag++ {
			s.say("  %s", next(c))
			ch.Nack(tag, false, true)
		}
		s.say("  then %s", next(c))
		return nil
	})
	s.drain("b.dead", 1)
}

func (s *script) priorities() {
	s.queue("b.q", amqp.Table{"x-max-priority": int32(5)})
	for i, p := range []uint8{0, 3, 5, 9, 1, 5, 0, 4, 3} {
		s.put("", "b.q", amqp.Publishing{Body: fmt.Appendf(nil, "%d of %d", i, p), Priority: p})
	}
	s.settle("b.q", 9)
	s.with(func(ch *amqp.Channel) error { // back to where they were
		for range 4 {
			ch.Get("b.q", false)
		}
		return ch.Nack(0, true, true)
	})
	s.settle("b.q", 9)
	s.drain("b.q", 9)
	s.say("with a limit")
	s.queue("b.limit", amqp.Table{"x-max-priority": int32(5), "x-max-length": int32(3)})
	for i, p := range []uint8{3, 1, 5, 1, 0, 4} {
		s.put("", "b.limit", amqp.Publishing{Body: fmt.Appendf(nil, "%d of %d", i, p), Priority: p})
	}
	s.drain("b.limit", 3)
}

func (s *script) singleActive() {
	s.queue("b.q", amqp.Table{"x-single-active-consumer": true})
	a, b := s.channel(), s.channel()
	defer b.Close()
	first, _ := a.Consume("b.q", "first", false, false, false, false, nil)
	second, _ := b.Consume("b.q", "second", false, false, false, false, amqp.Table{"x-priority": int32(10)})
	s.put("", "b.q", body("1", "2")...)
	s.say("second: %s", next(second))
	s.say("first: %s", next(first))
	s.say("first: %s", next(first))
	a.Close()
	s.say("second takes over: %s", next(second))
	s.say("and: %s", next(second))
	s.try("an exclusive one", func(ch *amqp.Channel) error {
		_, err := ch.Consume("b.q", "third", false, true, false, false, nil)
		return err
	})
}
