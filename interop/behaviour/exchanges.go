package main

import (
	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *script) exchanges() {
	declare := func(name, kind string, durable, autoDelete, internal bool, args amqp.Table) {
		s.made = append(s.made, name)
		s.try("declare "+name+" "+kind+" "+shown(args), func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare(name, kind, durable, autoDelete, internal, false, args)
		})
	}
	declare("b.x", "direct", false, false, false, nil)
	declare("b.x", "direct", false, false, false, nil)
	declare("b.x", "fanout", false, false, false, nil)
	declare("b.x", "direct", true, false, false, nil)
	declare("b.x", "direct", false, true, false, nil)
	declare("b.x", "direct", false, false, true, nil)
	declare("b.x", "fanout", true, true, true, nil)
	declare("b.x", "direct", false, false, false, amqp.Table{"alternate-exchange": "amq.fanout"})
	declare("b.x", "direct", false, false, false, amqp.Table{"other": "x"})
	declare("b.ae", "direct", false, false, false, amqp.Table{"alternate-exchange": "amq.fanout"})
	declare("b.ae", "direct", false, false, false, nil)
	declare("b.ae", "direct", false, false, false, amqp.Table{"alternate-exchange": "amq.topic"})
	declare("b.ae", "direct", false, false, false, amqp.Table{"alternate-exchange": "amq.fanout", "other": "x"})
	for _, v := range odd {
		if _, ok := v.(string); !ok {
			declare("b.odd", "direct", false, false, false, amqp.Table{"alternate-exchange": v})
		}
	}
	declare("b.kind", "nothing", false, false, false, nil)
	declare("b.kind", "", false, false, false, nil)
	declare("b.kind", "Direct", false, false, false, nil)
	declare("b.häuschen", "topic", false, false, false, nil)
	declare("b.\r\nline", "topic", false, false, false, nil)
	declare("amq.mine", "direct", false, false, false, nil)
	declare("amq.direct", "direct", true, false, false, nil)
	declare("amq.direct", "fanout", true, false, false, nil)
	declare("amq.direct", "direct", false, false, false, nil)
	declare("", "direct", true, false, false, nil)
	for _, name := range []string{
		"b.x", "b.nowhere", "amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match", "amq.rabbitmq.trace", "",
	} {
		s.try("passive "+name, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(name, "headers", true, true, false, false, nil)
		})
	}
	for _, name := range []string{"b.nowhere", "amq.direct", "amq.match", ""} {
		s.try("delete "+name, func(ch *amqp.Channel) error { return ch.ExchangeDelete(name, false, false) })
		s.try("delete if unused "+name, func(ch *amqp.Channel) error { return ch.ExchangeDelete(name, true, false) })
	}
	declare("b.internal", "direct", false, false, true, nil)
	s.try("publish to an internal exchange", func(ch *amqp.Channel) error { return ch.Publish("b.internal", "", false, false, amqp.Publishing{}) })
	s.try("publish to none", func(ch *amqp.Channel) error { return ch.Publish("b.nowhere", "", false, false, amqp.Publishing{}) })

	s.queue("b.q", nil)
	s.bind("b.q", "k", "b.x", nil)
	ifUnused := func(what, name string) {
		s.try("delete if unused, "+what, func(ch *amqp.Channel) error { return ch.ExchangeDelete(name, true, false) })
	}
	ifUnused("with a binding", "b.x")
	s.exchange("b.y", "fanout", nil)
	s.bindExchange("b.y", "k", "b.x", nil)
	ifUnused("bound to another", "b.y")
	s.do("unbind", func(ch *amqp.Channel) error { return ch.QueueUnbind("b.q", "k", "b.x", nil) })
	ifUnused("whose destination has gone", "b.x")
	s.exchange("b.x", "direct", nil)
	s.bind("b.q", "k", "b.x", nil)
	s.try("delete with a binding", func(ch *amqp.Channel) error { return ch.ExchangeDelete("b.x", false, false) })
	s.exchange("b.x", "direct", nil)
	s.say("bindings go with it: %v", s.receivers("b.x", "k", amqp.Publishing{}, "b.q"))
	s.exchange("b.other", "direct", amqp.Table{"alternate-exchange": "b.x"})
	ifUnused("the alternate of another", "b.x")
}

