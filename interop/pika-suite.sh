#!/usr/bin/env bash
# Runs the tests of pika's blocking connection, written for RabbitMQ, against
# examples/listener: bash interop/pika-suite.sh DIR
# DIR is a checkout of pika 1.4.4, since none of its packages has its tests. All
# of them run, and nothing but the port is changed.
set -euo pipefail
suite=$(cd "${1:?a checkout of pika is wanted}" && pwd)
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly file=tests/acceptance/blocking_adapter_test.py tests=82

listen -addr 127.0.0.1:0 -like rabbitmq 2>"$tmp/listener.log"
listener=$started
port=${address##*:}

cp -r "$suite" "$tmp/suite"
cd "$tmp/suite"
sed -i "s/'port': 5672/'port': $port/" "$file"
grep -q "'port': $port" "$file"
if ! timeout 300 python3 -m unittest tests.acceptance.blocking_adapter_test >"$tmp/log" 2>&1; then
	cat "$tmp/log"
	exit 1
fi
passed=$(sed -n 's/^Ran \([0-9]*\) tests in .*/\1/p' "$tmp/log")
grep -qx OK "$tmp/log" # none was skipped
echo "$passed tests passed"
((passed == tests))
stop "$listener"
