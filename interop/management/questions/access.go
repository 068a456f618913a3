package main

import "encoding/base64"

// access asks who comes in, and how.
func (a *asker) access() {
	a.get("whoami", fields)
	a.get("whoami", as(""))
	a.get("whoami", as("guest:wrong"))
	a.get("whoami", as("nobody:nobody"))
	a.get("whoami", as(":"))
	for _, value := range []string{"Basic", "Basic !", "Bearer a", "Basic " + base64.StdEncoding.EncodeToString([]byte("guest"))} {
		a.get("whoami", header("Authorization", value))
	}
	a.put("users/none", object{"password": "none", "tags": ""})
	a.get("whoami", as("none"))
	a.put("users/odd", object{"password": "a:b:ü", "tags": "management"})
	a.get("whoami", as("odd:a:b:ü"))
	a.delete("users/none")
	a.delete("users/odd")
	a.get("auth", as(""), fields)
	a.get("login", as(""))
	a.get("health/checks/alarms", as(""))
}

// rights asks what users of each tag may ask, with a right in the virtual host and
// without one.
func (a *asker) rights() {
	for _, tag := range []string{"management", "policymaker", "monitoring", "administrator"} {
		for _, name := range []string{tag, "far" + tag} {
			a.ask("PUT", "users/"+name, quiet, with(object{"password": name, "tags": tag}))
			if name == tag {
				a.ask("PUT", "permissions/%2F/"+name, quiet, with(object{"configure": ".*", "write": ".*", "read": ".*"}))
			}
		}
	}
	a.ask("PUT", "vhosts/other", quiet)
	a.ask("PUT", "queues/%2F/rq", quiet, with(object{}))
	a.ask("PUT", "queues/other/rq", quiet, with(object{}))
	for _, name := range []string{"management", "farmanagement", "policymaker", "farpolicymaker", "monitoring", "farmonitoring", "faradministrator"} {
		user := as(name)
		for _, path := range []string{
			"overview", "nodes", "whoami", "connections", "channels", "consumers", "exchanges",
			"queues", "queues/%2F", "queues/%2F/rq", "queues/other/rq", "bindings", "vhosts", "vhosts/other", "vhosts/%2F", "vhosts/%2F/connections",
			"users", "users/guest", "users/" + name, "users/" + name + "/permissions", "permissions", "permissions/%2F/guest", "topic-permissions",
			"policies", "policies/%2F", "operator-policies", "parameters", "global-parameters", "vhost-limits", "vhost-limits/%2F", "user-limits",
			"definitions", "definitions/%2F", "aliveness-test/%2F", "health/checks/alarms", "feature-flags", "queues/none/q", "exchanges/%2F/none",
		} {
			a.get(path, user)
		}
		a.put("exchanges/%2F/x."+name, object{}, user)
		a.put("queues/%2F/q."+name, object{}, user)
		a.post("bindings/%2F/e/amq.direct/q/rq", object{"routing_key": name}, user)
		a.post("exchanges/%2F/amq.default/publish", object{"routing_key": "rq", "payload": "", "payload_encoding": "string", "properties": object{}}, user)
		a.post("queues/%2F/rq/get", object{"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}, user)
		a.delete("queues/%2F/rq/contents", user)
		a.delete("queues/%2F/q."+name, user)
		a.delete("exchanges/%2F/x."+name, user)
		a.put("policies/%2F/p."+name, object{"pattern": "x", "definition": object{"max-length": 1}}, user)
		a.delete("policies/%2F/p."+name, user)
		a.put("operator-policies/%2F/p."+name, object{"pattern": "x", "definition": object{"max-length": 1}}, user)
		a.delete("operator-policies/%2F/p."+name, user)
		a.put("vhost-limits/%2F/max-queues", object{"value": 100}, user)
		a.delete("vhost-limits/%2F/max-queues", user)
		a.put("global-parameters/g."+name, object{"value": 1}, user)
		a.delete("global-parameters/g."+name, user)
		a.put("vhosts/v."+name, object{}, user)
		a.delete("vhosts/v."+name, user)
		a.put("users/u."+name, object{"password": "x", "tags": ""}, user)
		a.delete("users/u."+name, user)
		a.put("permissions/%2F/"+name, object{"configure": ".*", "write": ".*", "read": ".*"}, user)
	}
	for _, tag := range []string{"management", "policymaker", "monitoring", "administrator"} {
		a.ask("DELETE", "users/"+tag, quiet)
		a.ask("DELETE", "users/far"+tag, quiet)
	}
	// A user who may read and write only what begins with mine.
	a.put("users/mine", object{"password": "mine", "tags": "management"})
	a.put("permissions/%2F/mine", object{"configure": "^mine", "write": "^mine", "read": "^mine"})
	for _, name := range []string{"mine", "yours"} {
		user := as("mine")
		a.put("queues/%2F/"+name, object{}, user)
		a.put("exchanges/%2F/"+name, object{}, user)
		a.post("bindings/%2F/e/"+name+"/q/"+name, object{}, user)
		a.post("exchanges/%2F/"+name+"/publish", object{"routing_key": "k", "payload": "", "payload_encoding": "string", "properties": object{}}, user)
	}
	a.post("queues/%2F/rq/get", object{"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}, as("mine"))
	a.delete("queues/%2F/rq/contents", as("mine"))
	a.delete("queues/%2F/rq", as("mine"))
	a.delete("users/mine")
	a.delete("queues/%2F/mine")
	a.delete("exchanges/%2F/mine")
	a.delete("queues/%2F/rq")
	a.delete("vhosts/other")
}

// paths asks for what is not there, and by methods that are not.
func (a *asker) paths() {
	for _, path := range []string{
		"none", "none/none", "queues/", "queues/%2F/", "queues/none", "queues/%2F/none", "queues/none/none", "exchanges/%2F/none", "exchanges/none",
		"bindings/none", "bindings/%2F/e/none/q/none", "bindings/%2F/e/amq.direct/q/none", "bindings/%2F/e/amq.direct/q/none/~",
		"vhosts/none", "users/none", "users/none/permissions", "permissions/%2F/none", "permissions/none/guest", "policies/%2F/none", "policies/none",
		"parameters/none", "parameters/none/%2F/none", "global-parameters/none", "connections/none", "channels/none",
		"channels/none (1)", "consumers/none", "definitions/none", "aliveness-test/none", "health/checks/none", "vhost-limits/none",
		"vhosts/none/connections", "vhosts/none/permissions", "queues/%2F/none/bindings", "exchanges/%2F/none/bindings/source",
		"topic-permissions/%2F/none", "operator-policies/%2F/none", "user-limits/none", "extensions", "federation-links", "shovels",
	} {
		a.get(path)
	}
	for _, path := range []string{"overview", "queues", "queues/%2F", "connections", "channels", "users/guest/permissions", "exchanges/%2F", "definitions", "whoami", "nodes"} {
		a.ask("POST", path)
		a.ask("PUT", path)
		a.ask("DELETE", path)
	}
	a.ask("HEAD", "overview")
	a.ask("HEAD", "queues/%2F/none")
	a.ask("OPTIONS", "queues/%2F/q")
	a.ask("OPTIONS", "queues")
	a.ask("PATCH", "queues")
	for _, path := range []string{
		"queues/%2F/none", "exchanges/%2F/none", "bindings/%2F/e/amq.direct/q/none/~", "vhosts/none", "users/none", "permissions/%2F/none",
		"policies/%2F/none", "operator-policies/%2F/none", "parameters/none/%2F/none", "global-parameters/none", "connections/none",
		"queues/%2F/none/contents", "vhost-limits/%2F/max-queues", "user-limits/guest/max-channels", "topic-permissions/%2F/none", "connections/username/none",
	} {
		a.delete(path)
	}
}
