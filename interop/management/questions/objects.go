package main

import (
	"net/url"
	"strings"
)

// exchanges declares, shows and deletes exchanges.
func (a *asker) exchanges() {
	put := func(name string, body any) { a.put("exchanges/%2F/"+name, body) }
	put("x", object{"type": "topic", "durable": true})
	put("x", object{"type": "topic", "durable": true})
	put("x", object{"type": "direct", "durable": true})
	put("x", object{"type": "topic", "durable": false})
	put("x", object{"type": "topic", "durable": true, "auto_delete": true})
	put("x", object{"type": "topic", "durable": true, "arguments": object{"alternate-exchange": "amq.fanout"}})
	got := a.get("exchanges/%2F/x", fields)
	a.say("exchange: %s", only(got.value, "name", "vhost", "type", "durable", "auto_delete", "internal", "arguments"))
	for _, body := range []any{
		object{}, object{"type": ""}, object{"type": "nothing"}, object{"durable": "yes"}, object{"durable": "false"}, object{"durable": "x"},
		object{"auto_delete": nil}, object{"internal": true}, object{"arguments": object{"alternate-exchange": 1}}, object{"arguments": []any{}},
		object{"arguments": object{"n": 1, "f": 1.5, "b": true, "s": "text", "l": []any{1, "a"}, "t": object{"k": "v"}}}, object{"more": 1},
		"", "{", "[]", "1", "null", `{"type":"direct","type":"fanout"}`,
	} {
		put("y", body)
		got := a.get("exchanges/%2F/y", quiet)
		if got.status == 200 {
			a.say("exchange: %s", only(got.value, "type", "durable", "auto_delete", "internal", "arguments"))
			a.ask("DELETE", "exchanges/%2F/y", quiet)
		}
	}
	put("amq.mine", object{"type": "direct"})
	put("amq.direct", object{"type": "direct", "durable": true})
	put("amq.default", object{"type": "direct", "durable": true})
	put("", object{"type": "direct"})
	a.delete("exchanges/%2F/amq.direct")
	a.delete("exchanges/%2F/amq.default")
	a.get("exchanges/%2F/amq.default")
	a.say("names: %s", values(a.get("exchanges/%2F").value, "name"))
	a.say("types: %s", values(a.get("exchanges/%2F").value, "type"))
	a.ask("PUT", "queues/%2F/q", quiet, with(object{}))
	a.post("bindings/%2F/e/x/q/q", object{"routing_key": "k"})
	a.delete("exchanges/%2F/x?if-unused=true")
	a.delete("exchanges/%2F/x?if-unused=false")
	a.ask("PUT", "exchanges/%2F/x", quiet, with(object{"type": "topic"}))
	a.delete("exchanges/%2F/x?if-unused=true")
	a.put("exchanges/none/x", object{"type": "topic"})
	a.put("exchanges/%2F/x", object{"type": "topic", "vhost": "other", "name": "other"})
	a.get("exchanges/%2F/x/bindings/source")
	a.get("exchanges/%2F/x/bindings/destination")
	a.delete("exchanges/%2F/x")
	a.delete("queues/%2F/q")
}

