package main

import (
	"fmt"
	"iter"
	"log"
	"net/url"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// client is an AMQP client that a broker shows.
type client struct {
	conn *amqp.Connection
	ch   *amqp.Channel
	name string // of the connection, for paths
}

// connect connects a client, and waits until the broker shows its channel.
func (a *asker) connect(name string) *client {
	conn, err := amqp.DialConfig(a.amqp, amqp.Config{Properties: amqp.Table{"connection_name": name, "product": "Questions", "version": "1", "platform": "Go"}})
	if err != nil {
		log.Fatal(err)
	}
	ch, err := conn.Channel()
	if err != nil {
		log.Fatal(err)
	}
	c := &client{conn: conn, ch: ch}
	a.await("channels", func(g answer) bool {
		for _, v := range objects(g.value) {
			details, _ := v["connection_details"].(object)
			full, _ := details["name"].(string)
			if full != "" && a.names[full] == "" {
				c.name = full
			}
		}
		return c.name != ""
	})
	a.names[c.name], a.names[url.PathEscape(c.name)] = strings.ToUpper(name), strings.ToUpper(name)
	c.name = url.PathEscape(c.name)
	return c
}

// connections looks at connections, channels and consumers, and closes them.
func (a *asker) connections() {
	a.ask("PUT", "queues/%2F/cq", quiet, with(object{}))
	one, two := a.connect("one"), a.connect("two")
	if err := one.ch.Qos(7, 0, false); err != nil {
		log.Fatal(err)
	}
	if _, err := one.ch.Consume("cq", "tag", false, false, false, false, amqp.Table{"x-priority": int32(3)}); err != nil {
		log.Fatal(err)
	}
	if err := one.ch.Confirm(false); err != nil {
		log.Fatal(err)
	}
	channel := one.name + url.PathEscape(" (1)")
	a.await("channels/"+channel, func(g answer) bool {
		v, _ := g.value.(object)
		return v["confirm"] == true && fmt.Sprint(v["consumer_count"]) == "1"
	})
	a.await("connections/"+one.name, has("recv_oct_details"))
	a.await("consumers", func(g answer) bool { return len(objects(g.value)) > 0 })
	got := a.get("connections/"+one.name, fields)
	a.say("connection: %s", only(got.value, "user", "vhost", "protocol", "type", "state", "ssl", "auth_mechanism", "channels", "frame_max", "channel_max", "timeout", "user_provided_name", "client_properties"))
	a.get("connections", fields)
	a.get("connections/")
	a.get("vhosts/%2F/connections")
	a.get("connections/username/guest")
	a.get("connections/"+one.name+"/channels", fields)
	got = a.get("channels/"+channel, fields)
	a.say("channel: %s", only(got.value, "number", "user", "vhost", "state", "confirm", "transactional", "consumer_count", "prefetch_count", "global_prefetch_count", "messages_unacknowledged", "messages_unconfirmed"))
	a.get("channels", fields)
	a.get("vhosts/%2F/channels")
	got = a.get("consumers", fields)
	for _, name := range []string{"consumer_tag", "queue", "ack_required", "prefetch_count", "exclusive", "active", "activity_status", "arguments"} {
		a.say("consumer %s: %s", name, values(got.value, name))
	}
	a.get("consumers/%2F")
	a.await("queues/%2F/cq", func(g answer) bool {
		v, _ := g.value.(object)
		return len(objects(v["consumer_details"])) > 0
	})
	a.get("queues/%2F/cq", fields)
	a.delete("queues/%2F/cq?if-unused=true")

	closed := one.conn.NotifyClose(make(chan *amqp.Error, 1))
	a.delete("connections/" + one.name)
	a.say("closed: %v", <-closed)
	a.await("connections", func(g answer) bool { return len(objects(g.value)) == 1 })
	a.delete("connections/" + one.name)
	closed = two.conn.NotifyClose(make(chan *amqp.Error, 1))
	a.delete("connections/"+two.name, header("X-Reason", "it is late"))
	a.say("closed: %v", <-closed)
	three := a.connect("three")
	closed = three.conn.NotifyClose(make(chan *amqp.Error, 1))
	a.delete("connections/username/guest")
	a.say("closed: %v", <-closed)
	a.await("connections", func(g answer) bool { return g.status == 200 && len(objects(g.value)) == 0 })
	a.delete("queues/%2F/cq")
}

// awaited are the counts to wait for, in order: RabbitMQ's come one by one.
func awaited(c *client) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		_ = yield("queues/%2F/sq", []string{"publish", "deliver", "ack"}) &&
			yield("exchanges/%2F/amq.fanout", []string{"publish_in", "publish_out"}) &&
			yield("channels/"+c.name+url.PathEscape(" (1)"), []string{"publish", "deliver", "ack"}) &&
			yield("overview", []string{"publish", "deliver", "ack"})
	}
}

