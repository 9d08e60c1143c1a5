#!/usr/bin/env bash
# tools/bench/files.sh large|small: writes the pictures of a bench row where they are not there yet and prints their folder:
# 24 of 2048 x 1536 at quality 85, or 256 renditions of 448 x 336 at quality 90.
set -euo pipefail
cd "$(dirname "$0")/../.."
case ${1:-} in
large) args="24 2048 1536 85" ;;
small) args="256 448 336 90" ;;
*) echo "usage: tools/bench/files.sh large|small" >&2 && exit 2 ;;
esac
dir=build/bench-files/$1
if [ ! -f "$dir/done" ]; then
	mkdir -p "$dir"
	# shellcheck disable=SC2086
	build/bench_input write "$dir" $args
	touch "$dir/done"
fi
echo "$dir"
