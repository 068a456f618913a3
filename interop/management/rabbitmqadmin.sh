#!/usr/bin/env bash
# Runs all commands of rabbitmqadmin, Debian's script for RabbitMQ's management API,
# against the broker at MANAGEMENT_URL and AMQP_URL, and writes down what they print.
# The broker is new: it has the user guest and the virtual host / alone.
# interop/management/run compares two transcripts.
set -uo pipefail
where=${MANAGEMENT_URL##*/}
files=$(mktemp -d)
trap 'rm -rf "$files"' EXIT

# admin ARGUMENT... runs a command, and writes down its output and its exit code.
admin() {
	local name
	printf '$ rabbitmqadmin %s\n' "$*" | stable
	/usr/bin/rabbitmqadmin --host "${where%:*}" --port "${where##*:}" "$@" 2>&1 | stable
	printf 'exit code %d\n' "${PIPESTATUS[0]}"
}

# stable replaces what differs from run to run, and leaves out the lines and spaces of
# tables, and the exchange that RabbitMQ has for tracing.
stable() {
	sed -E -e '/^\+-[-+]*\+$/d; /amq\.rabbitmq\.trace +\|/d; s/ amq\.rabbitmq\.trace//g; s/ +/ /g; s/[A-Za-z0-9+\/]{48}/HASH/g' -e 's/127\.0\.0\.1:[0-9]+ -> 127\.0\.0\.1:[0-9]+/PEER/g' -e 's/amq\.ctag-[-_A-Za-z0-9]+/CTAG/g' -e "s|$files|DIR|g" -e "s|127\.0\.0\.1:${where##*:}|BROKER|g"
}

# json prints definitions, an object on a line, in order and without passwords.
json() {
	jq -S -c 'to_entries[] | .key as $kind | .value | if type == "array" then .[] | del(.password_hash?, .warren_password_hash?) else . end | [$kind, .]' "$1" | sort
}

# counted waits until the broker shows how many messages each queue has: RabbitMQ counts
# every five seconds.
counted() {
	for _ in $(seq 100); do
		/usr/bin/rabbitmqadmin --host "${where%:*}" --port "${where##*:}" -f tsv list queues messages | grep -qx '' || return 0
		sleep 0.1
	done
}

counted
admin version
admin help subcommands | head -n 3
admin nothing
admin show overview cluster_name object_totals.queues queue_totals.messages
for kind in exchanges queues bindings users permissions parameters policies operator_policies vhost_limits connections channels consumers; do
	admin list "$kind"
done
admin list vhosts name tracing
admin list nodes type running
admin list exchanges name type durable auto_delete internal arguments vhost

admin declare vhost name=v
admin declare user name=ann password=secret tags=monitoring
admin declare user name=ben password= tags=
admin declare permission vhost=v user=ann configure='^a' write= read='.*'
admin declare permission vhost=v user=guest configure='.*' write='.*' read='.*'
admin declare queue name=jobs durable=true arguments='{"x-max-length":10}'
admin declare queue name=jobs durable=true arguments='{"x-max-length":11}'
admin declare queue name=jobs durable=true arguments='{'
admin --vhost v declare queue name=a/b durable=false auto_delete=true
admin declare queue name=log queue_type=stream
admin declare exchange name=topics type=topic
admin declare exchange name=other type=nothing
admin declare binding source=topics destination=jobs routing_key='a.#'
admin declare binding source=topics destination=jobs routing_key=b arguments='{"k":1}'
admin declare binding source=topics destination_type=exchange destination=amq.fanout routing_key=c
admin declare binding source=topics destination=none
admin declare policy name=short pattern='^jobs' definition='{"max-length":5}' priority=3 apply-to=queues
admin declare policy name=wrong pattern='^jobs' definition='{"nothing":5}'
admin declare operator_policy name=small pattern='^jobs' definition='{"max-length":6}'
admin declare vhost_limit vhost=v name=max-queues value=5
admin declare parameter component=nothing name=p value='{}'
for kind in "queues name" users permissions parameters policies operator_policies vhost_limits; do # counts come late
	admin list $kind
done
admin -S destination list bindings
admin list vhosts name tracing
admin -f tsv list queues vhost name durable auto_delete
admin -f long list policies
admin -f kvp list users name tags
admin -f bash list exchanges
admin -f raw_json -S destination list bindings source destination routing_key
admin -S type list exchanges name type
admin -R -S name list exchanges name
admin -V v list queues
admin -V none list queues
admin -u nobody list queues
admin -u ann -p secret list queues
admin -u ann -p secret list users
admin -u ann -p secret declare queue name=mine

admin publish exchange=topics routing_key=a.b payload=first
admin publish routing_key=jobs payload=second properties='{"delivery_mode":2,"headers":{"n":1}}'
admin publish routing_key=none payload=third
admin publish exchange=none routing_key=k payload=fourth
printf 'fifth' | admin publish routing_key=jobs
admin get queue=jobs count=2 ackmode=ack_requeue_true
admin get queue=jobs count=1 ackmode=ack_requeue_false
admin get queue=jobs payload_file="$files/payload" ackmode=ack_requeue_false
cat "$files/payload"
echo
admin -f long get queue=jobs ackmode=ack_requeue_false encoding=base64
admin get queue=jobs
admin get queue=none
admin publish routing_key=jobs payload=sixth
admin purge queue name=jobs
admin purge queue name=none

amqp-consume --url "$AMQP_URL" -q jobs cat &
consumer=$!
for _ in $(seq 100); do
	[[ $(/usr/bin/rabbitmqadmin --host "${where%:*}" --port "${where##*:}" -f bash list consumers 2>/dev/null) != *jobs* ]] || break
	sleep 0.1
done
for _ in $(seq 100); do
	name=$(/usr/bin/rabbitmqadmin --host "${where%:*}" --port "${where##*:}" -f tsv list connections name user channels | awk -F '\t' 'NR == 2 && $2 == "guest" && $3 == 1 { print $1 }')
	[[ -z $name ]] || break
	sleep 0.1
done
admin list connections
admin list channels
admin list consumers queue.name consumer_tag ack_required prefetch_count
admin close connection name="$name"
admin close connection name=none
wait "$consumer" 2>/dev/null

admin export "$files/all.json"
json "$files/all.json"
admin -V v export "$files/v.json"
json "$files/v.json"
admin delete vhost_limit vhost=v name=max-queues
admin delete operator_policy name=small
admin delete policy name=short
admin delete policy name=short
admin delete binding source=topics destination_type=queue destination=jobs properties_key='a.%23'
admin delete binding source=topics destination_type=queue destination=jobs properties_key=none
admin delete exchange name=topics
admin delete queue name=jobs
admin delete queue name=jobs
admin delete queue name=log
admin delete permission vhost=v user=ann
admin delete vhost name=v
admin delete user name=ann
admin list queues
admin import "$files/all.json"
for kind in "queues name" users permissions policies operator_policies vhost_limits; do
	admin list $kind
done
admin -S destination list bindings
admin -u ann -p secret list vhosts name
printf '{' >"$files/broken.json"
admin import "$files/broken.json"
for user in ann ben; do admin delete user name="$user"; done
for queue in jobs log; do admin delete queue name="$queue"; done
admin delete vhost name=v
admin delete exchange name=topics
admin delete policy name=short
admin delete operator_policy name=small
