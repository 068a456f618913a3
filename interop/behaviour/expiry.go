package main

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// toDead are arguments of a queue whose dead letters go to b.dead.
func toDead(args amqp.Table) amqp.Table {
	args["x-dead-letter-exchange"] = ""
	args["x-dead-letter-routing-key"] = "b.dead"
	return args
}

func (s *script) expiry() {
	s.queue("b.dead", nil)
	s.say("by the message")
	s.queue("b.q", toDead(amqp.Table{}))
	s.put("", "b.q", amqp.Publishing{Body: []byte("late"), Expiration: "50", Headers: amqp.Table{"h": "v"}})
	s.drain("b.dead", 1)
	s.say("by the queue")
	s.queue("b.ttl", toDead(amqp.Table{"x-message-ttl": int32(50)}))
	s.put("", "b.ttl", body("1", "2")...)
	s.drain("b.dead", 2)
	s.say("the smaller of both")
	s.put("", "b.ttl", amqp.Publishing{Body: []byte("x"), Expiration: "60000"})
	s.drain("b.dead", 1)
	s.queue("b.long", toDead(amqp.Table{"x-message-ttl": int32(60000)}))
	s.put("", "b.long", amqp.Publishing{Body: []byte("y"), Expiration: "50"})
	s.drain("b.dead", 1)
	s.say("what is delivered keeps its expiration")
	s.put("", "b.long", amqp.Publishing{Body: []byte("z"), Expiration: "50000"})
	s.drain("b.long", 1)
	s.say("only at the head")
	s.put("", "b.q", amqp.Publishing{Body: []byte("stays")}, amqp.Publishing{Body: []byte("behind"), Expiration: "10"})
	time.Sleep(100 * time.Millisecond)
	s.counts("b.q")
	s.do("get", func(ch *amqp.Channel) error {
		d, _, err := ch.Get("b.q", true)
		s.say("  got %s", d.Body)
		return err
	})
	s.drain("b.dead", 1)
	s.say("at once, with nobody there")
	s.queue("b.now", toDead(amqp.Table{"x-message-ttl": int32(0)}))
	s.say("  confirms %s", s.put("", "b.now", body("now")...))
	s.drain("b.dead", 1)
	s.say("  confirms %s", s.put("", "b.q", amqp.Publishing{Body: []byte("0"), Expiration: "0"}))
	s.drain("b.dead", 1)
	s.say("at once, with a consumer")
	s.do("consume", func(ch *amqp.Channel) error {
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		c := s.consume(ch, "b.now", "t", nil)
		s.put("", "b.now", body("in time", "nobody has room")...)
		s.say("  %s", next(c))
		s.drain("b.dead", 1)
		s.say("  and requeued")
		return ch.Nack(1, false, true)
	})
	s.drain("b.dead", 1)
	s.say("unsettled messages do not expire, requeued ones do")
	s.queue("b.again", toDead(amqp.Table{"x-message-ttl": int32(500)}))
	s.put("", "b.again", body("again")...)
	s.do("get", func(ch *amqp.Channel) error {
		d := s.take(ch, "b.again", 1)[0]
		time.Sleep(600 * time.Millisecond)
		s.counts("b.dead")
		return d.Nack(false, true)
	})
	s.drain("b.dead", 1)
	s.say("expired messages are not delivered")
	s.queue("b.lost", amqp.Table{"x-message-ttl": int32(30)})
	s.put("", "b.lost", body("1", "2", "3")...)
	time.Sleep(150 * time.Millisecond)
	s.counts("b.lost")
	s.drain("b.lost", 0)
	s.say("many of different times")
	s.put("", "b.q", amqp.Publishing{Body: []byte("1"), Expiration: "150"}, amqp.Publishing{Body: []byte("2"), Expiration: "20"},
		amqp.Publishing{Body: []byte("3"), Expiration: "80"})
	s.drain("b.dead", 3)
}

// unusedQueues expire two seconds after they were last used.
func (s *script) unusedQueues() {
	names := []string{"b.unused", "b.published", "b.declared", "b.got", "b.cancelled", "b.consumed"}
	s.queue("b.dead", nil)
	for _, name := range names {
		s.queue(name, toDead(amqp.Table{"x-expires": int32(2000)}))
	}
	ch := s.channel()
	defer ch.Close()
	s.consume(ch, "b.consumed", "stays", nil)
	s.consume(ch, "b.cancelled", "goes", nil)
	time.Sleep(time.Second)
	s.put("", "b.published", body("x")...)
	s.queue("b.declared", toDead(amqp.Table{"x-expires": int32(2000)}))
	s.do("get", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.got", true); return err })
	if err := ch.Cancel("goes", false); err != nil {
		s.say("cancel: %s", s.outcome(err))
	}
	time.Sleep(1500 * time.Millisecond)
	for _, name := range names {
		s.counts(name)
	}
	s.say("a passive declare counts as use, a get of nothing does, a publish does not; and later")
	time.Sleep(2500 * time.Millisecond)
	for _, name := range names {
		s.counts(name)
	}
	s.say("there are no dead letters of a queue that expires")
	s.drain("b.dead", 0)
}
