package main

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// read starts a consumer of the stream b.s.
func (s *script) read(ch *amqp.Channel, tag string, prefetch int, args amqp.Table) <-chan amqp.Delivery {
	s.must("qos", ch.Qos(prefetch, 0, false))
	return s.consume(ch, "b.s", tag, args)
}

// from are the arguments of a consumer that begins there.
func from(place any) amqp.Table { return amqp.Table{"x-stream-offset": place} }

func (s *script) streamPlaces() {
	s.queue("b.s", stream(nil))
	reads := func(what string, args amqp.Table, n int) {
		s.do("read", func(ch *amqp.Channel) error {
			s.say("%s, %s: %v", what, shown(args), nextN(s.read(ch, "", 10, args), n))
			return nil
		})
	}
	for _, place := range []any{"first", "last", "next", int32(0), int32(2), "1h", time.Unix(1, 0)} {
		reads("empty", from(place), 0)
	}
	s.put("", "b.s", body("0", "1", "2", "3")...)
	second := time.Now().Truncate(time.Second).Add(time.Second)
	time.Sleep(time.Until(second.Add(20 * time.Millisecond)))
	s.put("", "b.s", body("4", "5")...)
	reads("full", nil, 0)
	for _, place := range []any{"first", "1h", int8(0), time.Unix(1, 0)} {
		reads("full", from(place), 6)
	}
	reads("full", from("last"), 1)
	reads("full", from("next"), 0)
	for _, place := range []any{byte(2), int16(2), uint16(2), int32(2), uint32(2), int64(2)} {
		reads("full", from(place), 4)
	}
	reads("full", from(int64(5)), 1)
	reads("full", from(second), 2)
	reads("full", from(int64(6)), 0)
	reads("full", from(second.Add(time.Hour)), 0)
	s.do("what comes later", func(ch *amqp.Channel) error {
		s.must("qos", ch.Qos(10, 0, false))
		later := map[string]<-chan amqp.Delivery{}
		for name, args := range map[string]amqp.Table{"none": nil, "next": from("next"), "6": from(int32(6)), "8": from(int32(8)), "in an hour": from(second.Add(time.Hour))} {
			later[name] = s.consume(ch, "b.s", name, args)
		}
		s.put("", "b.s", body("6", "7", "8", "9")...)
		for _, name := range sortedKeys(later) {
			n := 4
			if name == "8" {
				n = 2
			}
			s.say("later, from %s: %v", name, nextN(later[name], n))
		}
		return ch.Ack(0, true)
	})
}

// streamCredit is what readers get for what they settle.
func (s *script) streamCredit() {
	s.queue("b.s", stream(nil))
	s.put("", "b.s", body("0", "1", "2", "3", "4", "5", "6", "7")...)
	s.do("acks", func(ch *amqp.Channel) error {
		c := s.read(ch, "t", 2, from("first"))
		for range 2 {
			s.say("  %s", next(c))
		}
		s.say("  the limit: %s", none(c))
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		s.say("  one: %s", next(c))
		s.say("  %s", none(c))
		if err := ch.Ack(3, true); err != nil {
			return err
		}
		s.say("  many: %v", nextN(c, 2))
		if err := ch.Ack(0, true); err != nil {
			return err
		}
		s.say("  all: %v", nextN(c, 2))
		if err := ch.Cancel("t", false); err != nil {
			return err
		}
		if err := ch.Ack(0, true); err != nil {
			return err
		}
		s.say("  cancelled: %s", none(c))
		c = s.read(ch, "t", 2, from(int32(5)))
		s.say("  again: %v", nextN(c, 2))
		return nil
	})
	s.do("nothing was taken away", func(ch *amqp.Channel) error {
		c := s.read(ch, "t", 10, from("first"))
		s.say("  another time: %v", nextN(c, 8))
		return nil
	})
	s.say("out of order")
	s.do("acks", func(ch *amqp.Channel) error {
		c := s.read(ch, "t", 3, from("first"))
		s.say("  %v", nextN(c, 3))
		for _, tag := range []uint64{3, 1, 2} {
			if err := ch.Ack(tag, false); err != nil {
				return err
			}
			s.say("  ack %d: %v", tag, nextN(c, 1))
		}
		return nil
	})
	s.say("many readers of one channel, and another channel")
	s.do("read", func(ch *amqp.Channel) error {
		a, b := s.read(ch, "a", 3, from("first")), s.read(ch, "b", 5, from(int32(2)))
		other := s.channel()
		defer other.Close()
		c := s.read(other, "a", 10, from("last"))
		s.say("  a: %v", nextN(a, 3))
		s.say("  b: %v", nextN(b, 5))
		s.say("  c: %v", nextN(c, 1))
		if err := ch.Ack(0, true); err != nil {
			return err
		}
		s.say("  a: %v", nextN(a, 3))
		s.say("  b: %v", nextN(b, 1))
		return nil
	})
	s.do("the limit of a channel", func(ch *amqp.Channel) error {
		if err := ch.Qos(3, 0, true); err != nil {
			return err
		}
		s.say("  shared: %v", nextN(s.read(ch, "", 10, from("first")), 3))
		return nil
	})
	s.returnedToStream()
}