// statistics lets messages pass, and looks at the counts and rates.
func (a *asker) statistics() {
	a.ask("PUT", "queues/%2F/sq", quiet, with(object{}))
	a.ask("POST", "bindings/%2F/e/amq.fanout/q/sq", quiet, with(object{}))
	c := a.connect("four")
	deliveries, err := c.ch.Consume("sq", "tag", false, false, false, false, nil)
	if err != nil {
		log.Fatal(err)
	}
	publish := func() {
		if err := c.ch.Publish("amq.fanout", "", false, false, amqp.Publishing{Body: []byte("body")}); err != nil {
			log.Fatal(err)
		}
	}
	// Some before the broker is asked, so that there are counts, and one after it, so
	// that there is a rate.
	for path, counts := range awaited(c) {
		publish()
		d := <-deliveries
		if err := d.Ack(false); err != nil {
			log.Fatal(err)
		}
		a.await(path, func(g answer) bool {
			v, _ := g.value.(object)
			stats, _ := v["message_stats"].(object)
			for _, name := range counts {
				if stats[name] == nil {
					return false
				}
			}
			return true
		})
		if path == "overview" {
			a.get(path, fields)
		} else {
			a.get(path, fieldsOf(".message_stats"))
		}
	}
	const ranges = "?lengths_age=60&lengths_incr=5&msg_rates_age=60&msg_rates_incr=5"
	for _, path := range []string{"queues/%2F/sq", "exchanges/%2F/amq.fanout", "overview"} {
		for _, place := range []string{".messages_details", ".queue_totals.messages_details", ".message_stats.publish_details", ".message_stats.publish_in_details"} {
			a.get(path+ranges, fieldsOf(place))
		}
	}
	for _, query := range []string{"lengths_age=60&lengths_incr=0", "lengths_age=-1&lengths_incr=5", "msg_rates_age=1000000000&msg_rates_incr=1"} {
		a.get("queues/%2F/sq?" + query)
	}
	a.await("vhosts/%2F", has("messages"))
	a.get("vhosts/%2F", fields)
	if err := c.conn.Close(); err != nil {
		log.Fatal(err)
	}
	a.await("connections", func(g answer) bool { return g.status == 200 && len(objects(g.value)) == 0 })
	a.delete("queues/%2F/sq")
}

// definitions exports and imports.
func (a *asker) definitions() {
	a.ask("PUT", "queues/%2F/q", quiet, with(object{"durable": true, "arguments": object{"x-max-length": 5}}))
	a.ask("PUT", "exchanges/%2F/x", quiet, with(object{"type": "topic", "durable": true}))
	a.ask("POST", "bindings/%2F/e/x/q/q", quiet, with(object{"routing_key": "k"}))
	a.ask("PUT", "policies/%2F/p", quiet, with(object{"pattern": "x", "definition": object{"max-length": 1}}))
	a.get("definitions", fields)
	a.get("definitions/%2F", fields)
	got := a.get("definitions/%2F", quiet)
	for _, name := range []string{"queues", "exchanges", "bindings", "policies"} { // of one virtual host
		v, _ := got.value.(object)
		a.say("%s: %s", name, compact(v[name]))
	}
	got = a.get("definitions?download=all.json")
	a.say("%s", got.header.Get("Content-Disposition"))
	for _, body := range []any{
		object{}, object{"queues": []any{object{"name": "r", "vhost": "/", "durable": true, "auto_delete": false, "arguments": object{}}}},
		object{"vhosts": []any{object{"name": "imported"}}, "exchanges": []any{object{"name": "x", "vhost": "imported", "type": "direct", "durable": true, "auto_delete": false, "internal": false, "arguments": object{}}}},
		object{"queues": []any{object{"name": "s", "vhost": "none", "durable": true, "auto_delete": false, "arguments": object{}}}},
		object{"exchanges": []any{object{"name": "y", "vhost": "/", "type": "nothing", "durable": true, "auto_delete": false, "internal": false, "arguments": object{}}}},
		object{"queues": []any{object{}}}, object{"users": []any{object{"name": "imported", "password_hash": "", "tags": ""}}}, "", "{", "[]",
	} {
		a.post("definitions", body)
	}
	a.get("queues/%2F/r")
	a.get("exchanges/imported/x")
	a.post("definitions/imported", object{"queues": []any{object{"name": "t", "durable": true, "auto_delete": false, "arguments": object{}}}})
	a.get("queues/imported/t")
	a.post("definitions/none", object{"queues": []any{object{"name": "t", "durable": true, "auto_delete": false, "arguments": object{}}}})
	form := "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d.json\"\r\nContent-Type: application/json\r\n\r\n" +
		`{"queues":[{"name":"u","vhost":"/","durable":true,"auto_delete":false,"arguments":{}}]}` + "\r\n--b--\r\n"
	a.ask("POST", "definitions", with(form), header("Content-Type", "multipart/form-data; boundary=b"))
	a.get("queues/%2F/u")
	for _, path := range []string{"vhosts/imported", "users/imported", "queues/%2F/q", "queues/%2F/r", "queues/%2F/u", "exchanges/%2F/x", "policies/%2F/p"} {
		a.delete(path)
	}
}

// health asks for health.
func (a *asker) health() {
	port := a.amqp[strings.LastIndexByte(a.amqp, ':')+1:]
	port = strings.Trim(port, "/")
	a.names["port-listener/"+port] = "port-listener/PORT"
	a.names[`"port":`+port] = `"port":PORT`
	for _, check := range []string{
		"alarms", "local-alarms", "virtual-hosts", "node-is-mirror-sync-critical", "node-is-quorum-critical", "certificate-expiration/1/days", "certificate-expiration/1/none",
		"certificate-expiration/x/days", "port-listener/" + port, "port-listener/1", "port-listener/x", "protocol-listener/amqp091", "protocol-listener/amqp0-9-1", "protocol-listener/mqtt",
		"is-in-service", "below-node-connection-limit", "ready-to-serve-clients", "metadata-store/initialized",
	} {
		a.get("health/checks/" + check)
	}
	a.get("aliveness-test/%2F")
	a.get("aliveness-test/none")
	a.get("healthchecks/node")
}

// whole looks at the broker as a whole.
func (a *asker) whole() {
	a.get("overview", fields)
	a.get("nodes", fields)
	a.get("nodes/"+a.node, fields)
	a.get("nodes/"+a.node+"/memory", fields)
	a.get("extensions")
	a.get("feature-flags")
	a.get("deprecated-features")
	a.get("deprecated-features/used")
	a.post("rebalance/queues", object{})
}
