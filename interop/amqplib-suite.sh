#!/usr/bin/env bash
# Runs amqplib's own tests, written for RabbitMQ, against examples/listener:
# bash interop/amqplib-suite.sh
# Nothing is left out, and nothing of the suite is changed.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly version=2.2.0 # the last one whose package has its tests
readonly tests=338

mkdir "$tmp/suite"
(
	cd "$tmp"
	npm pack --silent "amqplib@$version" >/dev/null
	tar -xzf "amqplib-$version.tgz" -C suite --strip-components 1
	# Its codec is tried with claire. What else it is developed with stays away.
	npm install --silent --no-audit --no-fund --prefix "$tmp" claire@0.4.1 >/dev/null
)

listen -addr '[::1]:0' -like rabbitmq 2>"$tmp/listener.log" # one of its tests wants IPv6
listener=$started

# The suite looks for RabbitMQ at its usual port of this machine; this leads it
# to the listener's.
cat >"$tmp/port.cjs" <<EOF
const net = require('net');
const { connect } = net;
net.connect = (options, ...rest) => connect(Number(options.port) === 5672 ? { ...options, host: '::1', port: ${address##*:} } : options, ...rest);
EOF
cd "$tmp/suite"
if ! timeout 170 node --require "$tmp/port.cjs" --test --test-timeout=20000 --test-reporter=tap test >"$tmp/log" 2>&1 &&
	# Some of its tests end before the answer to their last call has come. If it comes
	# late, their file counts as one more test, that fails.
	! { grep -q 'asynchronous activity after the test ended' "$tmp/log" && grep -qx '# fail 1' "$tmp/log"; }; then
	cat "$tmp/log"
	exit 1
fi
passed=$(sed -n 's/^# pass //p' "$tmp/log")
echo "$passed tests passed"
((passed == tests)) # none was left out in silence
stop "$listener"