// returnedToStream are deliveries that are not acked.
func (s *script) returnedToStream() {
	returns := func(what string, f func(ch *amqp.Channel) error) {
		s.try(what, func(ch *amqp.Channel) error {
			c := s.read(ch, "", 2, from("first"))
			s.say("  %v", nextN(c, 2))
			if err := f(ch); err != nil {
				return err
			}
			s.say("  then %s", next(c))
			return nil
		})
	}
	for _, requeue := range []bool{false, true} {
		returns(fmt.Sprintf("nack, requeue=%v", requeue), func(ch *amqp.Channel) error { return ch.Nack(1, false, requeue) })
		returns(fmt.Sprintf("nack of all, requeue=%v", requeue), func(ch *amqp.Channel) error { return ch.Nack(0, true, requeue) })
		returns(fmt.Sprintf("reject, requeue=%v", requeue), func(ch *amqp.Channel) error { return ch.Reject(1, requeue) })
	}
	//lint:ignore SA1019 what it does is what is asked here
	returns("recover", func(ch *amqp.Channel) error { return ch.Recover(true) })
	s.do("the channel closes", func(ch *amqp.Channel) error {
		s.with(func(ch *amqp.Channel) error {
			s.say("unsettled: %v", nextN(s.read(ch, "", 2, from("first")), 2))
			return nil
		})
		s.say("the next one: %s", next(s.read(ch, "", 2, from("first"))))
		return nil
	})
	s.try("ack twice", func(ch *amqp.Channel) error {
		next(s.read(ch, "", 2, from("first")))
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		return ch.Ack(1, false)
	})
}