func (s *script) autoDeleteExchanges() {
	s.queue("b.q", nil)
	s.exchange("b.x", "fanout", nil)
	declare := func() {
		s.made = append(s.made, "b.auto")
		s.do("declare", func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("b.auto", "direct", false, true, false, false, nil)
		})
	}
	passive := func(ch *amqp.Channel) error {
		return ch.ExchangeDeclarePassive("b.auto", "direct", false, false, false, false, nil)
	}
	declare()
	s.try("never bound", passive)
	s.bindExchange("b.auto", "", "b.x", nil)
	s.do("unbind", func(ch *amqp.Channel) error { return ch.ExchangeUnbind("b.auto", "", "b.x", false, nil) })
	s.try("was a destination only", passive)
	s.bind("b.q", "1", "b.auto", nil)
	s.bind("b.q", "2", "b.auto", nil)
	s.do("unbind", func(ch *amqp.Channel) error { return ch.QueueUnbind("b.q", "1", "b.auto", nil) })
	s.try("one binding is left", passive)
	s.do("unbind", func(ch *amqp.Channel) error { return ch.QueueUnbind("b.q", "2", "b.auto", nil) })
	s.try("none is left", passive)
	declare()
	s.bind("b.q", "1", "b.auto", nil)
	s.delete("b.q")
	s.try("the queue has gone", passive)
	declare()
	s.bindExchange("b.x", "1", "b.auto", nil)
	s.do("delete", func(ch *amqp.Channel) error { return ch.ExchangeDelete("b.x", false, false) })
	s.try("the exchange that it is bound to has gone", passive)
}

func (s *script) alternates() {
	for _, name := range []string{"b.q", "b.rest", "b.last"} {
		s.queue(name, nil)
	}
	s.exchange("b.second", "fanout", nil)
	s.exchange("b.first", "direct", amqp.Table{"alternate-exchange": "b.second"})
	s.exchange("b.x", "direct", amqp.Table{"alternate-exchange": "b.first"})
	s.bind("b.q", "k", "b.x", nil)
	s.bind("b.rest", "rest", "b.first", nil)
	s.bind("b.last", "", "b.second", nil)
	routes := func(what, exchange, key string, m amqp.Publishing) {
		s.say("%s: %v", what, s.receivers(exchange, key, m, "b.q", "b.rest", "b.last"))
	}
	routes("routed", "b.x", "k", amqp.Publishing{})
	routes("to the alternate", "b.x", "rest", amqp.Publishing{})
	routes("to its alternate", "b.x", "nobody", amqp.Publishing{})
	routes("one of the keys is routed", "b.x", "nobody", amqp.Publishing{Headers: amqp.Table{"CC": []any{"k"}}})
	routes("a CC key that only the alternate knows", "b.x", "nobody", amqp.Publishing{Headers: amqp.Table{"CC": []any{"rest"}}})
	s.put("b.x", "rest", body("as published")...)
	s.drain("b.rest", 1)
	s.exchange("b.dead.end", "fanout", nil)
	s.bindExchange("b.dead.end", "end", "b.x", nil)
	routes("bound to an exchange that leads nowhere", "b.x", "end", amqp.Publishing{})
	s.exchange("b.source", "fanout", nil)
	s.bindExchange("b.x", "", "b.source", nil)
	routes("an alternate behind an exchange", "b.source", "rest", amqp.Publishing{})

	s.exchange("b.none", "direct", amqp.Table{"alternate-exchange": "b.nowhere"})
	routes("no such alternate", "b.none", "k", amqp.Publishing{})
	s.exchange("b.self", "direct", amqp.Table{"alternate-exchange": "b.self"})
	routes("its own alternate", "b.self", "k", amqp.Publishing{})
	s.exchange("b.a", "direct", amqp.Table{"alternate-exchange": "b.b"})
	s.exchange("b.b", "direct", amqp.Table{"alternate-exchange": "b.a"})
	routes("two that are each other's", "b.a", "k", amqp.Publishing{})
	s.bind("b.q", "k", "b.b", nil)
	routes("and the second has a binding", "b.a", "k", amqp.Publishing{})
	s.exchange("b.default", "direct", amqp.Table{"alternate-exchange": ""})
	routes("the default exchange", "b.default", "b.q", amqp.Publishing{})
	s.exchange("b.later", "direct", amqp.Table{"alternate-exchange": "b.made.later"})
	s.exchange("b.made.later", "fanout", nil)
	s.bind("b.q", "", "b.made.later", nil)
	routes("declared after its user", "b.later", "k", amqp.Publishing{})
	s.exchange("b.lavin", "direct", amqp.Table{"x-alternate-exchange": "b.second"})
	routes("x-alternate-exchange", "b.lavin", "k", amqp.Publishing{})
	s.made = append(s.made, "b.internal")
	s.do("declare", func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare("b.internal", "fanout", false, false, true, false, nil)
	})
	s.bind("b.q", "", "b.internal", nil)
	s.exchange("b.to.internal", "direct", amqp.Table{"alternate-exchange": "b.internal"})
	routes("an internal exchange", "b.to.internal", "k", amqp.Publishing{})
	s.say("mandatory")
	s.returned("b.x", "nobody", true, false, amqp.Publishing{})
	s.returned("b.none", "nobody", true, false, amqp.Publishing{})
	s.returned("b.a", "nobody", true, false, amqp.Publishing{})
}
