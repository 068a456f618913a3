#!/usr/bin/env bash
# Clients leave messages and more with a listener that has a directory. It ends in an
# orderly way, and another time by kill -9, and is started again: what the clients were
# promised must be there, and nothing else: bash interop/restart.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need python3-pika
npm install --silent --no-audit --no-fund --prefix "$tmp/node" amqplib@2.3.1 >/dev/null
cp interop/amqplib/restart.mjs "$tmp/node"

# begin FLAG... starts the listener.
begin() {
	listen -addr 127.0.0.1:0 -dir "$tmp/broker" "$@" 2>>"$tmp/log"
	export AMQP_URL="amqp://clients:secret@$address/"
}

# each PART has the clients do a part.
each() {
	timeout 60 /usr/bin/python3 interop/pika/restart.py "$1"
	timeout 60 node "$tmp/node/restart.mjs" "$1"
}

begin -user clients -password secret # later, the directory has the account
each leave
stop "$started"
begin
each found
each leave
finish KILL "$started"
begin
each crashed
stop "$started"
echo 'pika, amqplib: all there after an orderly restart, and after a crash'
