package main

import (
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// odd are values that few arguments take.
var odd = []any{int32(-1), int32(0), int64(1), int8(5), int16(300), byte(7), uint16(9), uint32(11), int64(1 << 32), int64(1 << 40), "text", "", true, 1.5, nil, []any{int32(1)},
	amqp.Table{}, time.Unix(1, 0), []byte("x"), amqp.Decimal{Scale: 1, Value: 3}}

func (s *script) queueArguments() {
	for _, arg := range []string{
		"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes", "x-max-priority", "x-dead-letter-exchange",
		"x-dead-letter-routing-key", "x-overflow", "x-queue-mode", "x-single-active-consumer", "x-queue-type", "x-unknown",
	} {
		for _, v := range odd {
			s.declareWith(amqp.Table{arg: v}, false)
		}
	}
	for _, v := range []any{"drop-head", "reject-publish", "reject-publish-dlx", "reject"} {
		s.declareWith(amqp.Table{"x-overflow": v}, false)
	}
	for _, v := range []any{"classic", "default", "lazy"} {
		s.declareWith(amqp.Table{"x-queue-mode": v}, false)
		s.declareWith(amqp.Table{"x-queue-type": v}, false)
	}
	s.declareWith(amqp.Table{"x-dead-letter-routing-key": "k"}, false)
	s.declareWith(amqp.Table{"x-dead-letter-exchange": "amq.direct", "x-dead-letter-routing-key": "k"}, false)
	s.declareWith(amqp.Table{"x-max-priority": int32(256)}, false)
	s.declareWith(amqp.Table{"x-max-priority": int32(255)}, false)
	for _, v := range []any{int32(-1), int32(0), int32(3), "x"} {
		s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": v}, true)
	}
	s.declareWith(amqp.Table{"x-queue-type": "quorum"}, false)
	s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-max-priority": int32(5)}, true)
	s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-single-active-consumer": true, "x-max-length": int32(5), "x-overflow": "reject-publish"}, true)
	s.declareWith(amqp.Table{"x-queue-type": "quorum", "x-overflow": "reject-publish-dlx"}, true)
	s.declareWith(amqp.Table{"x-delivery-limit": int32(3)}, false)
	s.declareWith(amqp.Table{"x-message-ttl": int32(1), "x-expires": int32(0)}, false)
}

// declareWith declares a queue and deletes it.
func (s *script) declareWith(args amqp.Table, durable bool) {
	s.try("declare "+shown(args), func(ch *amqp.Channel) error {
		if _, err := ch.QueueDeclare("b.args", durable, false, false, false, args); err != nil {
			return err
		}
		_, err := ch.QueueDelete("b.args", false, false, false)
		return err
	})
}

func (s *script) equivalence() {
	type pair struct{ was, is amqp.Table }
	for _, p := range []pair{
		{nil, nil},
		{amqp.Table{"x-message-ttl": int32(5)}, amqp.Table{"x-message-ttl": int32(5)}},
		{amqp.Table{"x-message-ttl": int32(5)}, amqp.Table{"x-message-ttl": int64(5)}},
		{amqp.Table{"x-message-ttl": int32(5)}, amqp.Table{"x-message-ttl": int16(6)}},
		{amqp.Table{"x-message-ttl": int32(5)}, nil},
		{nil, amqp.Table{"x-message-ttl": int32(5)}},
		{amqp.Table{"x-expires": int32(60000)}, amqp.Table{"x-expires": int32(70000)}},
		{amqp.Table{"x-max-length": int32(5)}, amqp.Table{"x-max-length": int32(6)}},
		{amqp.Table{"x-max-length-bytes": int32(5)}, amqp.Table{"x-max-length-bytes": int32(6)}},
		{amqp.Table{"x-max-priority": int32(5)}, amqp.Table{"x-max-priority": int32(6)}},
		{nil, amqp.Table{"x-max-priority": int32(6)}},
		{amqp.Table{"x-overflow": "drop-head"}, amqp.Table{"x-overflow": "reject-publish"}},
		{amqp.Table{"x-overflow": "drop-head"}, nil},
		{amqp.Table{"x-dead-letter-exchange": "a"}, amqp.Table{"x-dead-letter-exchange": "b"}},
		{amqp.Table{"x-dead-letter-exchange": "a", "x-dead-letter-routing-key": "a"}, amqp.Table{"x-dead-letter-exchange": "a", "x-dead-letter-routing-key": "b"}},
		{amqp.Table{"x-single-active-consumer": true}, amqp.Table{"x-single-active-consumer": false}},
		{amqp.Table{"x-single-active-consumer": true}, nil},
		{amqp.Table{"x-queue-mode": "lazy"}, amqp.Table{"x-queue-mode": "default"}},
		{amqp.Table{"x-queue-mode": "lazy"}, nil},
		{nil, amqp.Table{"x-queue-type": "classic"}},
		{amqp.Table{"x-queue-type": "classic"}, nil},
		{nil, amqp.Table{"x-unknown": int32(1)}},
		{amqp.Table{"x-unknown": "a"}, amqp.Table{"x-unknown": "b"}},
	} {
		s.queue("b.same", p.was)
		s.try("declare "+shown(p.was)+" then "+shown(p.is), func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("b.same", p.was["x-queue-type"] != nil, false, false, false, p.is)
			return err
		})
		s.with(func(ch *amqp.Channel) error { _, err := ch.QueueDelete("b.same", false, false, false); return err })
	}
	s.queue("b.same", nil)
	for _, f := range [][3]bool{{true, false, false}, {false, true, false}, {false, false, true}} { // durable, auto-delete, exclusive
		s.try("declare with other flags", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("b.same", f[0], f[1], f[2], false, nil)
			return err
		})
	}
}

