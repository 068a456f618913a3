package main

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *script) publishing() {
	s.queue("b.q", nil)
	publish := func(what string, m amqp.Publishing) {
		s.try(what, func(ch *amqp.Channel) error { return ch.Publish("", "b.q", false, false, m) })
	}
	for _, e := range []string{"0", "1", "-1", "x", "", " 5", "5 ", "1.5", "4294967295", "4294967296", "99999999999", "007"} {
		publish(fmt.Sprintf("expiration %q", e), amqp.Publishing{Expiration: e})
	}
	s.with(func(ch *amqp.Channel) error { _, err := ch.QueuePurge("b.q", false); return err })
	publish("user_id of another", amqp.Publishing{UserId: "somebody"})
	publish("own user_id", amqp.Publishing{UserId: "guest"})
	for _, v := range []any{"b.q", []any{"b.q2", int32(1)}, []any{}, int32(1), nil, amqp.Table{}} {
		publish("CC "+shown(v), amqp.Publishing{Headers: amqp.Table{"CC": v}})
		publish("BCC "+shown(v), amqp.Publishing{Headers: amqp.Table{"BCC": v}})
	}
	s.with(func(ch *amqp.Channel) error { _, err := ch.QueuePurge("b.q", false); return err })
	s.queue("b.cc", nil)
	s.queue("b.bcc", nil)
	s.put("", "b.q", amqp.Publishing{Headers: amqp.Table{"CC": []any{"b.cc", "b.q"}, "BCC": []any{"b.bcc"}, "n": int32(1)}, Body: []byte("copies")})
	for _, name := range []string{"b.q", "b.cc", "b.bcc"} {
		s.drain(name, 1)
	}
	s.returns()
}

func (s *script) returns() {
	s.with(func(ch *amqp.Channel) error {
		returned := ch.NotifyReturn(make(chan amqp.Return, 10))
		ch.Confirm(false)
		confirmed := ch.NotifyPublish(make(chan amqp.Confirmation, 10))
		ch.Publish("amq.direct", "nobody", true, false, amqp.Publishing{Body: []byte("back"), Headers: amqp.Table{"CC": []any{"x"}}, Expiration: "5000"})
		r := <-returned
		s.say("returned %d %s exchange=%q key=%q %q %s expiration=%q", r.ReplyCode, r.ReplyText, r.Exchange, r.RoutingKey, r.Body, shown(r.Headers), r.Expiration)
		c := <-confirmed
		s.say("then confirmed %d %v", c.DeliveryTag, c.Ack)
		ch.Publish("amq.direct", "nobody", false, false, amqp.Publishing{})
		c = <-confirmed
		s.say("unroutable is confirmed %d %v", c.DeliveryTag, c.Ack)
		return nil
	})
}

func (s *script) consumers() {
	s.queue("b.q", nil)
	s.put("", "b.q", body("1", "2", "3", "4")...)
	s.settle("b.q", 4)
	consume := func(what, tag string, noAck, exclusive bool, args amqp.Table) {
		s.try(what+" "+shown(args), func(ch *amqp.Channel) error {
			ch.Qos(1, 0, false)
			_, err := ch.Consume("b.q", tag, noAck, exclusive, false, false, args)
			return err
		})
	}
	consume("consume", "", false, false, nil)
	for _, v := range []any{int32(5), int32(-5), int64(1), "x", 1.5, true, nil} {
		consume("priority", "", false, false, amqp.Table{"x-priority": v})
	}
	consume("exclusive", "", false, true, nil)
	s.try("the same tag twice", func(ch *amqp.Channel) error {
		if _, err := ch.Consume("b.q", "t", false, false, false, false, nil); err != nil {
			return err
		}
		_, err := ch.QueueDeclarePassive("b.q", false, false, false, false, nil)
		if err != nil {
			return err
		}
		m := ch // the client refuses a tag that it knows; another spelling of the same consumer
		_, err = m.Consume("b.q", "t2", false, true, false, false, nil)
		return err
	})
	s.try("beside an exclusive one", func(ch *amqp.Channel) error {
		if _, err := ch.Consume("b.q", "", false, true, false, false, nil); err != nil {
			return err
		}
		return s.with(func(ch *amqp.Channel) error {
			_, err := ch.Consume("b.q", "", false, false, false, false, nil)
			return err
		})
	})
	s.try("cancel of an unknown tag", func(ch *amqp.Channel) error { return ch.Cancel("nobody", false) })
	s.say("priorities of consumers")
	s.with(func(ch *amqp.Channel) error { _, err := ch.QueuePurge("b.q", false); return err })
	s.with(func(ch *amqp.Channel) error {
		ch.Qos(1, 0, false)
		low, _ := ch.Consume("b.q", "low", false, false, false, false, nil)
		high, _ := ch.Consume("b.q", "high", false, false, false, false, amqp.Table{"x-priority": int32(10)})
		s.put("", "b.q", body("1", "2", "3")...)
		s.say("  high: %s", next(high))
		s.say("  low: %s", next(low))
		s.say("  high: %s", next(high))
		ch.Ack(1, false)
		s.say("  high: %s", next(high))
		return nil
	})
	s.say("the queue goes")
	s.queue("b.gone", nil)
	s.with(func(ch *amqp.Channel) error {
		cancelled := ch.NotifyCancel(make(chan string, 1))
		c, _ := ch.Consume("b.gone", "tag", false, false, false, false, nil)
		s.with(func(ch *amqp.Channel) error { _, err := ch.QueueDelete("b.gone", false, false, false); return err })
		s.say("  cancelled %s, then %s", <-cancelled, next(c))
		return nil
	})
}

