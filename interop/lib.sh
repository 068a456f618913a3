# Helpers of the scripts in this directory; sourced, not run.

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

# cleanup ends what is left of what was started, and the temporary directory.
cleanup() {
	local pid
	for pid in "${pids[@]}"; do
		if kill "$pid" 2>/dev/null; then
			wait "$pid" 2>/dev/null || true # how it ends is no matter
		fi
	done
	rm -rf "$tmp"
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

cd "$(dirname "${BASH_SOURCE[0]}")/.."
tmp=$(mktemp -d)
pids=()
trap cleanup EXIT
