#!/usr/bin/env bash
# Runs py-amqp's own integration tests, written for RabbitMQ, against
# examples/listener: bash interop/py-amqp-suite.sh DIR
# DIR is a checkout of py-amqp 5.3.1, since none of its packages has its tests.
# Those over TLS are left out: they want a server with a certificate of the
# suite's authority, whose key the suite does not have, and hosts on the internet.
set -euo pipefail
suite=$(cd "${1:?a checkout of py-amqp is wanted}" && pwd)
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly tests=10

need python3-pytest python3-vine
listen -addr 127.0.0.1:0 -like rabbitmq 2>"$tmp/listener.log"
listener=$started
port=${address##*:}

cp -r "$suite" "$tmp/suite"
cd "$tmp/suite"
if ! RABBITMQ_HOST=127.0.0.1 RABBITMQ_5672_TCP=$port timeout 120 \
	/usr/bin/python3 -m pytest -q -p no:cacheprovider -E rabbitmq -k 'not tls' t/integration/test_rmq.py >"$tmp/log" 2>&1; then
	cat "$tmp/log"
	exit 1
fi
tail -n 1 "$tmp/log"
grep -q "^$tests passed, [0-9]* deselected" "$tmp/log"
stop "$listener"