// queues declares, shows and deletes queues.
func (a *asker) queues() {
	put := func(name string, body any) { a.put("queues/%2F/"+name, body) }
	a.ask("DELETE", "queues/%2F/aliveness-test", quiet)
	put("q", object{"durable": true, "arguments": object{"x-max-length": 10}})
	put("q", object{"durable": true, "arguments": object{"x-max-length": 10}})
	put("q", object{"durable": true, "arguments": object{"x-max-length": 11}})
	put("q", object{"durable": false, "arguments": object{"x-max-length": 10}})
	put("q", object{})
	a.await("queues/%2F/q", has("messages"))
	a.await("queues/%2F/q", has("message_bytes"))
	got := a.get("queues/%2F/q", fields)
	a.say("queue: %s", only(got.value, "name", "vhost", "type", "durable", "auto_delete", "exclusive", "arguments", "messages", "consumers", "state"))
	for _, body := range []any{
		object{}, object{"durable": "yes"}, object{"durable": "false"}, object{"auto_delete": true}, object{"exclusive": true},
		object{"arguments": object{"x-max-length": -1}}, object{"arguments": object{"x-max-length": "x"}}, object{"arguments": object{"x-max-length": 1.5}},
		object{"arguments": object{"x-message-ttl": 1000, "x-expires": 100000}}, object{"arguments": object{"x-queue-type": "nothing"}},
		object{"arguments": object{"x-queue-type": "classic"}}, object{"arguments": object{"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "k"}},
		object{"arguments": object{"x-overflow": "nothing"}}, object{"arguments": object{"other": "x"}}, object{"arguments": []any{}},
		"", "{", "[]", "1", "null",
	} {
		put("p", body)
		got := a.get("queues/%2F/p", quiet)
		if got.status == 200 {
			a.say("queue: %s", only(got.value, "type", "durable", "auto_delete", "exclusive", "arguments"))
			a.ask("DELETE", "queues/%2F/p", quiet)
		}
	}
	put("amq.mine", object{})
	put("stream", object{"durable": true, "arguments": object{"x-queue-type": "stream"}})
	a.say("stream: %s", only(a.get("queues/%2F/stream").value, "type", "durable", "arguments"))
	a.delete("queues/%2F/stream")
	put("quorum", object{"durable": true, "arguments": object{"x-queue-type": "quorum"}})
	a.delete("queues/%2F/quorum")
	a.put("queues/none/q", object{})
	a.get("queues", fields)
	a.get("queues/%2F")
	a.get("queues/%2F/q/bindings", fields)
	a.ask("POST", "queues/%2F/q/actions", with(object{"action": "sync"}))
	a.ask("POST", "queues/%2F/q/actions", with(object{"action": "nothing"}))
	a.delete("queues/%2F/q/contents")
	a.ask("POST", "exchanges/%2F/amq.default/publish", quiet, with(object{"routing_key": "q", "payload": "a", "payload_encoding": "string", "properties": object{}}))
	a.delete("queues/%2F/q?if-empty=true")
	a.delete("queues/%2F/q?if-unused=true&if-empty=true")
	a.delete("queues/%2F/q?if-empty=false")
	a.delete("queues/%2F/q")
}

// bindings binds, shows and unbinds.
func (a *asker) bindings() {
	for _, name := range []string{"q", "p"} {
		a.ask("PUT", "queues/%2F/"+name, quiet, with(object{}))
	}
	a.ask("PUT", "exchanges/%2F/x", quiet, with(object{"type": "headers"}))
	const to = "bindings/%2F/e/x/q/q"
	a.post(to, object{})
	a.post(to, object{"routing_key": "k"})
	a.post(to, object{"routing_key": "k"})
	a.post(to, object{"routing_key": "a~b/c d%ü"})
	a.post(to, object{"routing_key": "~"})
	a.post(to, object{"routing_key": "k", "arguments": object{"x-match": "any", "n": 1}})
	for _, body := range []any{
		object{"arguments": object{"x-match": "nothing"}}, "", "[]",
	} {
		a.post(to, body)
	}
	a.post("bindings/%2F/e/x/q/none", object{})
	a.post("bindings/%2F/e/none/q/q", object{})
	a.post("bindings/%2F/e/x/e/none", object{})
	a.post("bindings/%2F/e/amq.default/q/q", object{"routing_key": "k"})
	a.post("bindings/none/e/x/q/q", object{})
	a.post("bindings/%2F/e/x/e/amq.fanout", object{"routing_key": "k"})
	list := a.get(to, fields)
	a.say("keys: %s", values(list.value, "routing_key"))
	a.say("arguments: %s", values(list.value, "arguments"))
	a.get("bindings/%2F/e/x/e/amq.fanout")
	a.get("bindings/%2F", fields)
	a.get("bindings")
	a.get("exchanges/%2F/x/bindings/source")
	a.get("exchanges/%2F/amq.fanout/bindings/destination")
	a.say("sources: %s", values(a.get("queues/%2F/q/bindings").value, "source"))
	for _, key := range []string{"~", "k", "%7E", "none", "a%7Eb%2Fc%20d%25%C3%BC"} {
		a.get(to + "/" + key)
		a.delete(to + "/" + key)
		a.delete(to + "/" + key)
	}
	// A binding with arguments is found by the key that its list shows.
	for _, b := range objects(a.get(to).value) {
		if args, _ := b["arguments"].(object); len(args) > 0 {
			key, _ := b["properties_key"].(string)
			a.names[key], a.names[url.PathEscape(key)] = "KEY", "KEY"
			a.get(to+"/"+url.PathEscape(key), fields)
			a.delete(to + "/" + url.PathEscape(key))
			a.delete(to + "/" + url.PathEscape(key))
		}
	}
	a.get("bindings/%2F/e/amq.default/q/q")
	a.delete("bindings/%2F/e/amq.default/q/q/q")
	for _, path := range []string{"queues/%2F/q", "queues/%2F/p", "exchanges/%2F/x"} {
		a.delete(path)
	}
}

// oddNames uses names that want escaping, all the way.
func (a *asker) oddNames() {
	names := []string{
		"a/b", "/", "a b", "a+b", "a%2Fb", "%", "a?b", "a#b", "a;b", `"`, "'", `\`, "ä", "日本", "<script>", "a\nb", "a\r\nb", "a.b,c", "~", "a&b=c", strings.Repeat("n", 255),
	}
	for _, name := range names {
		p := url.PathEscape(name)
		a.put("vhosts/"+p, object{})
		a.say("vhost: %s", only(a.get("vhosts/"+p).value, "name"))
		a.put("queues/"+p+"/"+p, object{"durable": true})
		a.say("queue: %s", only(a.get("queues/"+p+"/"+p).value, "name", "vhost"))
		a.put("exchanges/"+p+"/"+p, object{"type": "direct", "durable": true})
		a.say("exchange: %s", only(a.get("exchanges/"+p+"/"+p).value, "name", "vhost"))
		a.post("bindings/"+p+"/e/"+p+"/q/"+p, object{"routing_key": name})
		a.say("bindings: %s", values(a.get("queues/"+p+"/"+p+"/bindings").value, "properties_key"))
		a.get("bindings/" + p + "/e/" + p + "/q/" + p + "/" + p)
		a.put("users/"+p, object{"password": "x", "tags": "management"})
		a.put("permissions/"+p+"/"+p, object{"configure": "", "write": "", "read": ""})
		a.say("user: %s", only(a.get("users/"+p).value, "name", "tags"))
		a.put("policies/"+p+"/"+p, object{"pattern": "^$", "definition": object{"max-length": 1}})
		a.say("policy: %s", only(a.get("policies/"+p+"/"+p).value, "name", "vhost"))
		a.delete("queues/" + p + "/" + p)
		a.delete("users/" + p)
		if name != "/" {
			a.delete("vhosts/" + p)
		}
	}
	a.put("queues/%2F/"+strings.Repeat("n", 256), object{})
	a.delete("exchanges/%2F/%2F")
	a.delete("policies/%2F/%2F")
}

// has wants a field.
func has(name string) func(answer) bool {
	return func(g answer) bool {
		v, ok := g.value.(object)
		return ok && v[name] != nil
	}
}
