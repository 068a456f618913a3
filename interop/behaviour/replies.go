package main

import (
	amqp "github.com/rabbitmq/amqp091-go"
)

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
	s.try("again after a cancel", func(ch *amqp.Channel) error {
		if _, err := ch.Consume(pseudoQueue, "t", true, false, false, false, nil); err != nil {
			return err
		}
		if err := ch.Cancel("t", false); err != nil {
			return err
		}
		_, err := consume(ch, true, false)
		return err
	})
	s.try("publish without a reply consumer", func(ch *amqp.Channel) error {
		return ch.Publish("", "b.q", false, false, amqp.Publishing{ReplyTo: pseudoQueue})
	})
	s.try("publish to an address that is none", func(ch *amqp.Channel) error {
		return ch.Publish("", pseudoQueue+".nobody", false, false, amqp.Publishing{})
	})
	s.try("declare an address that is none", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(pseudoQueue+".nobody", false, false, false, false, nil)
		return err
	})
	s.queue("b.q", nil)
	s.queue("b.dead", nil)
	s.queue("b.work", amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "b.dead"})
	var address string
	s.do("call", func(ch *amqp.Channel) error {
		replies, err := consume(ch, true, false)
		if err != nil {
			return err
		}
		request := amqp.Publishing{ReplyTo: pseudoQueue, CorrelationId: "7", Body: []byte("?")}
		if err := ch.Publish("", "b.q", false, false, request); err != nil {
			return err
		}
		d := s.take(ch, "b.q", 1)[0]
		address = d.ReplyTo
		s.say("the request has reply_to %s", address)
		s.do("reply", func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclarePassive(address, false, false, false, false, nil)
			s.say("its address is declared: %d messages, %d consumers", q.Messages, q.Consumers)
			if err != nil {
				return err
			}
			return ch.Publish("", address, true, false, amqp.Publishing{CorrelationId: "7", Body: []byte("!")})
		})
		r := <-replies
		s.say("the reply %s %q exchange=%q key=%s redelivered=%v", r.CorrelationId, r.Body, r.Exchange, r.RoutingKey, r.Redelivered)
		if err := ch.Publish("", "b.work", false, false, request); err != nil {
			return err
		}
		if err := s.take(ch, "b.work", 1)[0].Reject(false); err != nil {
			return err
		}
		d = s.take(ch, "b.dead", 1)[0]
		s.say("after a dead letter the same address: %v", d.ReplyTo == address)
		return ch.Publish("", d.ReplyTo, false, false, amqp.Publishing{})
	})
	s.try("declare an address that was", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(address, false, false, false, false, nil)
		return err
	})
	s.say("a reply that nobody waits for")
	s.returned("", address, false, false, amqp.Publishing{})
}
