#!/usr/bin/env bash
# amqp-tools (librabbitmq, C) against the broker at AMQP_URL. Each tool is a
# connection of its own that shows nothing but bodies: there is no way to confirm,
# to see what is returned or which headers a message has, and none to call by
# direct reply-to or to serve calls, since a command does not get to see reply_to.
# The C program beside this one does all that.
set -euo pipefail

readonly calls=200 # a tool starts a program for each reply
check() { [[ $2 == "$3" ]] || { printf '%s: %q, not %q\n' "$1" "$2" "$3" >&2; exit 1; }; }
u=(-u "$AMQP_URL")
SECONDS=0

check declare "$(amqp-declare-queue "${u[@]}" -q tools)" tools
amqp-publish "${u[@]}" -r tools -b first
amqp-publish "${u[@]}" -r tools -b second -C text/plain -E utf-8 -H 'a: b' -p
check get "$(amqp-get "${u[@]}" -q tools)" first
check consume "$(amqp-consume "${u[@]}" -q tools -c 1 cat)" second
amqp-publish "${u[@]}" -r tools -b ''
check 'empty body' "$(amqp-get "${u[@]}" -q tools && echo end)" end
! amqp-get "${u[@]}" -q tools # nothing is left: exit code 2

head -c 1048576 /dev/urandom >"$TMPDIR/big"
amqp-publish "${u[@]}" -r tools <"$TMPDIR/big"
amqp-get "${u[@]}" -q tools | cmp - "$TMPDIR/big"

# A queue of its own, bound to an exchange.
amqp-consume "${u[@]}" -e amq.topic -r 'order.#' -c 1 cat >"$TMPDIR/bound" 2>/dev/null &
for _ in $(seq 100); do
	amqp-publish "${u[@]}" -e amq.topic -r order.7 -b bound
	kill -0 $! 2>/dev/null || break
	sleep 0.05
done
wait $!
check binding "$(<"$TMPDIR/bound")" bound

# Requests, a line each, and the replies, from a callback queue.
seq 0 $((calls - 1)) | amqp-publish "${u[@]}" -r price -t tools -l
printf '#!/bin/sh\ncat; echo\n' >"$TMPDIR/line"
chmod +x "$TMPDIR/line"
amqp-consume "${u[@]}" -q tools -c "$calls" "$TMPDIR/line" | sort -n >"$TMPDIR/replies"
seq 0 2 $((2 * calls - 2)) | cmp - "$TMPDIR/replies"
amqp-publish "${u[@]}" -r price -t tools -b 'no number'
check 'the reply of a handler that fails' "$(amqp-consume "${u[@]}" -q tools -c 1 "$TMPDIR/line" | wc -l)" 1

check delete "$(amqp-delete-queue "${u[@]}" -q tools)" 0
check 404 "$(amqp-get "${u[@]}" -q tools 2>&1 | grep -o "NOT_FOUND - no queue 'tools' in vhost '/'")" "NOT_FOUND - no queue 'tools' in vhost '/'"
printf '%d calls by a callback queue: %d s\n' "$calls" "$SECONDS"
