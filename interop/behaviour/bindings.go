package main

import (
	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *script) bindings() {
	s.queue("b.q", nil)
	s.exchange("b.x", "topic", nil)
	s.exchange("b.h", "headers", nil)
	bind := func(what, queue, key, exchange string, args amqp.Table) {
		s.try(what+" "+shown(args), func(ch *amqp.Channel) error { return ch.QueueBind(queue, key, exchange, false, args) })
	}
	bind("bind", "b.q", "k", "b.x", nil)
	bind("bind again", "b.q", "k", "b.x", nil)
	bind("with arguments", "b.q", "k", "b.x", amqp.Table{"a": int32(1)})
	bind("another key", "b.q", "#", "b.x", nil)
	s.say("one copy: %v", s.receivers("b.x", "k", amqp.Publishing{}, "b.q"))
	bind("no such queue", "b.nowhere", "k", "b.x", nil)
	bind("no such exchange", "b.q", "k", "b.nowhere", nil)
	bind("neither", "b.nowhere", "k", "b.nowhere2", nil)
	bind("the default exchange", "b.q", "k", "", nil)
	bind("a predeclared exchange", "b.q", "k", "amq.direct", nil)
	for _, v := range append([]any{"all", "any", "all-with-x", "any-with-x", "none", "ALL"}, odd...) {
		bind("headers", "b.q", "", "b.h", amqp.Table{"x-match": v, "a": "b"})
	}
	unbind := func(what, queue, key, exchange string, args amqp.Table) {
		s.try(what, func(ch *amqp.Channel) error { return ch.QueueUnbind(queue, key, exchange, args) })
	}
	unbind("unbind with other arguments", "b.q", "#", "b.x", amqp.Table{"a": int32(1)})
	s.say("still bound: %v", s.receivers("b.x", "elsewhere", amqp.Publishing{}, "b.q"))
	unbind("unbind", "b.q", "#", "b.x", nil)
	s.say("not any more: %v", s.receivers("b.x", "elsewhere", amqp.Publishing{}, "b.q"))
	unbind("unbind one of two", "b.q", "k", "b.x", nil)
	s.say("the one with arguments: %v", s.receivers("b.x", "k", amqp.Publishing{}, "b.q"))
	unbind("unbind again", "b.q", "k", "b.x", nil)
	unbind("unbind no such queue", "b.nowhere", "k", "b.x", nil)
	unbind("unbind no such exchange", "b.q", "k", "b.nowhere", nil)
	unbind("unbind from the default exchange", "b.q", "k", "", nil)
}

func (s *script) exchangeBindings() {
	for _, name := range []string{"b.x", "b.y", "b.z"} {
		s.exchange(name, "fanout", nil)
	}
	for _, c := range [][2]string{
		{"b.x", "b.y"}, {"b.y", "b.x"}, {"b.nowhere", "b.x"}, {"b.x", "b.nowhere"}, {"b.nowhere", "b.nowhere2"}, {"", "b.x"}, {"b.x", ""},
		{"", ""}, {"b.x", "b.x"}, {"amq.topic", "b.x"},
	} {
		s.try("bind "+c[0]+" to "+c[1], func(ch *amqp.Channel) error { return ch.ExchangeBind(c[0], "k", c[1], false, nil) })
	}
	for _, c := range [][2]string{
		{"b.x", "b.y"}, {"b.x", "b.y"}, {"b.y", "b.x"}, {"b.nowhere", "b.x"}, {"b.x", "b.nowhere"}, {"", "b.x"}, {"b.x", ""}, {"b.x", "b.x"},
		{"amq.topic", "b.x"},
	} {
		s.try("unbind "+c[0]+" from "+c[1], func(ch *amqp.Channel) error { return ch.ExchangeUnbind(c[0], "k", c[1], false, nil) })
	}
	s.say("a ring gives one copy")
	s.queue("b.q", nil)
	s.queue("b.p", nil)
	s.bindExchange("b.y", "", "b.x", nil)
	s.bindExchange("b.z", "", "b.y", nil)
	s.bindExchange("b.x", "", "b.z", nil)
	s.bindExchange("b.x", "", "b.x", nil)
	s.bind("b.q", "", "b.z", nil)
	s.bind("b.q", "", "b.y", nil)
	s.put("b.y", "k", body("once")...)
	s.drain("b.q", 1)

	s.say("each exchange matches in its own way")
	s.exchange("b.t", "topic", nil)
	s.exchange("b.d", "direct", nil)
	s.exchange("b.h", "headers", nil)
	s.bindExchange("b.d", "order.#", "b.t", nil)
	s.bindExchange("b.h", "#", "b.t", nil)
	s.bind("b.q", "order.paid", "b.d", nil)
	s.bind("b.p", "", "b.h", amqp.Table{"x-match": "all", "a": "b"})
	for _, key := range []string{"order.paid", "order.made", "paid"} {
		s.say("  %s: %v", key, s.receivers("b.t", key, amqp.Publishing{}, "b.q", "b.p"))
		s.say("  %s with a header: %v", key, s.receivers("b.t", key, amqp.Publishing{Headers: amqp.Table{"a": "b"}}, "b.q", "b.p"))
	}
	s.say("an internal exchange passes on")
	s.made = append(s.made, "b.internal")
	s.do("declare", func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare("b.internal", "fanout", false, false, true, false, nil)
	})
	s.bindExchange("b.internal", "inside", "b.t", nil)
	s.bind("b.q", "", "b.internal", nil)
	s.put("b.t", "inside", body("through")...)
	s.drain("b.q", 1)
	s.say("the source goes")
	s.do("delete", func(ch *amqp.Channel) error { return ch.ExchangeDelete("b.t", false, false) })
	s.exchange("b.t", "topic", nil)
	s.say("  %v", s.receivers("b.t", "inside", amqp.Publishing{}, "b.q", "b.p"))
}
