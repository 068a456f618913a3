package main

import (
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// durable declares a durable queue.
func (s *script) durable(name string, args amqp.Table) {
	s.do("queue "+name, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, args)
		return err
	})
}

// persistent are messages that are to survive.
func persistent(texts ...string) []amqp.Publishing {
	list := body(texts...)
	for i := range list {
		list[i].DeliveryMode = amqp.Persistent
	}
	return list
}

// leave makes things, some of which are to be there after a restart.
func (s *script) leave() {
	s.leaveTopology()
	s.leaveMessages()
	s.leaveDelivered()
	s.leaveLetters()
	s.leaveStream()
}

func (s *script) leaveTopology() {
	s.do("exchanges", func(ch *amqp.Channel) error {
		for _, e := range []struct {
			name, kind          string
			durable, autoDelete bool
			args                amqp.Table
		}{
			{"b.topic", "topic", true, false, amqp.Table{"alternate-exchange": "b.rest"}},
			{"b.rest", "fanout", true, false, nil},
			{"b.headers", "headers", true, false, nil},
			{"b.passing", "direct", false, false, nil},
			{"b.unused", "direct", true, true, nil},
		} {
			if err := ch.ExchangeDeclare(e.name, e.kind, e.durable, e.autoDelete, false, false, e.args); err != nil {
				return err
			}
		}
		return nil
	})
	for _, name := range []string{"b.plain", "b.rest", "b.headers", "b.deleted"} {
		s.durable(name, nil)
	}
	s.do("the others", func(ch *amqp.Channel) error {
		for _, q := range []struct {
			name                           string
			durable, autoDelete, exclusive bool
		}{{"b.passing", false, false, false}, {"b.unused", true, true, false}, {"b.mine", true, false, true}} {
			if _, err := ch.QueueDeclare(q.name, q.durable, q.autoDelete, q.exclusive, false, nil); err != nil {
				return err
			}
		}
		_, err := ch.QueueDelete("b.deleted", false, false, false)
		return err
	})
	s.bind("b.plain", "order.#", "b.topic", nil)
	s.bind("b.plain", "gone.#", "b.topic", nil)
	s.bind("b.passing", "order.#", "b.topic", nil)
	s.bind("b.rest", "", "b.rest", nil)
	s.bind("b.headers", "", "b.headers", amqp.Table{"x-match": "all", "n": int32(1)})
	s.bindExchange("b.rest", "both.#", "b.topic", nil)
	s.do("unbind", func(ch *amqp.Channel) error { return ch.QueueUnbind("b.plain", "gone.#", "b.topic", nil) })
}

func (s *script) leaveMessages() {
	m := amqp.Publishing{
		ContentType: "text/plain", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent, Priority: 3, CorrelationId: "c",
		ReplyTo: "r", Expiration: "3600000", MessageId: "m", Timestamp: time.Unix(1700000000, 0), Type: "t", UserId: "guest",
		AppId: "a", Body: []byte("all"),
		Headers: amqp.Table{"i": int64(-1), "l": []any{"x", nil}, "t": amqp.Table{"b": true}, "f": 1.5, "CC": []any{"order.copy"}},
	}
	s.say("confirms %s", s.put("b.topic", "order.1", m))
	s.say("confirms %s", s.put("b.topic", "order.2", amqp.Publishing{Body: []byte("transient")}))
	s.say("confirms %s", s.put("b.topic", "order.3", persistent("2", "3")...))
	s.say("confirms %s", s.put("b.topic", "both.4", persistent("both")...))
	s.say("confirms %s", s.put("b.topic", "nobody", persistent("rest")...))
	s.say("confirms %s", s.put("", "b.passing", persistent("in a transient queue")...))
	s.durable("b.late", toDead(amqp.Table{"x-message-ttl": int32(500)})) // it expires before or in the restart
	s.durable("b.dead", nil)
	s.say("confirms %s", s.put("", "b.late", persistent("late")...))
	s.durable("b.priority", amqp.Table{"x-max-priority": byte(5)})
	for _, p := range []uint8{1, 5, 1, 5} {
		s.put("", "b.priority", amqp.Publishing{Body: []byte{'0' + p}, DeliveryMode: amqp.Persistent, Priority: p})
	}
	s.durable("b.short", amqp.Table{"x-max-length": int32(2)})
	s.put("", "b.short", persistent("1", "2", "3")...)
}

// leaveDelivered leaves messages that were delivered, settled or not.
func (s *script) leaveDelivered() {
	s.durable("b.read", nil)
	s.put("", "b.read", persistent("acked", "requeued", "rejected", "unacked", "ready")...)
	s.do("settle", func(ch *amqp.Channel) error {
		for range 3 {
			d, _, err := ch.Get("b.read", false)
			if err != nil {
				return err
			}
			switch string(d.Body) {
			case "acked":
				d.Ack(false)
			case "requeued":
				defer d.Nack(false, true)
			case "rejected":
				d.Reject(false)
			}
		}
		return nil
	})
	s.do("purge", func(ch *amqp.Channel) error {
		s.durable("b.purged", nil)
		s.put("", "b.purged", persistent("1", "2")...)
		_, err := ch.QueuePurge("b.purged", false)
		return err
	})
	s.do("commit", func(ch *amqp.Channel) error {
		s.durable("b.tx", nil)
		if err := ch.Tx(); err != nil {
			return err
		}
		for _, m := range persistent("1", "2") {
			if err := ch.Publish("", "b.tx", false, false, m); err != nil {
				return err
			}
		}
		if err := ch.TxCommit(); err != nil {
			return err
		}
		return ch.Publish("", "b.tx", false, false, persistent("not committed")[0])
	})
}

