package main

import (
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/warrenmq/warren/internal/wire"
)

func (s *script) consumers() {
	s.queue("b.q", nil)
	consume := func(what, tag string, noAck, exclusive bool, args amqp.Table) {
		s.try(what+" "+shown(args), func(ch *amqp.Channel) error {
			_, err := ch.Consume("b.q", tag, noAck, exclusive, false, false, args)
			return err
		})
	}
	consume("consume", "", false, false, nil)
	consume("consume", "t", true, false, amqp.Table{"unknown": int32(1)})
	for _, v := range odd {
		consume("priority", "", false, false, amqp.Table{"x-priority": v})
	}
	consume("exclusive", "", false, true, nil)
	consume("exclusive with a priority", "", false, true, amqp.Table{"x-priority": int32(1)})
	for _, c := range []struct {
		what          string
		first, second bool // exclusive
	}{{"beside an exclusive one", true, false}, {"exclusive beside another", false, true}, {"two exclusive ones", true, true}} {
		s.do(c.what, func(ch *amqp.Channel) error {
			if _, err := ch.Consume("b.q", "", false, c.first, false, false, nil); err != nil {
				return err
			}
			consume(c.what, "", false, c.second, nil)
			return nil
		})
	}
	s.do("exclusive after another has gone", func(ch *amqp.Channel) error {
		s.consume(ch, "b.q", "t", nil)
		if err := ch.Cancel("t", false); err != nil {
			return err
		}
		consume("exclusive after another has gone", "", false, true, nil)
		return nil
	})
	s.try("cancel of an unknown tag", func(ch *amqp.Channel) error { return ch.Cancel("nobody", false) })
	s.try("one tag on two channels", func(ch *amqp.Channel) error {
		s.consume(ch, "b.q", "t", nil)
		return s.with(func(ch *amqp.Channel) error { s.consume(ch, "b.q", "t", nil); return nil })
	})

	s.say("on the wire")
	p := s.open()
	t := &wire.BasicConsume{Queue: []byte("b.q"), ConsumerTag: []byte("t")}
	p.send(1, &wire.BasicConsume{Queue: []byte("b.q"), NoLocal: true})
	s.say("  %s", p.read(wire.BasicConsumeOkID))
	p.send(1, t)
	s.say("  %s", p.read(wire.BasicConsumeOkID))
	p.send(1, &wire.BasicCancel{ConsumerTag: []byte("t")})
	s.say("  %s", p.read(wire.BasicCancelOkID))
	p.send(1, t)
	s.say("  %s", p.read(wire.BasicConsumeOkID))
	p.send(1, t)
	s.say("  the same tag: %s", p.read(wire.BasicConsumeOkID))
	p.close()
	s.goneConsumers("b.q")
	s.put("", "b.q", body("1", "2")...)
	p = s.open()
	p.send(1, t)
	s.say("  consume-ok is first: %s", p.read(wire.BasicDeliverID))
	s.say("  %s", p.read(wire.BasicDeliverID))
	p.send(1, &wire.BasicQos{})
	s.say("  %s", p.read(wire.BasicQosOkID))
	p.close()
	s.goneConsumers("b.q")
	s.settle("b.q", 2)
	s.drain("b.q", 2)
	s.turns()
}

// goneConsumers waits until a queue has no consumer.
func (s *script) goneConsumers(queue string) {
	s.gone("consumers", func(ch *amqp.Channel) error {
		q, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil)
		if err == nil && q.Consumers == 0 {
			err = fmt.Errorf("none of %s", queue)
		}
		return err
	})
}

// turns are taken by consumers that are equal.
func (s *script) turns() {
	s.say("consumers take turns")
	s.do("consume", func(ch *amqp.Channel) error {
		var all []<-chan amqp.Delivery
		for i := range 3 {
			all = append(all, s.consume(ch, "b.q", fmt.Sprint(i), nil))
		}
		s.put("", "b.q", body("1", "2", "3", "4", "5", "6")...)
		for i, c := range all {
			s.say("  %d: %v", i, nextN(c, 2))
		}
		return ch.Ack(0, true)
	})
	s.say("one that is busy is left out")
	s.do("consume", func(ch *amqp.Channel) error {
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		a, b := s.consume(ch, "b.q", "a", nil), s.consume(ch, "b.q", "b", nil)
		s.put("", "b.q", body("1", "2", "3", "4")...)
		s.say("  a: %s, b: %s", next(a), next(b))
		for tag := uint64(2); tag <= 3; tag++ {
			if err := ch.Ack(tag, false); err != nil {
				return err
			}
			s.say("  b: %s", next(b))
		}
		s.say("  a: %s", none(a))
		return ch.Ack(0, true)
	})
}

