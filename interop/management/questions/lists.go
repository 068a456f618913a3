package main

import (
	"fmt"
	"strings"
)

// lists asks for lists by columns and orders.
func (a *asker) lists() {
	for i, name := range []string{"b", "a", "C", "b.10", "b.9", "ä"} {
		a.ask("PUT", "queues/%2F/"+name, quiet, with(object{"durable": i%2 == 0, "arguments": object{"x-max-length": 100 - i}}))
	}
	a.ask("PUT", "vhosts/other", quiet)
	a.ask("PUT", "queues/other/a", quiet, with(object{}))
	defer a.ask("DELETE", "vhosts/other", quiet)
	for _, query := range []string{
		"", "?sort=name", "?sort=name&sort_reverse=true", "?sort=durable", "?sort=arguments.x-max-length", "?sort=none", "?sort_reverse=true",
		"?sort=name&sort_reverse=false", "?sort=vhost&sort_reverse=true",
	} {
		got := a.get("queues" + query)
		a.say("%s", values(got.value, "vhost")+" "+values(got.value, "name"))
	}
	for _, query := range []string{
		"?columns=name", "?columns=name,vhost", "?columns=name,arguments.x-max-length", "?columns=none", "?columns=arguments", "?columns=name.none",
		"?columns=,name,", "?columns=name,name",
	} {
		got := a.get("queues/%2F" + query)
		a.say("%s", one(got.value))
		got = a.get("queues/%2F/a" + query)
		a.say("%s", one(got.value))
	}
	a.say("%s", one(a.get("exchanges/%2F?columns=name,type&sort=type").value))
	a.say("%s", one(a.get("vhosts?columns=name&sort=name&sort_reverse=true").value))
	a.say("%s", one(a.get("users?columns=name,tags").value))
	a.say("%s", one(a.get("overview?columns=object_totals.queues").value))
	a.say("%s", one(a.get("queues/%2F/a?disable_stats=true&columns=name,durable").value))
	a.say("names of all: %s", values(a.get("queues?disable_stats=true").value, "name"))
	a.get("queues?disable_stats=true&enable_queue_totals=true")
}

// pages asks for pages, good and bad ones. The queues are those of lists.
func (a *asker) pages() {
	for i := range 12 {
		a.ask("PUT", fmt.Sprintf("queues/%%2F/page.%02d", i), quiet, with(object{"durable": true}))
	}
	for _, query := range []string{
		"page=1", "page=1&page_size=5", "page=2&page_size=5", "page=4&page_size=5", "page=5&page_size=5", "page=1&page_size=500", "page=1&page_size=501", "page=1&page_size=0",
		"page=0", "page=-1", "page=x", "page=1&page_size=x", "page=", "page=1&page_size=", "page=1.5", "page=99999999999999999999", "page_size=5", "page=1&page_size=-5",
		"page=1&name=page", "page=1&name=PAGE", "page=1&name=none", "page=1&name=", "page=2&name=page", "page=1&name=page&page_size=5", "page=3&name=page&page_size=5",
		"page=1&name=page.0&use_regex=false", "page=1&name=^page.0[1-3]$&use_regex=true", "page=1&name=(&use_regex=true", "page=1&name=[&use_regex=false", "page=1&name=a%7Cb&use_regex=true",
		"name=page", "name=page&use_regex=true", "page=1&sort=name&sort_reverse=true&page_size=3", "page=1&page_size=3&columns=name", "page=1&page_size=3&pagination=true", "page=1&pagination=false",
		"page=1&name=" + strings.Repeat("n", 1024), "page=1&name=" + strings.Repeat("n", 1025),
	} {
		got := a.get("queues/%2F?" + query)
		if page, ok := got.value.(object); ok && got.status == 200 {
			a.say("page: %s: %s", one(page, "items"), values(page, "name"))
		}
	}
	for _, kind := range []string{"queues", "exchanges", "connections", "channels", "exchanges/%2F", "vhosts", "users", "bindings", "consumers", "policies", "permissions", "nodes"} {
		a.get(kind + "?page=1&page_size=2")
	}
	for i := range 12 {
		a.ask("DELETE", fmt.Sprintf("queues/%%2F/page.%02d", i), quiet)
	}
	for _, name := range []string{"b", "a", "C", "b.10", "b.9", "ä"} {
		a.ask("DELETE", "queues/%2F/"+name, quiet)
	}
}