// leaveLetters leaves messages that died, and one that was returned twice.
func (s *script) leaveLetters() {
	s.durable("b.dying", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.letters"})
	s.durable("b.letters", nil)
	s.put("", "b.dying", persistent("died")...)
	s.do("reject", func(ch *amqp.Channel) error {
		d, _, err := ch.Get("b.dying", false)
		if err == nil {
			err = d.Reject(false)
		}
		return err
	})
	s.settle("b.letters", 1)
	s.durable("b.quorum", amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": int32(5)})
	s.put("", "b.quorum", persistent("returned")...)
	for range 2 {
		s.do("return", func(ch *amqp.Channel) error {
			list := s.take(ch, "b.quorum", 1)
			return list[0].Nack(false, true)
		})
	}
}

func (s *script) leaveStream() {
	s.durable("b.s", amqp.Table{"x-queue-type": "stream"})
	s.put("", "b.s", persistent("0", "1", "2", "3")...)
	s.put("", "b.s", body("4")...) // whatever is in a stream is kept
}

// await waits until something is possible: RabbitMQ takes clients before its streams
// and quorum queues are there again.
func (s *script) await(what string, f func(*amqp.Channel) error) {
	var err error
	for range 6 * patience / (100 * time.Millisecond) {
		if err = s.with(f); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.must(what, err)
}

// foundAfterCrash is found for a broker that was killed. What RabbitMQ knows then of
// acks and deaths depends on when they came, so that is not asked.
func (s *script) foundAfterCrash() { s.foundAll(false) }

// found writes down what is there after a restart, and deletes it.
func (s *script) found() { s.foundAll(true) }

func (s *script) foundAll(settled bool) {
	s.await("b.s", func(ch *amqp.Channel) error {
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		_, err := ch.Consume("b.s", "", false, false, false, false, nil)
		return err
	})
	if settled {
		s.await("b.quorum", func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclarePassive("b.quorum", true, false, false, false, nil)
			if err == nil && q.Messages == 0 {
				err = errors.New("it is empty")
			}
			return err
		})
	}
	s.foundTopology()
	for _, q := range []struct {
		name    string
		n       int
		settled bool
	}{
		{"b.plain", 3, false}, {"b.rest", 2, false}, {"b.priority", 4, false}, {"b.short", 2, false}, {"b.tx", 2, false},
		{"b.dead", 1, true}, {"b.late", 0, true}, {"b.read", 3, true}, {"b.purged", 0, true}, {"b.dying", 0, true}, {"b.letters", 1, true}, {"b.quorum", 1, true},
	} {
		if settled || !q.settled {
			s.drain(q.name, q.n)
		}
		s.made = append(s.made, q.name)
	}
	s.do("read", func(ch *amqp.Channel) error {
		s.say("stream: %v", nextN(s.read(ch, "", 10, from("first")), 5))
		return nil
	})
	s.do("read", func(ch *amqp.Channel) error {
		s.say("confirms %s", s.put("", "b.s", persistent("5")...))
		s.say("stream from 3: %v", nextN(s.read(ch, "", 10, from(int64(3))), 3))
		return nil
	})
	s.foundRoutes()
	s.made = append(s.made, "b.s", "b.headers", "b.topic", "b.passing", "b.unused")
}

func (s *script) foundTopology() {
	for _, name := range []string{"b.plain", "b.headers", "b.unused", "b.passing", "b.mine", "b.deleted"} {
		s.counts(name)
	}
	for _, name := range []string{"b.topic", "b.rest", "b.headers", "b.passing", "b.unused"} {
		s.try("exchange "+name, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(name, "", false, false, false, false, nil)
		})
	}
	s.try("the same queue", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare("b.priority", true, false, false, false, amqp.Table{"x-max-priority": byte(5)})
		return err
	})
	s.try("another queue", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare("b.priority", true, false, false, false, amqp.Table{"x-max-priority": byte(4)})
		return err
	})
	s.try("the same exchange", func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare("b.topic", "topic", true, false, false, false, amqp.Table{"alternate-exchange": "b.rest"})
	})
	s.try("another exchange", func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare("b.topic", "topic", true, false, false, false, nil)
	})
}

// foundRoutes shows which bindings there are.
func (s *script) foundRoutes() {
	for _, key := range []string{"order.1", "gone.1", "both.1", "nobody"} {
		s.say("%s: %v", key, s.receivers("b.topic", key, persistent("x")[0], "b.plain", "b.rest"))
	}
	for _, n := range []int32{1, 2} {
		m := amqp.Publishing{Headers: amqp.Table{"n": n}}
		s.say("n=%d: %v", n, s.receivers("b.headers", "", m, "b.headers"))
	}
}
