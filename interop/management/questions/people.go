package main

// virtualHosts makes, shows and deletes virtual hosts.
func (a *asker) virtualHosts() {
	a.put("vhosts/v", "")
	a.put("vhosts/v", object{})
	a.say("vhost: %s", only(a.get("vhosts/v").value, "name", "description", "tags", "tracing"))
	a.put("vhosts/v", object{"description": "for trials", "tags": "a,b"})
	a.say("vhost: %s", only(a.get("vhosts/v").value, "name", "description", "tags", "tracing"))
	for _, body := range []any{object{"description": 1}, object{"tracing": true}, object{"tags": []any{"a"}}, "{", "[]", "1"} {
		a.put("vhosts/w", body)
		a.ask("DELETE", "vhosts/w", quiet)
	}
	a.get("vhosts")
	a.get("vhosts/v/permissions")
	a.say("users: %s", values(a.get("vhosts/v/permissions").value, "user"))
	a.get("vhosts/v/topic-permissions")
	a.get("vhosts/v/connections")
	a.get("vhosts/v/channels")
	a.say("exchanges of a new one: %s", values(a.get("exchanges/v").value, "name"))
	a.get("queues/v")
	a.get("bindings/v")
	a.get("consumers/v")
	a.get("policies/v")
	a.delete("vhosts/v")
	a.delete("vhosts/v")
}

