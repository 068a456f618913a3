package main

import (
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const consistentHash = "x-consistent-hash"

func (s *script) hashArguments() {
	declare := func(args amqp.Table) {
		s.try("declare "+shown(args), func(ch *amqp.Channel) error {
			if err := ch.ExchangeDeclare("b.args", consistentHash, false, false, false, false, args); err != nil {
				return err
			}
			return ch.ExchangeDelete("b.args", false, false)
		})
	}
	declare(nil)
	for _, arg := range []string{"hash-header", "hash-property", "unknown"} {
		for _, v := range []any{"text", "", int32(1), true, nil, []any{"h"}} {
			declare(amqp.Table{arg: v})
		}
	}
	for _, p := range []string{"correlation_id", "message_id", "timestamp", "correlation-id", "app_id", "routing_key"} {
		declare(amqp.Table{"hash-property": p})
	}
	declare(amqp.Table{"hash-header": "h", "hash-property": "message_id"})
	declare(amqp.Table{"hash-header": "h", "hash-property": "text"})
	s.say("again")
	for _, p := range []struct{ was, is amqp.Table }{
		{nil, nil}, {amqp.Table{"hash-header": "a"}, amqp.Table{"hash-header": "a"}}, {amqp.Table{"hash-header": "a"}, amqp.Table{"hash-header": "b"}},
		{amqp.Table{"hash-header": "a"}, nil}, {nil, amqp.Table{"hash-property": "message_id"}},
	} {
		s.exchange("b.same", consistentHash, p.was)
		s.try("declare "+shown(p.was)+" then "+shown(p.is), func(ch *amqp.Channel) error {
			return ch.ExchangeDeclare("b.same", consistentHash, false, false, false, false, p.is)
		})
		s.do("delete", func(ch *amqp.Channel) error { return ch.ExchangeDelete("b.same", false, false) })
	}
	s.exchange("b.same", consistentHash, nil)
	s.try("another type", func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare("b.same", "direct", false, false, false, false, nil)
	})
	s.say("keys of bindings")
	s.queue("b.q", nil)
	for _, key := range []string{"1", "10", "01", "+1", "", "0", "-1", "a", "1.5", " 1", "1 ", `a"b`, "ä", "0x1", "1000"} {
		s.try(fmt.Sprintf("bind %q", key), func(ch *amqp.Channel) error { return ch.QueueBind("b.q", key, "b.same", false, nil) })
		s.try(fmt.Sprintf("unbind %q", key), func(ch *amqp.Channel) error { return ch.QueueUnbind("b.q", key, "b.same", nil) })
		s.try(fmt.Sprintf("bind an exchange %q", key), func(ch *amqp.Channel) error { return ch.ExchangeBind("amq.fanout", key, "b.same", false, nil) })
		s.do(fmt.Sprintf("unbind the exchange %q", key), func(ch *amqp.Channel) error { return ch.ExchangeUnbind("amq.fanout", key, "b.same", false, nil) })
	}
	s.try("bind to an exchange that is not there", func(ch *amqp.Channel) error { return ch.QueueBind("b.q", "a", "b.nowhere", false, nil) })
	s.try("bind a queue that is not there", func(ch *amqp.Channel) error { return ch.QueueBind("b.nowhere", "a", "b.same", false, nil) })
	s.try("and a good key", func(ch *amqp.Channel) error { return ch.QueueBind("b.nowhere", "1", "b.same", false, nil) })
}

func (s *script) hashing() {
	h := &hashed{s, []string{"b.1", "b.2", "b.3"}}
	for _, name := range h.queues {
		s.queue(name, nil)
	}
	s.exchange("b.x", consistentHash, nil)
	h.keys()
	h.inputs()
	h.neighbours()
}

// hashed asks where messages go, among some queues.
type hashed struct {
	*script
	queues []string
}

// copies says how many queues get a message.
func (h *hashed) copies(what, exchange, key string, m amqp.Publishing) {
	h.say("%s: %d", what, len(h.receivers(exchange, key, m, h.queues...)))
}

// spread says how many copies of eight messages go to how many queues.
func (h *hashed) spread(what, exchange string, m func(i int) (string, amqp.Publishing)) {
	got := map[string]int{}
	for i := range 8 {
		key, m := m(i)
		for _, q := range h.receivers(exchange, key, m, h.queues...) {
			got[q]++
		}
	}
	total := 0
	for _, n := range got {
		total += n
	}
	h.say("%s: %d copies in %d queues", what, total, len(got))
}