func (s *script) queues() {
	declare := func(name string) func(ch *amqp.Channel) error {
		return func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclare(name, false, true, false, false, nil)
			if err == nil {
				s.say("  declared %s: %d messages, %d consumers", q.Name, q.Messages, q.Consumers)
			}
			return err
		}
	}
	s.try("a reserved name", declare("amq.mine"))
	s.try("a name of the broker's", declare(""))
	s.try("passive, not there", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive("b.nowhere", false, false, false, false, nil)
		return err
	})
	s.try("delete, not there", func(ch *amqp.Channel) error {
		n, err := ch.QueueDelete("b.nowhere", false, false, false)
		s.say("  deleted %d", n)
		return err
	})
	s.try("purge, not there", func(ch *amqp.Channel) error { _, err := ch.QueuePurge("b.nowhere", false); return err })
	s.try("get, not there", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.nowhere", false); return err })
	s.try("consume, not there", func(ch *amqp.Channel) error {
		_, err := ch.Consume("b.nowhere", "", false, false, false, false, nil)
		return err
	})
	s.try("an empty name, none declared", func(ch *amqp.Channel) error { _, err := ch.QueuePurge("", false); return err })
	s.queue("b.q", nil)
	s.put("", "b.q", body("1", "2", "3")...)
	s.try("delete if empty", func(ch *amqp.Channel) error { _, err := ch.QueueDelete("b.q", false, true, false); return err })
	s.try("delete if unused", func(ch *amqp.Channel) error {
		if _, err := ch.Consume("b.q", "", false, false, false, false, nil); err != nil {
			return err
		}
		_, err := ch.QueueDelete("b.q", true, false, false)
		return err
	})
	s.settle("b.q", 3)
	s.try("purge while one is unacked", func(ch *amqp.Channel) error {
		if _, _, err := ch.Get("b.q", false); err != nil {
			return err
		}
		n, err := ch.QueuePurge("b.q", false)
		s.say("  purged %d", n)
		return err
	})
	s.drain("b.q", 1)
	s.put("", "b.q", body("1", "2")...)
	s.try("delete", func(ch *amqp.Channel) error {
		n, err := ch.QueueDelete("b.q", false, false, false)
		s.say("  deleted %d", n)
		return err
	})
	s.lockedQueue()
}