func (s *script) settling() {
	s.queue("b.q", nil)
	s.try("ack of what never was", func(ch *amqp.Channel) error { return ch.Ack(1, false) })
	s.try("ack of all, of nothing", func(ch *amqp.Channel) error { return ch.Ack(0, true) })
	s.try("ack of tag 0", func(ch *amqp.Channel) error { return ch.Ack(0, false) })
	s.try("nack of what never was", func(ch *amqp.Channel) error { return ch.Nack(5, true, true) })
	s.try("reject of what never was", func(ch *amqp.Channel) error { return ch.Reject(5, true) })
	s.put("", "b.q", body("1", "2", "3", "4", "5")...)
	s.settle("b.q", 5)
	s.try("ack twice", func(ch *amqp.Channel) error {
		d, _, _ := ch.Get("b.q", false)
		d.Ack(false)
		return d.Ack(false)
	})
	s.settle("b.q", 4)
	s.with(func(ch *amqp.Channel) error {
		for range 3 {
			ch.Get("b.q", false)
		}
		ch.Nack(2, true, true)
		ch.Reject(3, true)
		return nil
	})
	s.drain("b.q", 4)
	s.put("", "b.q", body("1", "2", "3")...)
	s.settle("b.q", 3)
	s.with(func(ch *amqp.Channel) error {
		ch.Qos(2, 0, false)
		c, _ := ch.Consume("b.q", "c", false, false, false, false, nil)
		s.say("first %s", next(c))
		s.say("second %s", next(c))
		s.say("third %s", next(c))
		ch.Reject(1, true)
		s.say("after a reject with requeue: %s", next(c))
		//lint:ignore SA1019 what it does is what is asked here
		ch.Recover(true)
		s.say("after recover: %s", next(c))
		s.say("and: %s", next(c))
		return nil
	})
	s.settle("b.q", 3)
	s.drain("b.q", 3)
}

func (s *script) modes() {
	s.queue("b.q", nil)
	s.try("tx after confirm", func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		return ch.Tx()
	})
	s.try("confirm after tx", func(ch *amqp.Channel) error {
		if err := ch.Tx(); err != nil {
			return err
		}
		return ch.Confirm(false)
	})
	s.try("commit without tx", func(ch *amqp.Channel) error { return ch.TxCommit() })
	s.try("rollback without tx", func(ch *amqp.Channel) error { return ch.TxRollback() })
	s.try("prefetch size", func(ch *amqp.Channel) error { return ch.Qos(0, 1, false) })
	s.try("a transaction", func(ch *amqp.Channel) error {
		if err := ch.Tx(); err != nil {
			return err
		}
		ch.Publish("", "b.q", false, false, amqp.Publishing{Body: []byte("held")})
		ch.Publish("b.nowhere", "", false, false, amqp.Publishing{})
		return ch.TxCommit()
	})
	s.drain("b.q", 0)
	s.try("a transaction that is rolled back", func(ch *amqp.Channel) error {
		if err := ch.Tx(); err != nil {
			return err
		}
		ch.Publish("", "b.q", false, false, amqp.Publishing{Body: []byte("not")})
		if err := ch.TxRollback(); err != nil {
			return err
		}
		ch.Publish("", "b.q", false, false, amqp.Publishing{Body: []byte("this")})
		return ch.TxCommit()
	})
	s.drain("b.q", 1)
}

const pseudoQueue = "amq.rabbitmq.reply-to"