func (h *hashed) keys() {
	h.copies("nothing is bound", "b.x", "k", amqp.Publishing{})
	h.say("mandatory")
	h.returned("b.x", "k", true, false, amqp.Publishing{})
	h.bind("b.1", "1", "b.x", nil)
	h.say("one queue: %v", h.receivers("b.x", "k", amqp.Publishing{}, h.queues...))
	h.bind("b.2", "2", "b.x", nil)
	h.bind("b.3", "300", "b.x", nil)
	for _, key := range []string{"", "k", "1", "a.b"} {
		h.copies(fmt.Sprintf("key %q", key), "b.x", key, amqp.Publishing{})
	}
	h.spread("one key", "b.x", func(int) (string, amqp.Publishing) { return "k", amqp.Publishing{} })
	h.copies("CC and BCC", "b.x", "k", amqp.Publishing{Headers: amqp.Table{"CC": []any{"a", "b", "c", "d"}, "BCC": []any{"e", "f"}}})
	h.say("bound twice")
	h.bind("b.1", "5", "b.x", nil)
	h.bind("b.1", "1", "b.x", nil)
	h.copies("key", "b.x", "k", amqp.Publishing{})
	for _, key := range []string{"2", "300"} {
		for _, q := range []string{"b.2", "b.3"} {
			h.do("unbind", func(ch *amqp.Channel) error { return ch.QueueUnbind(q, key, "b.x", nil) })
		}
	}
	h.say("the others unbound: %v", h.receivers("b.x", "k", amqp.Publishing{}, h.queues...))
	h.do("unbind", func(ch *amqp.Channel) error { return ch.QueueUnbind("b.1", "5", "b.x", nil) })
	h.copies("one of two bindings is left", "b.x", "k", amqp.Publishing{})
	h.do("unbind", func(ch *amqp.Channel) error { return ch.QueueUnbind("b.1", "1", "b.x", nil) })
	h.copies("none is left", "b.x", "k", amqp.Publishing{})
}

func (h *hashed) inputs() {
	h.say("by a header or a property")
	h.exchange("b.header", consistentHash, amqp.Table{"hash-header": "h"})
	for _, q := range h.queues {
		h.bind(q, "10", "b.header", nil)
	}
	h.spread("one header", "b.header", func(i int) (string, amqp.Publishing) {
		return fmt.Sprint(i), amqp.Publishing{Headers: amqp.Table{"h": "x", "n": int32(i)}}
	})
	h.spread("no header", "b.header", func(i int) (string, amqp.Publishing) { return fmt.Sprint(i), amqp.Publishing{} })
	for _, v := range odd {
		h.copies("header "+shown(v), "b.header", "k", amqp.Publishing{Headers: amqp.Table{"h": v}})
	}
	for _, p := range []string{"message_id", "correlation_id", "timestamp"} {
		name := "b." + p
		h.exchange(name, consistentHash, amqp.Table{"hash-property": p})
		for _, q := range h.queues {
			h.bind(q, "10", name, nil)
		}
		h.spread("one "+p, name, func(i int) (string, amqp.Publishing) {
			return fmt.Sprint(i), amqp.Publishing{MessageId: "x", CorrelationId: "y", Timestamp: time.Unix(1, 0)}
		})
		h.spread("no "+p, name, func(i int) (string, amqp.Publishing) { return fmt.Sprint(i), amqp.Publishing{} })
	}
}

// neighbours are exchanges before and behind it, and queues that go.
func (h *hashed) neighbours() {
	h.say("exchanges")
	h.exchange("b.to", "fanout", nil)
	for _, q := range h.queues {
		h.bind(q, "", "b.to", nil)
	}
	h.bindExchange("b.to", "1", "b.x", nil)
	h.copies("to an exchange", "b.x", "k", amqp.Publishing{})
	h.exchange("b.from", "fanout", nil)
	h.bindExchange("b.header", "", "b.from", nil)
	h.copies("from an exchange", "b.from", "k", amqp.Publishing{})
	h.exchange("b.alternate", consistentHash, amqp.Table{"alternate-exchange": "b.to"})
	h.copies("the alternate", "b.alternate", "k", amqp.Publishing{})
	h.exchange("b.with", "direct", amqp.Table{"alternate-exchange": "b.header"})
	h.copies("as an alternate", "b.with", "k", amqp.Publishing{})
	h.say("a queue goes")
	h.delete("b.2")
	h.queues = []string{"b.1", "b.3"}
	h.spread("one header", "b.header", func(i int) (string, amqp.Publishing) {
		return fmt.Sprint(i), amqp.Publishing{Headers: amqp.Table{"h": "x"}}
	})
}