func (s *script) consumerPriorities() {
	s.queue("b.q", nil)
	s.do("consume", func(ch *amqp.Channel) error {
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		low := s.consume(ch, "b.q", "low", amqp.Table{"x-priority": int32(-5)})
		high := s.consume(ch, "b.q", "high", amqp.Table{"x-priority": int64(10)})
		normal := s.consume(ch, "b.q", "normal", nil)
		s.put("", "b.q", body("1", "2", "3", "4", "5")...)
		s.say("high: %s", next(high))
		s.say("normal: %s", next(normal))
		s.say("low: %s", next(low))
		s.say("high: %s", none(high))
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		s.say("high: %s", next(high))
		if err := ch.Ack(3, false); err != nil {
			return err
		}
		s.say("low: %s", next(low))
		if err := ch.Cancel("high", false); err != nil {
			return err
		}
		s.put("", "b.q", body("6")...)
		if err := ch.Ack(2, false); err != nil {
			return err
		}
		s.say("normal, when high has gone: %s", next(normal))
		return ch.Ack(0, true)
	})
	s.do("consume", func(ch *amqp.Channel) error {
		s.say("equal priorities take turns")
		args := amqp.Table{"x-priority": byte(3)}
		a, b := s.consume(ch, "b.q", "a", args), s.consume(ch, "b.q", "b", args)
		low := s.consume(ch, "b.q", "low", nil)
		s.put("", "b.q", body("1", "2", "3", "4")...)
		s.say("  %v %v %v", nextN(a, 2), nextN(b, 2), nextN(low, 0))
		return ch.Ack(0, true)
	})
}

func (s *script) cancels() {
	s.queue("b.q", nil)
	s.do("consume", func(ch *amqp.Channel) error {
		s.say("a cancelled consumer's deliveries can be settled")
		s.put("", "b.q", body("1", "2", "3")...)
		if err := ch.Qos(2, 0, false); err != nil {
			return err
		}
		c := s.consume(ch, "b.q", "t", nil)
		s.say("  %s", next(c))
		s.say("  %s", next(c))
		if err := ch.Cancel("t", false); err != nil {
			return err
		}
		s.say("  then %s", next(c))
		s.counts("b.q")
		if err := ch.Ack(1, false); err != nil {
			return err
		}
		return ch.Nack(2, false, true)
	})
	s.drain("b.q", 2)
	s.say("the queue is deleted")
	s.queue("b.gone", nil)
	s.do("consume", func(ch *amqp.Channel) error {
		cancelled := ch.NotifyCancel(make(chan string, 1))
		c := s.consume(ch, "b.gone", "tag", nil)
		s.delete("b.gone")
		s.say("  cancelled %s, then %s", <-cancelled, next(c))
		return nil
	})
	for _, capability := range []string{"consumer_cancel_notify", "basic.nack"} {
		s.queue("b.gone", nil)
		p := s.open(capability)
		p.send(1, &wire.BasicConsume{Queue: []byte("b.gone"), ConsumerTag: []byte("a")}, &wire.BasicConsume{Queue: []byte("b.gone"), ConsumerTag: []byte("b")})
		p.read(wire.BasicConsumeOkID)
		p.read(wire.BasicConsumeOkID)
		s.delete("b.gone")
		s.goneQueue("b.gone")
		if capability == "consumer_cancel_notify" {
			first, second := p.read(wire.BasicCancelID), p.read(wire.BasicCancelID)
			s.say("  told: %s, %s", min(first, second), max(first, second))
		}
		p.send(1, &wire.BasicQos{})
		s.say("  with %s: %s", capability, p.read(wire.BasicQosOkID))
		p.close()
	}
	s.say("deliveries that need no ack")
	s.queue("b.no.ack", nil)
	s.put("", "b.no.ack", body("1", "2")...)
	s.try("ack of one", func(ch *amqp.Channel) error {
		c, err := ch.Consume("b.no.ack", "", true, false, false, false, nil)
		if err != nil {
			return err
		}
		s.say("  %s", next(c))
		s.say("  %s", next(c))
		return ch.Ack(2, false)
	})
	s.drain("b.no.ack", 0)
}

func (s *script) get() {
	s.queue("b.q", nil)
	p := s.open()
	get := &wire.BasicGet{Queue: []byte("b.q")}
	p.send(1, get)
	s.say("nothing: %s", p.read(wire.BasicGetEmptyID))
	s.put("", "b.q", body("1", "2", "3")...)
	p.send(1, get, &wire.BasicQos{})
	s.say("one: %s", p.read(wire.BasicQosOkID))
	p.send(1, &wire.BasicGet{Queue: []byte("b.q"), NoAck: true}, &wire.BasicQos{})
	s.say("without ack: %s", p.read(wire.BasicQosOkID))
	p.send(1, &wire.BasicNack{DeliveryTag: 1, Requeue: true}, get, get, get)
	s.say("requeued: %s", p.read(wire.BasicGetEmptyID))
	p.send(1, &wire.BasicConsume{Queue: []byte("b.q"), ConsumerTag: []byte("t")})
	p.read(wire.BasicConsumeOkID)
	p.send(1, &wire.BasicRecover{Requeue: true})
	p.read(wire.BasicRecoverOkID)
	first, second := p.read(wire.BasicDeliverID), p.read(wire.BasicDeliverID)
	p.send(1, &wire.BasicQos{})
	s.say("tags go on with a consumer: %s, %s, %s", first, second, p.read(wire.BasicQosOkID))
	p.close()
	s.goneConsumers("b.q")
	s.do("consume", func(ch *amqp.Channel) error {
		s.purge("b.q")
		_, err := ch.Consume("b.q", "", false, true, false, false, nil)
		s.try("beside an exclusive consumer", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.q", true); return err })
		return err
	})
	s.queue("b.single", amqp.Table{"x-single-active-consumer": true})
	s.put("", "b.single", body("1")...)
	s.try("of a queue with a single active consumer", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.single", true); return err })
}
