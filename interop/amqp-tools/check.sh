#!/usr/bin/env bash
# amqp-tools (librabbitmq, C) against the broker at AMQP_URL.
set -euo pipefail

check() { [[ $2 == "$3" ]] || { printf '%s: %q, not %q\n' "$1" "$2" "$3" >&2; exit 1; }; }
u=(-u "$AMQP_URL")

check declare "$(amqp-declare-queue "${u[@]}" -q tools)" tools
amqp-publish "${u[@]}" -r tools -b first
amqp-publish "${u[@]}" -r tools -b second -C text/plain -p
check get "$(amqp-get "${u[@]}" -q tools)" first
check consume "$(amqp-consume "${u[@]}" -q tools -c 1 cat)" second
amqp-publish "${u[@]}" -r tools -b ''
check 'empty body' "$(amqp-get "${u[@]}" -q tools && echo end)" end
! amqp-get "${u[@]}" -q tools # nothing is left: exit code 2

head -c 1048576 /dev/urandom >"$TMPDIR/big"
amqp-publish "${u[@]}" -r tools <"$TMPDIR/big"
amqp-get "${u[@]}" -q tools | cmp - "$TMPDIR/big"

# A queue of its own, bound to an exchange.
amqp-consume "${u[@]}" -e amq.topic -r 'order.#' -c 1 cat >"$TMPDIR/bound" &
for _ in $(seq 100); do
	amqp-publish "${u[@]}" -e amq.topic -r order.7 -b bound
	kill -0 $! 2>/dev/null || break
	sleep 0.05
done
wait $!
check binding "$(<"$TMPDIR/bound")" bound

check delete "$(amqp-delete-queue "${u[@]}" -q tools)" 0
check 404 "$(amqp-get "${u[@]}" -q tools 2>&1 | grep -o "NOT_FOUND - no queue 'tools' in vhost '/'")" "NOT_FOUND - no queue 'tools' in vhost '/'"
echo ok
