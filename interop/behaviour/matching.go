package main

import (
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func (s *script) topics() {
	s.exchange("b.t", "topic", nil)
	var queues []string
	for _, p := range []string{
		"", "#", "*", "a", "a.*", "a.#", "#.b", "*.b", "a.*.b", "a.#.b", "#.#", "*.#", "#.*", "a..b", "a.*.*", "a.", ".", "*.*", "a*", "*a", "a.b*", "##",
		"#.a.#", "a.#.#.b", "*.#.*", "A",
	} {
		queues = append(queues, "b.t."+p)
		s.queue("b.t."+p, nil)
		s.bind("b.t."+p, p, "b.t", nil)
	}
	for _, key := range []string{
		"", "a", "b", "A", "a.b", "a.x.b", "a.x.y.b", "a..b", ".", "..", "a.", ".a", ".b", "a.b.c.b", "a*", "*", "#", "a.#", "a.*", "aa", "x.a.y", "a.b*",
	} {
		var patterns []string
		for _, q := range s.receivers("b.t", key, amqp.Publishing{}, queues...) {
			patterns = append(patterns, q[len("b.t."):])
		}
		s.say("%q goes to %q", key, patterns)
	}
}

func (s *script) headers() {
	s.exchange("b.h", "headers", nil)
	both := func(match string) amqp.Table { return amqp.Table{"x-match": match, "a": int32(1), "b": "x"} }
	void := func(match string) amqp.Table { return amqp.Table{"x-match": match, "a": nil} }
	private := func(match string) amqp.Table { return amqp.Table{"x-match": match, "x-a": "1", "b": "x"} }
	s.headersGoTo(map[string]amqp.Table{
		"all": both("all"), "any": both("any"), "all-with-x": both("all-with-x"), "any-with-x": both("any-with-x"),
		"default": {"a": int32(1), "b": "x"}, "nothing": {}, "all of nothing": {"x-match": "all"}, "any of nothing": {"x-match": "any"},
		"all-with-x of nothing": {"x-match": "all-with-x"}, "any-with-x of nothing": {"x-match": "any-with-x"},
		"all void": void("all"), "any void": void("any"),
		"all x-": private("all"), "any x-": private("any"), "all-with-x x-": private("all-with-x"), "any-with-x x-": private("any-with-x"),
		"only x-": {"x-match": "all", "x-a": "1"}, "any only x-": {"x-match": "any", "x-a": "1"},
	}, []amqp.Table{
		nil, {}, {"a": int32(1)}, {"a": int64(1), "b": "x"}, {"a": int32(1), "b": "x", "c": true}, {"b": "x"}, {"b": "x", "x-a": "1"}, {"x-a": "1"},
		{"a": "1", "b": []byte("x")}, {"a": 1.0, "b": "x"}, {"a": nil}, {"A": int32(1)}, {"x-match": "all"}, {"a": []any{}}, {"a": amqp.Table{}},
	})
	s.say("types of values")
	values := map[string]any{
		"int8": int8(1), "int16": int16(1), "int32": int32(1), "int64": int64(1), "byte": byte(1), "uint16": uint16(1), "uint32": uint32(1),
		"float32": float32(1), "float64": 1.0, "half": 0.5, "short half": float32(0.5), "true": true, "text": "1", "octets": []byte("1"),
		"time": time.Unix(1, 0), "decimal": amqp.Decimal{Scale: 0, Value: 1}, "decimal 10": amqp.Decimal{Scale: 1, Value: 10},
		"list": []any{int32(1)}, "long list": []any{int64(1)}, "table": amqp.Table{"k": int32(1)}, "long table": amqp.Table{"k": int64(1)},
		"empty": "", "other table": amqp.Table{"k": "x"},
	}
	bound := map[string]amqp.Table{}
	for name, v := range values {
		bound[name] = amqp.Table{"v": v}
	}
	var sent []amqp.Table
	for _, name := range sortedKeys(values) {
		sent = append(sent, amqp.Table{"v": values[name]})
	}
	s.exchange("b.h", "headers", nil)
	s.headersGoTo(bound, sent)
}

// headersGoTo binds queues to b.h, and writes down which ones get messages.
func (s *script) headersGoTo(bound map[string]amqp.Table, sent []amqp.Table) {
	var queues []string
	for _, name := range sortedKeys(bound) {
		queues = append(queues, "b.h."+name)
		s.queue("b.h."+name, nil)
		s.bind("b.h."+name, "no matter", "b.h", bound[name])
	}
	for _, h := range sent {
		var got []string
		for _, q := range s.receivers("b.h", "k", amqp.Publishing{Headers: h}, queues...) {
			got = append(got, q[len("b.h."):])
		}
		s.say("%s goes to %q", shown(h), got)
	}
	for _, q := range queues {
		s.delete(q)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// copies are what CC and BCC ask for.
func (s *script) copies() {
	for _, name := range []string{"b.q", "b.cc", "b.bcc"} {
		s.queue(name, nil)
	}
	all := func(what, exchange, key string, h amqp.Table) {
		s.say("%s: %v", what, s.receivers(exchange, key, amqp.Publishing{Headers: h}, "b.q", "b.cc", "b.bcc"))
	}
	for _, v := range append([]any{[]any{"b.cc"}, []any{"b.cc", "b.cc"}, []any{"b.cc", int32(1)}, []any{[]any{"b.cc"}}, []any{}}, odd...) {
		for _, name := range []string{"CC", "BCC"} {
			s.try(name+" "+shown(v), func(ch *amqp.Channel) error {
				return ch.Publish("", "b.q", false, false, amqp.Publishing{Headers: amqp.Table{name: v}})
			})
		}
	}
	s.purge("b.q")
	s.purge("b.cc")
	all("both", "", "b.q", amqp.Table{"CC": []any{"b.cc"}, "BCC": []any{"b.bcc"}})
	all("only CC leads anywhere", "", "b.nowhere", amqp.Table{"CC": []any{"b.cc"}})
	all("only BCC leads anywhere", "", "b.nowhere", amqp.Table{"BCC": []any{"b.bcc"}})
	all("one queue by every way", "", "b.q", amqp.Table{"CC": []any{"b.q"}, "BCC": []any{"b.q"}})
	all("not in capitals", "", "b.q", amqp.Table{"cc": []any{"b.cc"}})
	s.exchange("b.t", "topic", nil)
	s.bind("b.cc", "*.cc", "b.t", nil)
	s.bind("b.bcc", "#.bcc", "b.t", nil)
	all("through a topic exchange", "b.t", "k", amqp.Table{"CC": []any{"a.cc"}, "BCC": []any{"bcc"}})
	s.exchange("b.h", "headers", nil)
	s.bind("b.q", "", "b.h", amqp.Table{"CC": nil})
	s.bind("b.bcc", "", "b.h", amqp.Table{"BCC": nil})
	all("a headers exchange", "b.h", "k", amqp.Table{"CC": []any{"a"}, "BCC": []any{"b"}})
	s.put("", "b.q", amqp.Publishing{Headers: amqp.Table{"CC": []any{"b.cc", "b.q"}, "BCC": []any{"b.bcc"}, "n": int32(1)}, Body: []byte("copies")})
	for _, name := range []string{"b.q", "b.cc", "b.bcc"} {
		s.drain(name, 1)
	}
	s.put("", "b.q", amqp.Publishing{Headers: amqp.Table{"BCC": []any{"b.bcc"}}, Body: []byte("no headers are left")})
	s.drain("b.q", 1)
	s.drain("b.bcc", 1)
	s.say("mandatory")
	s.returned("", "b.nowhere", true, false, amqp.Publishing{Headers: amqp.Table{"CC": []any{"b.nowhere2"}, "BCC": []any{"b.nowhere3"}}})
	s.returned("", "b.nowhere", true, false, amqp.Publishing{Headers: amqp.Table{"CC": []any{"b.cc"}}})
}
