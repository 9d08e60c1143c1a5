#!/usr/bin/env bash
# tools/bench.sh core [SUBJECTS...]: CPU time of the next task and of an answer, beyond the commit, in databases of so many
# subjects and as many stored answers (10,000, 1,000,000 and 10,000,000; the last needs 5 GB below $TMPDIR). Beside them: the
# bare writes of an answer as SQLite does them, and the limits (1 ms a task, 100 us an answer). The file is in the system's
# cache, and the process has given and taken 2,000 before. BENCH_DIR keeps the databases there, and measures again those that
# are there: small ones run out of open subjects.
set -euo pipefail
cd "$(dirname "$0")/../.."
sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(10000 1000000 10000000)

{ [ -f build/build.ninja ] || cmake --preset release; } >/dev/null
cmake --build build --target bench_core >/dev/null
work=${BENCH_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/topi-bench.XXXXXX")}
[ -n "${BENCH_DIR:-}" ] || trap 'rm -rf "$work"' EXIT

printf '%s\n' "CPU microseconds: mean (worst); own: for a volunteer with 10,000 answers at the head of the queue; closing: an" \
	"answer that closes its subject, and how many of 2,000 did; ratio: of an answer that does not to the bare writes"
printf '%9s %5s %12s %12s %6s %12s %6s %19s %12s %6s\n' subjects GB next 'next, own' limit answer limit closing 'bare writes' ratio
for n in "${sizes[@]}"; do
	dir=$work/$n
	if [ ! -e "$dir.whole" ]; then
		rm -rf "$dir"
		build/tests/bench_core fill "$dir" "$n" && touch "$dir.whole"
	fi
	cat "$dir/topi.db" >/dev/null
	read -r next next_worst own own_worst open open_worst closing closing_worst bare bare_worst n_closing \
		< <(build/tests/bench_core run "$dir")
	printf '%9d %5.2f %5.0f (%4.0f) %5.0f (%4.0f) %6d %5.0f (%4.0f) %6d %5.0f (%5.0f) %5d %5.0f (%4.0f) %6.2f\n' "$n" \
		"$(du -sk "$dir" | awk '{ print $1 / 1e6 }')" "$next" "$next_worst" "$own" "$own_worst" 1000 "$open" "$open_worst" 100 \
		"$closing" "$closing_worst" "$n_closing" "$bare" "$bare_worst" "$(awk "BEGIN { print $open / $bare }")"
	[ -n "${BENCH_DIR:-}" ] || rm -rf "$dir" "$dir.whole"
done