// streamPublishing is what becomes of messages in a stream.
func (s *script) streamPublishing() {
	s.queue("b.s", stream(nil))
	s.exchange("b.x", "topic", nil)
	s.bind("b.s", "k.*", "b.x", nil)
	s.say("confirms: %s", s.put("", "b.s",
		amqp.Publishing{Body: []byte("plain")},
		amqp.Publishing{Body: []byte("properties"), ContentType: "a/b", DeliveryMode: 2, Priority: 3, CorrelationId: "c", ReplyTo: "r", MessageId: "m", Type: "t", AppId: "a", UserId: "guest", Timestamp: time.Unix(1, 0)},
		amqp.Publishing{Body: []byte("headers"), Headers: amqp.Table{"a": "b", "x-stream-offset": "mine"}},
		amqp.Publishing{Body: []byte("does not expire"), Expiration: "1"},
		amqp.Publishing{Body: []byte("list"), Headers: amqp.Table{"l": []any{int32(1)}, "t": amqp.Table{"k": "v"}}},
		amqp.Publishing{Body: nil, Headers: amqp.Table{"empty": true}},
		amqp.Publishing{Body: []byte("transient"), DeliveryMode: 1},
	))
	s.say("by an exchange: %s", s.put("b.x", "k.1", amqp.Publishing{Body: []byte("exchange"), Headers: amqp.Table{"BCC": []any{"k.2", "b.s"}}}))
	s.say("mandatory")
	s.returned("", "b.s", true, false, amqp.Publishing{Body: []byte("mandatory")})
	s.do("transaction", func(ch *amqp.Channel) error {
		if err := ch.Tx(); err != nil {
			return err
		}
		s.publish(ch, "", "b.s", "rolled back")
		if err := ch.TxRollback(); err != nil {
			return err
		}
		s.publish(ch, "", "b.s", "committed")
		return ch.TxCommit()
	})
	s.do("read", func(ch *amqp.Channel) error {
		c := s.read(ch, "", 50, from("first"))
		for range 10 {
			select {
			case d := <-c:
				s.say("  %q exchange=%q key=%q redelivered=%v expiration=%q mode=%d priority=%d %s %s %s %s %s %s %s %v %s", d.Body, d.Exchange, d.RoutingKey, d.Redelivered, d.Expiration,
					d.DeliveryMode, d.Priority, d.ContentType, d.CorrelationId, d.ReplyTo, d.MessageId, d.Type, d.AppId, d.UserId, d.Timestamp.Unix(), shown(d.Headers))
			case <-time.After(patience):
				s.say("  nothing")
			}
		}
		s.say("  %s", none(c))
		return nil
	})
	s.do("acks in a transaction", func(ch *amqp.Channel) error {
		if err := ch.Tx(); err != nil {
			return err
		}
		c := s.read(ch, "", 1, from("first"))
		s.say("  %s", next(c))
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		s.say("  acked: %s", none(c))
		if err := ch.TxRollback(); err != nil {
			return err
		}
		s.say("  rolled back: %s", none(c))
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		if err := ch.TxCommit(); err != nil {
			return err
		}
		s.say("  committed: %s", next(c))
		return nil
	})
}

// streamEnds are what a stream tells of itself, and how it goes.
func (s *script) streamEnds() {
	s.queue("b.s", stream(nil))
	s.put("", "b.s", body("0", "1", "2")...)
	s.countsOfStream("b.s", 3)
	s.do("read", func(ch *amqp.Channel) error {
		c := s.read(ch, "t", 10, from("first"))
		s.say("%v", nextN(c, 3))
		s.countsOfStream("b.s", 3)
		s.say("it is deleted")
		cancelled := ch.NotifyCancel(make(chan string, 1))
		s.delete("b.s")
		select {
		case tag := <-cancelled:
			s.say("  cancelled %s", tag)
		case <-time.After(patience):
			s.say("  not cancelled")
		}
		s.say("  then %s", next(c))
		return ch.Ack(0, true)
	})
	s.goneQueue("b.s")
	s.queue("b.s", stream(nil))
	s.put("", "b.s", body("0", "1", "2")...)
	s.do("read", func(ch *amqp.Channel) error {
		s.say("a new one: %v", nextN(s.read(ch, "", 10, from("first")), 3))
		return nil
	})
	deletes := func(what string, ifUnused, ifEmpty bool) {
		s.try(what, func(ch *amqp.Channel) error {
			n, err := ch.QueueDelete("b.s", ifUnused, ifEmpty, false)
			s.say("  deleted %d", n)
			return err
		})
		s.queue("b.s", stream(nil))
	}
	deletes("delete", false, false)
	deletes("delete if empty and unused, which it is", true, true)
	s.put("", "b.s", body("0")...)
	deletes("delete if empty", false, true)
	s.do("read", func(ch *amqp.Channel) error {
		s.read(ch, "", 10, nil)
		deletes("delete if unused", true, false)
		return nil
	})
}