func (s *script) replyTo() {
	consume := func(ch *amqp.Channel, noAck, exclusive bool) (<-chan amqp.Delivery, error) {
		return ch.Consume(pseudoQueue, "", noAck, exclusive, false, false, nil)
	}
	s.try("with acks", func(ch *amqp.Channel) error { _, err := consume(ch, false, false); return err })
	s.try("exclusive", func(ch *amqp.Channel) error { _, err := consume(ch, true, true); return err })
	s.try("twice", func(ch *amqp.Channel) error {
		if _, err := consume(ch, true, false); err != nil {
			return err
		}
		_, err := consume(ch, true, false)
		return err
	})
	s.try("publish without a reply consumer", func(ch *amqp.Channel) error {
		return ch.Publish("", "b.q", false, false, amqp.Publishing{ReplyTo: pseudoQueue})
	})
	s.try("an address that is none", func(ch *amqp.Channel) error {
		return ch.Publish("", pseudoQueue+".nobody", true, false, amqp.Publishing{})
	})
	s.queue("b.q", nil)
	s.with(func(ch *amqp.Channel) error {
		replies, err := consume(ch, true, false)
		if err != nil {
			return err
		}
		ch.Publish("", "b.q", false, false, amqp.Publishing{ReplyTo: pseudoQueue, CorrelationId: "7", Body: []byte("?")})
		s.settle("b.q", 1)
		d, _, _ := ch.Get("b.q", true)
		s.say("the request has reply_to %s", d.ReplyTo)
		ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: "7", Body: []byte("!")})
		r := <-replies
		s.say("the reply %s %q exchange=%q key=%s tag=%d redelivered=%v", r.CorrelationId, r.Body, r.Exchange, r.RoutingKey, r.DeliveryTag, r.Redelivered)
		return nil
	})
}

func (s *script) expiry() {
	s.queue("b.dead", nil)
	dead := amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.dead"}
	with := func(more amqp.Table) amqp.Table {
		for k, v := range dead {
			more[k] = v
		}
		return more
	}
	s.say("by the message")
	s.queue("b.q", with(amqp.Table{}))
	s.put("", "b.q", amqp.Publishing{Body: []byte("late"), Expiration: "50", Headers: amqp.Table{"h": "v"}})
	s.drain("b.dead", 1)
	s.say("by the queue")
	s.queue("b.ttl", with(amqp.Table{"x-message-ttl": int32(50)}))
	s.put("", "b.ttl", body("1", "2")...)
	s.drain("b.dead", 2)
	s.say("the smaller of both")
	s.put("", "b.ttl", amqp.Publishing{Body: []byte("x"), Expiration: "60000"})
	s.drain("b.dead", 1)
	s.say("only at the head")
	s.put("", "b.q", amqp.Publishing{Body: []byte("stays")}, amqp.Publishing{Body: []byte("behind"), Expiration: "10"})
	time.Sleep(100 * time.Millisecond)
	s.with(func(ch *amqp.Channel) error {
		q, _ := ch.QueueDeclarePassive("b.q", false, false, false, false, nil)
		s.say("  %d ready", q.Messages)
		d, _, _ := ch.Get("b.q", true)
		s.say("  got %s", d.Body)
		return nil
	})
	s.drain("b.dead", 1)
	s.say("at once, with nobody there")
	s.queue("b.now", with(amqp.Table{"x-message-ttl": int32(0)}))
	s.say("  confirms %s", s.put("", "b.now", body("now")...))
	s.drain("b.dead", 1)
	s.say("at once, with a consumer")
	s.with(func(ch *amqp.Channel) error {
		c, _ := ch.Consume("b.now", "", true, false, false, false, nil)
		s.put("", "b.now", body("in time")...)
		s.say("  %s", next(c))
		return nil
	})
	s.say("a requeued message keeps its time")
	s.queue("b.again", with(amqp.Table{"x-message-ttl": int32(200)}))
	s.put("", "b.again", body("again")...)
	s.with(func(ch *amqp.Channel) error {
		s.settle("b.again", 1)
		d, ok, _ := ch.Get("b.again", false)
		s.say("  got %v %s", ok, d.Body)
		time.Sleep(300 * time.Millisecond)
		return d.Nack(false, true)
	})
	s.drain("b.dead", 1)
	s.say("an unused queue")
	s.queue("b.expires", amqp.Table{"x-expires": int32(150)})
	time.Sleep(600 * time.Millisecond)
	s.try("  passive", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive("b.expires", false, false, false, false, nil)
		return err
	})
}
