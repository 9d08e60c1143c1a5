#!/usr/bin/env bash
# tools/bench.sh NAME: runs tools/bench/NAME.sh. Measurements and no tests.
set -uo pipefail
cd "$(dirname "$0")/.."
script=tools/bench/${1:-}.sh
[ -n "${1:-}" ] && [ -f "$script" ] || {
	echo "usage: tools/bench.sh NAME, where NAME is one of:" \
		"$(cd tools/bench && printf '%s ' *.sh | sed 's/\.sh//g')" >&2
	exit 2
}
exec bash "$script" "${@:2}"