// lockedQueue is exclusive to another connection.
func (s *script) lockedQueue() {
	other, err := amqp.Dial(s.url)
	if err != nil {
		panic(err)
	}
	defer other.Close()
	ch, err := other.Channel()
	if err != nil {
		panic(err)
	}
	if _, err := ch.QueueDeclare("b.locked", false, false, true, false, nil); err != nil {
		panic(err)
	}
	for _, exclusive := range []bool{false, true} {
		s.try("declare another's exclusive queue", func(ch *amqp.Channel) error {
			_, err := ch.QueueDeclare("b.locked", false, false, exclusive, false, nil)
			return err
		})
	}
	s.try("passive", func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive("b.locked", false, false, false, false, nil)
		return err
	})
	s.try("get", func(ch *amqp.Channel) error { _, _, err := ch.Get("b.locked", true); return err })
	s.try("consume", func(ch *amqp.Channel) error {
		_, err := ch.Consume("b.locked", "", true, false, false, false, nil)
		return err
	})
	s.try("bind", func(ch *amqp.Channel) error { return ch.QueueBind("b.locked", "k", "amq.direct", false, nil) })
	s.try("unbind", func(ch *amqp.Channel) error { return ch.QueueUnbind("b.locked", "k", "amq.direct", nil) })
	s.try("purge", func(ch *amqp.Channel) error { _, err := ch.QueuePurge("b.locked", false); return err })
	s.try("delete", func(ch *amqp.Channel) error { _, err := ch.QueueDelete("b.locked", false, false, false); return err })
}

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
	declare("b.x", "direct", false, false, false, amqp.Table{"alternate-exchange": "amq.fanout"})
	declare("b.x", "direct", false, false, false, amqp.Table{"other": "x"})
	declare("b.ae", "direct", false, false, false, amqp.Table{"alternate-exchange": "amq.fanout"})
	declare("b.ae", "direct", false, false, false, nil)
	declare("b.ae", "direct", false, false, false, amqp.Table{"alternate-exchange": "amq.topic"})
	declare("b.ae2", "direct", false, false, false, amqp.Table{"alternate-exchange": int32(1)})
	declare("b.kind", "nothing", false, false, false, nil)
	declare("amq.mine", "direct", false, false, false, nil)
	declare("amq.direct", "direct", true, false, false, nil)
	declare("amq.direct", "fanout", true, false, false, nil)
	declare("", "direct", true, false, false, nil)
	for _, name := range []string{"b.nowhere", "amq.direct", ""} {
		s.try("passive "+name, func(ch *amqp.Channel) error {
			return ch.ExchangeDeclarePassive(name, "direct", false, false, false, false, nil)
		})
		s.try("delete "+name, func(ch *amqp.Channel) error { return ch.ExchangeDelete(name, false, false) })
	}
	s.queue("b.q", nil)
	s.bind("b.q", "k", "b.x", nil)
	s.try("delete if unused", func(ch *amqp.Channel) error { return ch.ExchangeDelete("b.x", true, false) })
	declare("b.internal", "direct", false, false, true, nil)
	s.try("publish to an internal exchange", func(ch *amqp.Channel) error { return ch.Publish("b.internal", "", false, false, amqp.Publishing{}) })
	s.try("publish to none", func(ch *amqp.Channel) error { return ch.Publish("b.nowhere", "", false, false, amqp.Publishing{}) })
	s.say("alternate exchanges")
	s.queue("b.rest", nil)
	s.bind("b.rest", "", "amq.fanout", nil)
	s.say("  confirms %s", s.put("b.ae", "nobody", body("to the rest")...))
	s.drain("b.rest", 1)
}

