package main

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// reject rejects the next message of a queue.
func (s *script) reject(queue string) {
	s.do("reject", func(ch *amqp.Channel) error {
		for _, d := range s.take(ch, queue, 1) {
			if err := d.Reject(false); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *script) deadLetters() {
	s.exchange("b.dlx", "topic", nil)
	s.queue("b.dead", nil)
	s.bind("b.dead", "#", "b.dlx", nil)
	s.say("rejected, with the keys that it had")
	s.queue("b.q", amqp.Table{"x-dead-letter-exchange": "b.dlx"})
	s.bind("b.q", "k.1", "amq.direct", nil)
	s.put("amq.direct", "k.1", amqp.Publishing{
		Body: []byte("1"), Headers: amqp.Table{"CC": []any{"k.2"}, "BCC": []any{"k.3"}, "n": int32(1)},
	})
	s.reject("b.q")
	s.drain("b.dead", 1)
	s.say("with a key of the queue")
	s.queue("b.key", amqp.Table{"x-dead-letter-exchange": "b.dlx", "x-dead-letter-routing-key": "other.key"})
	s.put("", "b.key", amqp.Publishing{Body: []byte("2"), Headers: amqp.Table{"CC": []any{"k.2"}}, Expiration: "60000"})
	s.reject("b.key")
	s.drain("b.dead", 1)
	s.say("by all its keys")
	s.queue("b.cc", nil)
	s.queue("b.bcc", nil)
	s.exchange("b.direct", "direct", nil)
	s.bind("b.cc", "b.cc", "b.direct", nil)
	s.bind("b.bcc", "b.bcc", "b.direct", nil)
	s.queue("b.keys", amqp.Table{"x-dead-letter-exchange": "b.direct"})
	s.put("", "b.keys", amqp.Publishing{Body: []byte("3"), Headers: amqp.Table{"CC": []any{"b.cc"}, "BCC": []any{"b.bcc"}}})
	s.drain("b.cc", 1)
	s.drain("b.bcc", 1)
	s.reject("b.keys")
	s.drain("b.cc", 1)
	s.drain("b.bcc", 0)
	s.say("no such exchange")
	s.queue("b.lost", amqp.Table{"x-dead-letter-exchange": "b.nowhere"})
	s.put("", "b.lost", body("lost")...)
	s.reject("b.lost")
	s.drain("b.lost", 0)
	s.say("an exchange with an alternate")
	s.exchange("b.with.ae", "direct", amqp.Table{"alternate-exchange": "b.dlx"})
	s.queue("b.ae", amqp.Table{"x-dead-letter-exchange": "b.with.ae"})
	s.put("", "b.ae", body("by the alternate")...)
	s.reject("b.ae")
	s.drain("b.dead", 1)
	s.say("an internal exchange")
	s.made = append(s.made, "b.internal")
	s.do("declare", func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare("b.internal", "fanout", false, false, true, false, nil)
	})
	s.bind("b.dead", "", "b.internal", nil)
	s.queue("b.to.internal", amqp.Table{"x-dead-letter-exchange": "b.internal"})
	s.put("", "b.to.internal", body("internal")...)
	s.reject("b.to.internal")
	s.drain("b.dead", 1)
	s.say("to a queue that is full")
	s.queue("b.full", amqp.Table{"x-max-length": int32(0), "x-overflow": "reject-publish"})
	s.queue("b.to.full", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.full"})
	s.put("", "b.to.full", body("full")...)
	s.reject("b.to.full")
	s.drain("b.full", 0)
	s.drain("b.to.full", 0)
	s.say("properties are kept")
	s.put("", "b.q", amqp.Publishing{ContentType: "a/b", DeliveryMode: 2, Priority: 3, CorrelationId: "c", ReplyTo: "r", MessageId: "m", Type: "t", AppId: "a"})
	s.reject("b.q")
	s.do("get", func(ch *amqp.Channel) error {
		for _, d := range s.take(ch, "b.dead", 1) {
			s.say("  %s %d %d %s %s %s %s %s", d.ContentType, d.DeliveryMode, d.Priority, d.CorrelationId, d.ReplyTo, d.MessageId, d.Type, d.AppId)
		}
		return ch.Ack(0, true)
	})
	s.notDead()
}

// notDead are messages that are gone for good, and the order of those that are
// not.
func (s *script) notDead() {
	s.say("several at once keep their order")
	s.put("", "b.q", body("1", "2", "3", "4", "5")...)
	s.do("nack", func(ch *amqp.Channel) error {
		s.take(ch, "b.q", 5)
		return ch.Nack(0, true, false)
	})
	s.drain("b.dead", 5)
	s.say("purged and deleted messages do not go there")
	s.put("", "b.q", body("1", "2")...)
	s.purge("b.q")
	s.put("", "b.q", body("3")...)
	s.delete("b.q")
	time.Sleep(100 * time.Millisecond)
	s.drain("b.dead", 0)
	s.say("requeued and acked ones neither")
	s.queue("b.q", amqp.Table{"x-dead-letter-exchange": "b.dlx"})
	s.put("", "b.q", body("4", "5")...)
	s.do("nack", func(ch *amqp.Channel) error {
		s.take(ch, "b.q", 2)
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		return ch.Nack(2, false, true)
	})
	s.drain("b.q", 1)
	s.drain("b.dead", 0)
}

// deaths are those that one message has had.
func (s *script) deaths() {
	to := func(name, next string, more amqp.Table) {
		args := amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": next}
		for k, v := range more {
			args[k] = v
		}
		s.queue(name, args)
	}
	to("b.one", "b.two", nil)
	to("b.two", "b.one", nil)
	s.say("counts")
	s.put("", "b.one", body("round")...)
	for range 3 {
		s.reject("b.one")
		s.reject("b.two")
	}
	s.reject("b.one")
	s.drain("b.two", 1)
	s.say("headers that the publisher has set")
	for _, h := range []amqp.Table{
		{"x-death": "mine"}, {"x-death": []any{}}, {"x-death": []any{amqp.Table{"queue": "b.one", "reason": "rejected", "count": int64(41)}}},
		{"x-death": []any{amqp.Table{"queue": "b.one"}}}, {"x-first-death-queue": "mine"},
	} {
		s.put("", "b.one", amqp.Publishing{Body: []byte("set"), Headers: h})
		s.reject("b.one")
		s.drain("b.two", 1)
	}
	s.say("different reasons in one queue")
	to("b.both", "b.back", nil)
	to("b.back", "b.both", nil)
	s.put("", "b.both", amqp.Publishing{Body: []byte("both"), Expiration: "50"})
	s.settle("b.back", 1)
	s.reject("b.back")
	s.reject("b.both")
	s.drain("b.back", 1)
	s.say("three queues, in turn")
	to("b.a", "b.b", nil)
	to("b.b", "b.c", nil)
	to("b.c", "b.a", nil)
	s.put("", "b.a", body("three")...)
	for _, q := range []string{"b.a", "b.b", "b.c", "b.a"} {
		s.reject(q)
	}
	s.drain("b.b", 1)
	s.say("retries: a queue that waits")
	to("b.work", "b.wait", nil)
	to("b.wait", "b.work", amqp.Table{"x-message-ttl": int32(30)})
	s.put("", "b.work", amqp.Publishing{Body: []byte("retry"), Headers: amqp.Table{"n": int32(1)}})
	for range 2 {
		s.reject("b.work")
	}
	s.drain("b.work", 1)
	ends := func(what string, first amqp.Table) {
		s.say("%s", what)
		to("b.cycle1", "b.cycle2", first)
		to("b.cycle2", "b.cycle1", amqp.Table{"x-message-ttl": int32(20)})
		s.put("", "b.cycle1", body("round")...)
		time.Sleep(300 * time.Millisecond)
		s.drain("b.cycle1", 0)
		s.drain("b.cycle2", 0)
		s.delete("b.cycle1")
	}
	ends("a cycle without a reject ends", amqp.Table{"x-message-ttl": int32(20)})
	ends("other reasons, too", amqp.Table{"x-max-length": int32(0)})
	s.say("to itself")
	s.queue("b.self", amqp.Table{"x-message-ttl": int32(20), "x-dead-letter-exchange": ""})
	s.put("", "b.self", body("self")...)
	time.Sleep(200 * time.Millisecond)
	s.drain("b.self", 0)
	s.say("to itself, rejected")
	s.queue("b.again", amqp.Table{"x-dead-letter-exchange": ""})
	s.put("", "b.again", body("self")...)
	s.reject("b.again")
	s.drain("b.again", 1)
}
