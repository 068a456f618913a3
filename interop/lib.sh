# Helpers of the scripts in this directory; sourced, not run. All of them take -dir
# among their arguments: then a listener keeps what is durable in a directory.

# listen FLAG... starts examples/listener with these flags, and notes its process
# id in $started and its address in $address.
listen() {
	local dir=()
	[[ -z $on_disk ]] || dir=(-dir "$(mktemp -d -p "$tmp")")
	[[ -x $tmp/listener ]] || go build -o "$tmp/listener" ./examples/listener
	start "$tmp/listener" "${dir[@]}" "$@"
	address=${line##*amqp://}
	address=${address%/}
}

# warren FLAG... starts cmd/warren with these flags at free ports, and notes its process
# id in $started, its address in $address and that of its management API in $management.
warren() {
	local dir=()
	[[ -z $on_disk ]] || dir=(-dir "$(mktemp -d -p "$tmp")")
	[[ -x $tmp/warren ]] || go build -o "$tmp/warren" ./cmd/warren
	start "$tmp/warren" -amqp 127.0.0.1:0 -http 127.0.0.1:0 -log error "${dir[@]}" "$@"
	address=${line##*amqp://}
	address=${address%%/*}
	management=${line##*http://}
	management=${management%/}
}

# start COMMAND... runs a program of ours in the background, notes its process
# id in $started, and waits for its first line, which it leaves in $line.
start() {
	local out
	out=$(mktemp -p "$tmp")
	"$@" >"$out" &
	started=$!
	pids+=("$started")
	for _ in $(seq 100); do
		line=$(head -n 1 "$out")
		[[ -z $line ]] || return 0
		kill -0 "$started" || break
		sleep 0.1
	done
	printf 'it did not start: %s\n' "$*" >&2
	return 1
}

# stop PID asks a program that was started to end, and wants exit code 0.
stop() {
	kill -TERM "$1"
	wait "$1"
}

# finish SIGNAL PID sends a signal to a program, be it a child of ours or of a child,
# and waits until the program is no more, however it ends.
finish() {
	kill "-$1" "$2"
	wait "$2" 2>/dev/null || true
	while kill -0 "$2" 2>/dev/null; do sleep 0.1; done
}

# compare LIST RABBITMQ OURS KIND [OTHER] compares transcripts. The list has the rules
# and the lines that are to differ; those for the other kind do not count. A rule that
# begins with ~ is done to our transcript, and one with = or ? to both. It fails if other
# lines differ, if a listed one does not, and if a rule changes nothing: ours, or with =
# RabbitMQ's. One with ? may change nothing, for what comes only sometimes.
compare() {
	local differences=$1 theirs=$2 ours=$3 kind=$4 other=${5-} failed=0 rule file
	while read -r who rule; do
		for file in "$ours" "$theirs"; do
			[[ $who != "~" || $file == "$ours" ]] || continue
			sed -E "$rule" "$file" >"$tmp/ruled"
			if cmp -s "$file" "$tmp/ruled"; then
				[[ $who == "?" || $who == = && $file == "$ours" ]] || { printf '%s: this rule changes nothing: %s\n' "$kind" "$rule"; failed=1; }
			fi
			mv "$tmp/ruled" "$file"
		done
	done < <(grep '^[~=?] ' "$differences")
	awk -v other="$other" '/^% / { for_kind = $2 } /^$/ { for_kind = "" } /^[-+] / && (other == "" || for_kind != other)' "$differences" >"$tmp/wanted"
	diff --old-line-format='- %L' --new-line-format='+ %L' --unchanged-line-format= "$theirs" "$ours" >"$tmp/found" || true
	if ! diff --old-line-format="$kind: listed, but not so: %L" --new-line-format="$kind: not listed: %L" --unchanged-line-format= "$tmp/wanted" "$tmp/found"; then
		failed=1
	fi
	printf '%s: %d lines, and %d that differ as they should\n' "$kind" "$(wc -l <"$ours")" "$(grep -c '^+ ' "$tmp/wanted")"
	return "$failed"
}

# cleanup ends what is left of what was started, and the temporary directory.
cleanup() {
	local pid
	for pid in $(printf '%s\n' "${pids[@]}" | tac); do # a node before its start script
		if kill "$pid" 2>/dev/null; then
			wait "$pid" 2>/dev/null || true # how it ends is no matter
		fi
	done
	[[ -z $epmd ]] || epmd -port "$epmd" -kill >/dev/null || true # RabbitMQ's own, at a port of its own
	rm -rf "$tmp"
}

# rabbitmq PORT PLUGIN... starts a RabbitMQ node of our own, from Debian's package,
# at that port and the three after it, with those plugins. It notes the node's process
# id in $started, its address in $address, and that of its management plugin, which
# takes statistics as often as it can, in $management. A node that was there before
# has what it had. $node_conf are further lines of its configuration; nodes of a cluster
# have one $node_home and one $node_epmd. The node's directory has the file start, which
# runs it again.
rabbitmq() {
	local port=$1 plugins
	local dir=${node_dir-$tmp/rabbitmq}
	shift
	plugins=$(printf '%s,' "$@")
	need rabbitmq-server
	mkdir -p "$dir"
	management=127.0.0.1:$((port + 3))
	printf 'listeners.tcp.1 = 127.0.0.1:%d\n%s\n' "$port" "${node_conf-}" >"$dir/conf"
	if [[ $plugins == *rabbitmq_management* ]]; then
		cat >>"$dir/conf" <<-EOF
			management.tcp.ip = 127.0.0.1
			management.tcp.port = $((port + 3))
			collect_statistics_interval = 1000
			management.db_cache_multiplier = 1
			management.sample_retention_policies.global.minute = 1
			management.sample_retention_policies.basic.minute = 1
			management.sample_retention_policies.detailed.10 = 1
		EOF
	fi
	echo "[${plugins%,}]." >"$dir/plugins"
	epmd=${node_epmd-$((port + 2))}
	printf '127.0.0.1:%d\n' "$port" >"$dir/address"
	cat >"$dir/start" <<-EOF
		exec env HOME="${node_home-$dir}" RABBITMQ_NODENAME="warren$port@localhost" RABBITMQ_DIST_PORT=$((port + 1)) ERL_EPMD_PORT=$epmd \\
			ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_MNESIA_BASE="$dir/mnesia" RABBITMQ_LOG_BASE="$dir/log" \\
			RABBITMQ_CONFIG_FILE="$dir/conf" RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_ENABLED_PLUGINS_FILE="$dir/plugins" \\
			RABBITMQ_PID_FILE="$dir/pid" /usr/lib/rabbitmq/bin/rabbitmq-server >"$dir/out" 2>&1
	EOF
	bash "$dir/start" &
	pids+=($!)
	for _ in $(seq 600); do
		if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			started=$(<"$dir/pid")
			pids+=("$started")
			address=127.0.0.1:$port
			return 0
		fi
		kill -0 $! || break
		sleep 0.1
	done
	cat "$dir/out" >&2
	return 1
}

# need PACKAGE... installs Debian packages that are missing.
need() {
	local package missing=()
	for package in "$@"; do
		dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
	done
	((${#missing[@]} == 0)) && return
	local sudo=()
	((UID == 0)) || sudo=(sudo)
	if [[ ! -e $tmp/updated ]]; then
		"${sudo[@]}" apt-get update -q >/dev/null
		touch "$tmp/updated"
	fi
	DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}

on_disk=
for arg in "$@"; do
	[[ $arg != -dir ]] || on_disk=$arg
done
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tmp=$(mktemp -d)
pids=()
epmd=
trap cleanup EXIT