func (s *script) bindings() {
	s.queue("b.q", nil)
	s.exchange("b.x", "topic", nil)
	s.exchange("b.y", "fanout", nil)
	s.exchange("b.h", "headers", nil)
	bind := func(what, queue, key, exchange string, args amqp.Table) {
		s.try(what+" "+shown(args), func(ch *amqp.Channel) error { return ch.QueueBind(queue, key, exchange, false, args) })
	}
	bind("bind", "b.q", "k", "b.x", nil)
	bind("bind again", "b.q", "k", "b.x", nil)
	bind("no such queue", "b.nowhere", "k", "b.x", nil)
	bind("no such exchange", "b.q", "k", "b.nowhere", nil)
	bind("neither", "b.nowhere", "k", "b.nowhere2", nil)
	bind("the default exchange", "b.q", "k", "", nil)
	for _, v := range []any{"all", "any", "all-with-x", "any-with-x", "none", "", int32(1), true} {
		bind("headers", "b.q", "", "b.h", amqp.Table{"x-match": v, "a": "b"})
	}
	for _, c := range [][3]string{{"b.q", "k2", "b.x"}, {"b.nowhere", "k", "b.x"}, {"b.q", "k", "b.nowhere"}, {"b.q", "k", ""}} {
		s.try("unbind "+c[0]+" "+c[2], func(ch *amqp.Channel) error { return ch.QueueUnbind(c[0], c[1], c[2], nil) })
	}
	for _, c := range [][2]string{{"b.x", "b.y"}, {"b.y", "b.x"}, {"b.nowhere", "b.x"}, {"b.x", "b.nowhere"}, {"", "b.x"}, {"b.x", ""}, {"b.x", "b.x"}} {
		s.try("exchange.bind "+c[0]+" to "+c[1], func(ch *amqp.Channel) error { return ch.ExchangeBind(c[0], "k", c[1], false, nil) })
	}
	for _, c := range [][2]string{{"b.x", "b.y"}, {"b.nowhere", "b.x"}, {"b.x", "b.nowhere"}, {"", "b.x"}} {
		s.try("exchange.unbind "+c[0]+" from "+c[1], func(ch *amqp.Channel) error { return ch.ExchangeUnbind(c[0], "k", c[1], false, nil) })
	}
	s.say("cycles: one copy")
	s.exchange("b.z", "fanout", nil)
	s.with(func(ch *amqp.Channel) error { return ch.ExchangeBind("b.y", "", "b.z", false, nil) })
	s.with(func(ch *amqp.Channel) error { return ch.ExchangeBind("b.z", "", "b.y", false, nil) })
	s.bind("b.q", "", "b.z", nil)
	s.bind("b.q", "", "b.y", nil)
	s.put("b.y", "k", body("once")...)
	s.drain("b.q", 1)
	s.headers()
	s.topics()
}

func (s *script) headers() {
	s.say("headers")
	for name, args := range map[string]amqp.Table{
		"b.h.all": {"x-match": "all", "a": int32(1), "b": "x"}, "b.h.any": {"x-match": "any", "a": int32(1), "b": "x"},
		"b.h.none": {}, "b.h.default": {"a": int32(1), "b": "x"}, "b.h.x": {"x-match": "all", "x-a": "1", "b": "x"},
		"b.h.withx": {"x-match": "all-with-x", "x-a": "1", "b": "x"}, "b.h.void": {"x-match": "all", "a": nil},
	} {
		s.queue(name, nil)
		s.bind(name, "", "b.h", args)
	}
	for _, h := range []amqp.Table{
		{}, {"a": int32(1)}, {"a": int64(1), "b": "x"}, {"a": int32(1), "b": "x", "c": true}, {"b": "x"}, {"b": "x", "x-a": "1"}, {"a": "1", "b": []byte("x")}, {"a": 1.0, "b": "x"},
	} {
		var got []string
		s.put("b.h", "", amqp.Publishing{Headers: h})
		for _, name := range []string{"b.h.all", "b.h.any", "b.h.default", "b.h.none", "b.h.void", "b.h.withx", "b.h.x"} {
			s.with(func(ch *amqp.Channel) error {
				if _, ok, _ := ch.Get(name, true); ok {
					got = append(got, name)
				}
				return nil
			})
		}
		s.say("  %s goes to %v", shown(h), got)
	}
}

func (s *script) topics() {
	s.say("topics")
	s.exchange("b.t", "topic", nil)
	patterns := []string{"", "#", "*", "a", "a.*", "a.#", "#.b", "*.b", "a.*.b", "a.#.b", "#.#", "*.#", "a..b", "a.*.*"}
	for _, p := range patterns {
		s.queue("b.t."+p, nil)
		s.bind("b.t."+p, p, "b.t", nil)
	}
	for _, key := range []string{"", "a", "b", "a.b", "a.x.b", "a..b", ".", "a.", ".b", "a.b.c.b"} {
		var got []string
		s.put("b.t", key, amqp.Publishing{})
		for _, p := range patterns {
			s.with(func(ch *amqp.Channel) error {
				if _, ok, _ := ch.Get("b.t."+p, true); ok {
					got = append(got, p)
				}
				return nil
			})
		}
		s.say("  %q goes to %q", key, got)
	}
}