// messages publishes, gets and purges.
func (a *asker) messages() {
	a.ask("PUT", "queues/%2F/q", quiet, with(object{"durable": true}))
	publish := func(body any) { a.post("exchanges/%2F/amq.default/publish", body) }
	message := func(payload, encoding string, properties any) object {
		return object{"routing_key": "q", "payload": payload, "payload_encoding": encoding, "properties": properties}
	}
	get := func(body any) {
		got := a.post("queues/%2F/q/get", body)
		if list, ok := got.value.([]any); ok {
			for _, m := range list {
				a.say("message: %s", one(m))
			}
		}
	}
	take := object{"count": 10, "ackmode": "ack_requeue_false", "encoding": "auto"}
	publish(message("text", "string", object{}))
	publish(object{"routing_key": "none", "payload": "", "payload_encoding": "string", "properties": object{}})
	publish(message("AAH/gA==", "base64", object{}))
	publish(message("ünïcode", "string", object{}))
	get(take)
	all := object{
		"content_type": "text/plain", "content_encoding": "utf-8", "delivery_mode": 2, "priority": 3, "correlation_id": "c", "reply_to": "r", "expiration": "100000",
		"message_id": "m", "timestamp": 1700000000, "type": "t", "user_id": "guest", "app_id": "a", "cluster_id": "k",
		"headers": object{"text": "a", "n": 1, "big": int64(5000000000), "f": 1.5, "yes": true, "list": []any{1, "a", object{"k": "v"}}, "table": object{"k": object{"l": 1}}, "ü": "ü"},
	}
	publish(message("all", "string", all))
	get(object{"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"})
	get(object{"count": 1, "ackmode": "reject_requeue_true", "encoding": "base64"})
	get(object{"count": 1, "ackmode": "reject_requeue_false", "encoding": "auto", "truncate": 2})
	for _, properties := range []any{
		object{"none": 1}, object{"delivery_mode": "x"}, object{"delivery_mode": "2"}, object{"priority": "x"}, object{"timestamp": "x"}, object{"timestamp": -1},
		object{"expiration": 100000}, object{"expiration": "x"}, object{"headers": object{"x": []any{}}}, object{"content_type": 1}, object{"user_id": "other"},
	} {
		publish(message("", "string", properties))
	}
	get(take)
	for _, body := range []any{
		object{}, object{"routing_key": "q"}, object{"routing_key": "q", "payload": "a"}, object{"routing_key": "q", "payload": "a", "payload_encoding": "string"},
		object{"routing_key": "q", "payload": "a", "properties": object{}}, message("a", "none", object{}), message("!", "base64", object{}), message("QQ", "base64", object{}),
		object{"routing_key": "q", "payload": 1, "payload_encoding": "string", "properties": object{}},
		"", "{", "[]",
	} {
		publish(body)
	}
	get(take)
	a.post("exchanges/%2F/none/publish", message("a", "string", object{}))
	a.post("exchanges/none/amq.direct/publish", message("a", "string", object{}))
	a.post("exchanges/%2F/amq.direct/publish", message("a", "string", object{}))
	a.post("queues/%2F/none/get", take)
	a.post("queues/none/q/get", take)
	for range 3 {
		a.ask("POST", "exchanges/%2F/amq.default/publish", quiet, with(message("a", "string", object{})))
	}
	for _, body := range []any{
		object{}, object{"count": 1}, object{"count": 1, "ackmode": "ack_requeue_true"}, object{"count": 0, "ackmode": "ack_requeue_true", "encoding": "auto"},
		object{"count": -1, "ackmode": "ack_requeue_true", "encoding": "auto"}, object{"count": "2", "ackmode": "ack_requeue_true", "encoding": "auto"},
		object{"count": "x", "ackmode": "ack_requeue_true", "encoding": "auto"},
		object{"count": 1, "ackmode": "ack_requeue_true", "encoding": "none"}, object{"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto", "truncate": "x"},
		object{"count": 1, "requeue": true, "encoding": "auto"},
		object{"count": 2, "ackmode": "ack_requeue_true", "encoding": "auto"}, "", "{", "[]",
	} {
		get(body)
	}
	a.delete("queues/%2F/q/contents")
	get(take)
	a.put("queues/%2F/full", object{"arguments": object{"x-max-length": 1, "x-overflow": "reject-publish"}})
	for range 3 {
		a.post("exchanges/%2F/amq.default/publish", object{"routing_key": "full", "payload": "", "payload_encoding": "string", "properties": object{}})
	}
	a.delete("queues/%2F/full")
	a.delete("queues/%2F/q")
}
