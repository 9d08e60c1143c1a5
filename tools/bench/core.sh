#!/usr/bin/env bash
# tools/bench.sh core [SUBJECTS...]: CPU time of the next task and of an answer, beyond the commit, in databases of so many
# subjects and as many stored answers (10,000, 1,000,000 and 10,000,000; the last needs 5 GB below $TMPDIR). Beside them: the
# bare writes of an answer as SQLite does them, and the limits (1 ms a task, 100 us an answer). BENCH_DIR keeps the databases
# there, and measures again those that are there.
set -euo pipefail
cd "$(dirname "$0")/../.."
sizes=("$@")
[ ${#sizes[@]} -gt 0 ] || sizes=(10000 1000000 10000000)

{ [ -f build/build.ninja ] || cmake --preset release; } >/dev/null
cmake --build build --target bench_core >/dev/null
work=${BENCH_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/topi-bench.XXXXXX")}
[ -n "${BENCH_DIR:-}" ] || trap 'rm -rf "$work"' EXIT

printf '%s\n' "CPU microseconds: mean (worst) of 2000; own: for a volunteer with 10,000 answers at the head of the queue"
printf '%12s %8s %15s %15s %6s %15s %6s %12s %6s\n' subjects GB next 'next, own' limit answer limit 'bare writes' ratio
for n in "${sizes[@]}"; do
	dir=$work/$n
	if [ ! -e "$dir.whole" ]; then
		rm -rf "$dir"
		build/tests/bench_core fill "$dir" "$n" && touch "$dir.whole"
	fi
	read -r next next_worst own own_worst answer answer_worst bare _ < <(build/tests/bench_core run "$dir")
	printf '%12d %8.2f %7.0f (%5.0f) %7.0f (%5.0f) %6d %7.0f (%5.0f) %6d %12.0f %6.2f\n' "$n" \
		"$(du -sk "$dir" | awk '{ print $1 / 1e6 }')" "$next" "$next_worst" "$own" "$own_worst" 1000 "$answer" "$answer_worst" 100 \
		"$bare" "$(awk "BEGIN { print $answer / $bare }")"
	[ -n "${BENCH_DIR:-}" ] || rm -rf "$dir" "$dir.whole"
done
