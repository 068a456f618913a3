#!/usr/bin/env bash
# Runs amqp091-go's own integration tests, written for RabbitMQ, against cmd/warren:
# bash interop/amqp091-suite.sh
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly module=github.com/rabbitmq/amqp091-go@v1.16.0

# The tests that cannot pass, each with the reason.
excluded=(
	# needs rabbitmqctl, to set RabbitMQ's memory watermark
	TestConnection_Close_WhenMemoryAlarmIsActive
)

dir=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
[[ -d $dir ]]
cp -r "$dir" "$tmp/suite"
chmod -R u+w "$tmp/suite"

warren -like rabbitmq

cd "$tmp/suite"
# The tests that lose a connection have the management API close it, and know
# RabbitMQ's port.
sed -i "s/15672/${management##*:}/" internal/utils/http.go recovery_test.go
# Recovery waits 5 seconds before it tries again; here a tenth of it.
sed -i 's/DefaultRetryInterval = 5 \* time.Second/DefaultRetryInterval = 500 * time.Millisecond/' recovery.go

skip=$(IFS='|'; printf '^(%s)$' "${excluded[*]}")
printf 'left out: %s\n' "${excluded[@]}"
suite() {
	AMQP_URL="amqp://guest:guest@$address/" go test -count=1 -tags integration -skip "$skip" -timeout 170s -v . >"$tmp/log" 2>&1
}
# Its tests of recovery wait for seconds only, which can be too short on a busy machine.
# Then all are run once more.
if ! suite && ! { grep -q 'Timeout waiting' "$tmp/log" && suite; }; then
	cat "$tmp/log"
	exit 1
fi
# Nothing may be skipped in silence, and all must have run.
! grep -e '^ *--- SKIP' "$tmp/log"
passed=$(grep -c '^--- PASS' "$tmp/log")
echo "$passed tests passed"
((passed >= 245))
stop "$started"
