#!/usr/bin/env bash
# A project of rendered camera-trap scenes to try topi on.
#   tools/demo.sh                   installs what is missing, builds, makes the project under ./demo-data (or
#                                   $TOPI_DEMO_DIR) and serves it at http://127.0.0.1:8080; a second start goes on with it
#   tools/demo.sh --check [--json]  runs the whole loop with simulated people over HTTP and prints how well it did
set -euo pipefail
cd "$(dirname "$0")/.."

check=0
json=()
for argument in "$@"; do
	case "$argument" in
	--check) check=1 ;;
	--json) json=(--json) ;;
	*) echo "demo: there is no option $argument (--check, --check --json)" >&2; exit 2 ;;
	esac
done
[ "$check" = 1 ] || [ ${#json[@]} = 0 ] || { echo "demo: --json goes with --check" >&2; exit 2; }

tools/setup.sh >&2
command -v ccache >/dev/null && export CMAKE_C_COMPILER_LAUNCHER=ccache
cmake --preset release >/dev/null
cmake --build --preset release --target topi topi-demo >&2
topi=build/topi
demo=(build/tools/demo/topi-demo)
world=(--topi "$topi" --project tools/demo/project.json)

if [ "$check" = 1 ]; then
	folder=$(mktemp -d "${TMPDIR:-/tmp}/topi-check.XXXXXX")
	trap 'rm -rf "$folder"' EXIT
	if "${demo[@]}" loop "${world[@]}" --dir "$folder/run" "${json[@]}"; then
		exit 0
	fi
	echo "demo: the check failed; the end of what topi said:" >&2
	tail -n 20 "$folder/run/log.txt" >&2 || true
	exit 1
fi

folder=${TOPI_DEMO_DIR:-demo-data}
listen=127.0.0.1:8080
project=savanna
if [ ! -e "$folder/ready" ]; then # none yet, or one that was interrupted
	rm -rf "$folder/photos" "$folder/data" "$folder/log.txt"
	"${demo[@]}" setup "${world[@]}" --dir "$folder" --subjects 800
fi

"$topi" serve "$folder/data" --listen "$listen" --worker cpu &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null' EXIT
trap 'exit 0' INT TERM
for _ in $(seq 100); do
	curl -sf "http://$listen/healthz" >/dev/null && break
	kill -0 "$server" 2>/dev/null || exit 1 # it has said why
	sleep 0.1
done

cat <<TEXT

  topi is at http://$listen

  admin      password topi-demo
  expert     password topi-demo
  volunteer  password topi-demo    (or answer without an account)

  The data lie in $folder; remove the folder to begin again. Ctrl-C ends the server.

TEXT

if [ ! -e "$folder/trained" ]; then
	echo "The first model is being trained on 200 of the expert's labels; the page works meanwhile."
	if { "$topi" model list "$folder/data" "$project" | grep -q '^m1 ' || # a start that was interrupted got so far
		"$topi" train "$folder/data" "$project" --mode full --arch resnet10s; } &&
		"$topi" model promote "$folder/data" "$project" m1; then
		touch "$folder/trained"
		echo "The first model is trained; its predictions follow."
	fi
fi
wait "$server"