// users makes, shows and deletes users.
func (a *asker) users() {
	for _, body := range []any{
		object{"password": "x", "tags": "management"}, object{"password": "x", "tags": ""}, object{"password": "x", "tags": "a, b,c"}, object{"password": "x", "tags": []any{"a", "b"}},
		object{"password": "x"}, object{"tags": "management"}, object{"password": "", "tags": "management"}, object{"password_hash": "", "tags": ""},
		object{"password_hash": "!", "tags": ""}, object{"password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "tags": ""},
		object{"password": "x", "password_hash": "x", "tags": ""},
		object{"password": "x", "tags": "nothing"}, object{"password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR", "hashing_algorithm": "none", "tags": ""}, "", "{", "[]", object{},
	} {
		a.put("users/u", body)
		got := a.get("users/u", quiet)
		if got.status == 200 {
			a.say("user: %s", one(got.value, "password_hash"))
			a.ask("DELETE", "users/u", quiet)
		}
	}
	a.put("users/u", object{"password": "x", "tags": "administrator"})
	a.get("users/u", fields)
	a.put("users/u", object{"password": "y", "tags": "management"})
	a.get("whoami", as("u:x"))
	a.get("whoami", as("u:y"))
	a.put("users/u", object{"tags": ""})
	a.get("whoami", as("u:y"))
	a.get("users", fields)
	a.say("users: %s", values(a.get("users").value, "name"))
	a.get("users/u/permissions")
	a.get("users/u/topic-permissions")
	a.get("users/without-permissions", fields)
	a.put("users/v", object{"password": "x", "tags": ""}, header("Content-Type", "text/plain"))
	a.put("users/v", object{"password": "x", "tags": ""})
	a.post("users/bulk-delete", object{"users": []any{"u", "v", "none"}})
	a.post("users/bulk-delete", object{})
	a.get("users/u")
	a.delete("users/u")
}

// permissions gives and takes permissions.
func (a *asker) permissions() {
	a.ask("PUT", "users/u", quiet, with(object{"password": "u", "tags": ""}))
	all := object{"configure": ".*", "write": ".*", "read": ".*"}
	a.put("permissions/%2F/u", all)
	a.put("permissions/%2F/u", object{"configure": "^a", "write": "", "read": ".*"})
	a.say("%s", one(a.get("permissions/%2F/u", fields).value))
	for _, body := range []any{
		object{}, object{"configure": ".*", "write": ".*"}, object{"configure": "(", "write": ".*", "read": ".*"},
		object{"configure": "(?=a)", "write": ".*", "read": ".*"}, "", "{", "[]",
	} {
		a.put("permissions/%2F/u", body)
	}
	a.put("permissions/%2F/none", all)
	a.put("permissions/none/u", all)
	a.get("permissions", fields)
	a.say("%s", values(a.get("permissions").value, "user"))
	a.get("users/u/permissions", fields)
	a.get("vhosts/%2F/permissions", fields)
	a.put("topic-permissions/%2F/u", object{"exchange": "amq.topic", "write": "^a", "read": ".*"})
	a.put("topic-permissions/%2F/u", object{"exchange": "amq.topic", "write": "^b", "read": ".*"})
	a.put("topic-permissions/%2F/u", object{"write": "^b", "read": ".*"})
	a.put("topic-permissions/%2F/u", object{"exchange": "amq.topic", "write": "(", "read": ".*"})
	a.put("topic-permissions/%2F/none", object{"exchange": "amq.topic", "write": "^b", "read": ".*"})
	a.put("topic-permissions/none/u", object{"exchange": "amq.topic", "write": "^b", "read": ".*"})
	a.say("%s", one(a.get("topic-permissions/%2F/u", fields).value))
	a.get("topic-permissions", fields)
	a.get("users/u/topic-permissions")
	a.get("vhosts/%2F/topic-permissions")
	a.delete("topic-permissions/%2F/u/amq.topic")
	a.delete("topic-permissions/%2F/u")
	a.get("topic-permissions/%2F/u")
	a.delete("permissions/%2F/u")
	a.delete("permissions/%2F/u")
	a.get("permissions/%2F/u")
	a.delete("users/u")
}

// policies sets, shows and clears policies.
func (a *asker) policies() {
	a.ask("PUT", "queues/%2F/q", quiet, with(object{}))
	for _, kind := range []string{"policies", "operator-policies"} {
		a.put(kind+"/%2F/p", object{"pattern": "^q", "definition": object{"max-length": 10}})
		a.put(kind+"/%2F/p", object{"pattern": "^q", "definition": object{"max-length": 11}, "priority": 3, "apply-to": "queues"})
		a.say("%s", one(a.get(kind+"/%2F/p", fields).value))
		a.await("queues/%2F/q", has(map[string]string{"policies": "policy", "operator-policies": "operator_policy"}[kind]))
		a.say("%s", only(a.get("queues/%2F/q").value, "policy", "operator_policy", "effective_policy_definition"))
		for _, body := range []any{
			object{}, object{"pattern": "^q"}, object{"definition": object{"max-length": 1}}, object{"pattern": "(", "definition": object{"max-length": 1}},
			object{"pattern": "x", "definition": object{}}, object{"pattern": "x", "definition": object{"none": 1}}, object{"pattern": "x", "definition": object{"max-length": "x"}},
			object{"pattern": "x", "definition": object{"max-length": -1}}, object{"pattern": "x", "definition": object{"max-length": 1}, "priority": "x"},
			object{"pattern": "x", "definition": object{"max-length": 1}, "priority": "5"}, object{"pattern": "x", "definition": object{"max-length": 1}, "apply-to": "nothing"},
			object{"pattern": "x", "definition": object{"alternate-exchange": "ae"}, "apply-to": "exchanges"}, object{"pattern": 1, "definition": object{"max-length": 1}},
			object{"pattern": "x", "definition": object{"message-ttl": 1, "expires": 1000, "max-length-bytes": 1}}, object{"pattern": "x", "definition": object{"dead-letter-exchange": "x", "overflow": "reject-publish"}},
			object{"pattern": "x", "definition": object{"max-length": 1}, "name": "other", "vhost": "other"}, object{"pattern": "x", "definition": object{"max-length": 1}, "apply-to": "all"},
			"", "{", "[]",
		} {
			a.put(kind+"/%2F/other", body)
			if got := a.get(kind+"/%2F/other", quiet); got.status == 200 {
				a.say("%s", one(got.value))
				a.ask("DELETE", kind+"/%2F/other", quiet)
			}
		}
		a.put(kind+"/%2F/p", object{"pattern": "^q", "definition": object{"max-length": 11}}, header("Content-Type", "text/plain"))
		a.put(kind+"/none/p", object{"pattern": "^q", "definition": object{"max-length": 10}})
		a.get(kind, fields)
		a.get(kind + "/%2F")
		a.delete(kind + "/%2F/p")
		a.delete(kind + "/%2F/p")
	}
	a.delete("queues/%2F/q")
}

// limits sets and clears the limits of virtual hosts and users.
func (a *asker) limits() {
	a.put("vhost-limits/%2F/max-queues", object{"value": 2})
	a.put("vhost-limits/%2F/max-connections", object{"value": 100})
	a.say("%s", one(a.get("vhost-limits/%2F", fields).value))
	a.say("%s", one(a.get("vhost-limits").value))
	for _, name := range []string{"a", "b", "c"} {
		a.put("queues/%2F/"+name, object{})
	}
	for _, body := range []any{object{}, object{"value": "x"}, object{"value": -1}, object{"value": 1.5}, "", "{"} {
		a.put("vhost-limits/%2F/max-queues", body)
	}
	a.put("vhost-limits/%2F/none", object{"value": 2})
	a.put("vhost-limits/none/max-queues", object{"value": 2})
	a.delete("vhost-limits/%2F/max-queues")
	a.delete("vhost-limits/%2F/max-queues")
	a.delete("vhost-limits/%2F/max-connections")
	a.get("vhost-limits/%2F")
	for _, name := range []string{"a", "b", "c"} {
		a.ask("DELETE", "queues/%2F/"+name, quiet)
	}
	a.ask("DELETE", "parameters/vhost-limits/%2F/limits", quiet) // RabbitMQ keeps an empty one
	a.put("user-limits/guest/max-channels", object{"value": 1000})
	a.put("user-limits/guest/max-connections", object{"value": 1000})
	a.say("%s", one(a.get("user-limits/guest", fields).value))
	a.get("user-limits")
	a.put("user-limits/guest/none", object{"value": 1})
	a.put("user-limits/guest/max-channels", object{"value": "x"})
	a.put("user-limits/none/max-channels", object{"value": 1})
	a.delete("user-limits/guest/max-channels")
	a.delete("user-limits/guest/max-connections")
	a.get("user-limits/guest")
}

// parameters sets and clears parameters.
func (a *asker) parameters() {
	a.put("parameters/nothing/%2F/p", object{"value": object{"a": 1}})
	a.get("parameters/nothing/%2F/p")
	a.get("parameters/nothing")
	a.get("parameters")
	a.put("global-parameters/g", object{"value": object{"a": []any{1, "x"}}})
	a.put("global-parameters/g", object{"value": 2})
	a.say("%s", one(a.get("global-parameters/g", fields).value))
	a.get("global-parameters/cluster_name")
	a.put("global-parameters/g", object{})
	a.put("global-parameters/g", "{")
	a.delete("global-parameters/g")
	a.delete("global-parameters/g")
	a.put("cluster-name", object{"name": "burrow"})
	a.say("%s", one(a.get("cluster-name").value))
	a.say("%s", only(a.get("overview").value, "cluster_name"))
	a.put("cluster-name", object{})
}
