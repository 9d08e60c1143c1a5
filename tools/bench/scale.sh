#!/usr/bin/env bash
# tools/bench.sh scale: a synthetic project of 1,200,000 subjects, 3.2 million photographs, 48 taxa and 10.8 million answers, from
# the queue to the export. BENCH_SCALE (1) shrinks it: .01 takes a minute. Needs 8 GB below $TMPDIR at full size.
#   load      the rows in bulk, beside SQLite's own: one table of the same answers, no index, no topi
#   queue and answers    a task and an answer with a commit each, CPU and wall time, beside fsync on the same disk
#   decision  every open subject decided again
#   own refit the project's tables, beside the limits of docs/consensus.md (60 s for ten passes, 600 MB)
#   export    every format, beside `cat` of what it wrote
#   refit     the same answers from a CSV file (topi consensus --answers)
set -euo pipefail
cd "$(dirname "$0")/../.."
scale=${BENCH_SCALE:-1}

{ [ -f build/build.ninja ] || cmake --preset release; } >/dev/null
cmake --build build --target bench_core topi >/dev/null
work=$(mktemp -d "${TMPDIR:-/tmp}/topi-scale.XXXXXX")
trap 'rm -rf "$work"' EXIT
n=$(awk "BEGIN { printf \"%d\", 1200000 * $scale }")
n_work=$(awk "BEGIN { x = 100000 * $scale; printf \"%d\", x < 5000 ? x : 5000 }")
data=$work/data

timed() { # NAME COMMAND...: seconds and peak MiB into $seconds and $peak
	/usr/bin/env time -f '%e %M' -o "$work/time" "${@:2}" >"$work/out" 2>"$work/err" || {
		tail -n 3 "$work/err" >&2
		echo "scale: $1 failed" >&2
		exit 1
	}
	read -r seconds peak <"$work/time"
	peak=$((peak / 1024))
}
size() { du -sk "$@" | awk '{ sum += $1 } END { printf "%.2f", sum / 1e6 }'; }
per_s() { awk "BEGIN { s = $2; printf \"%.0f\", (s > 0) ? ($1) / s : 0 }"; }
line() { printf '%-22s %9s s %7s MiB %8s GB   %s\n' "$@"; }

timed load build/tests/bench_core fill "$data" "$n" 10
n_answers=$(sqlite3 "$data/topi.db" "SELECT max(id) FROM classification")
load_s=$seconds
load_mib=$peak
timed peer sqlite3 "$work/peer.db" "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; CREATE TABLE a (id INTEGER PRIMARY KEY,
	uuid BLOB, project INTEGER, subject INTEGER, volunteer INTEGER, answer TEXT, taxon INTEGER, at INTEGER, ms INTEGER);
	WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < $n_answers - 1)
	INSERT INTO a (uuid, project, subject, volunteer, answer, taxon, at, ms)
	SELECT CAST(printf('b%015d', i) AS BLOB), 1, i / 10, i * 7919 % 28000, 'taxa', i % 48, i, 3000 FROM n;"
echo "$n subjects, $((n * 8 / 3)) photographs, $n_answers answers, 48 taxa (scale $scale)"
line load "$load_s" "$load_mib" "$(size "$data")" \
	"$(per_s "$n_answers" "$load_s") answers/s with all that belongs to them; bare SQLite, answers alone: $(per_s "$n_answers" "$seconds")/s"

timed work build/tests/bench_core work "$data" "$n_work"
read -r next_us answer_us work_s n_decided decide_s <"$work/out"
dd if=/dev/zero of="$work/sync" bs=4096 count=200 oflag=dsync 2>"$work/dd"
sync_ms=$(awk -F'[ ,]+' '/copied/ { for (i = 1; i <= NF; i++) if ($i == "s") print $(i - 1) / 200 * 1000 }' "$work/dd")
line 'queue and answers' "$work_s" "$peak" - "$n_work of each, $(per_s "2 * $n_work" "$work_s") commits/s (one 4 KiB write that is waited for: \
$(awk "BEGIN { printf \"%.2f\", $sync_ms }") ms); CPU $next_us us a task (limit 1000), $answer_us us an answer (limit 100)"
line decision "$decide_s" "$peak" - "$n_decided open subjects, $(per_s "$n_decided" "$decide_s")/s"

timed 'own refit' build/topi consensus "$data" test --refit
line 'own refit' "$seconds" "$peak" - "$(tr '\n' ' ' <"$work/err") limits: 60 s for ten passes, 572 MiB"

for format in csv classifications camtrap-dp; do
	timed "export $format" build/topi export "$data" test --format "$format" --out "$work/$format"
	export_s=$seconds
	export_mib=$peak
	timed cat bash -c "find '$work/$format' -type f -exec cat {} + >/dev/null"
	line "export $format" "$export_s" "$export_mib" "$(size "$work/$format")" "cat of it: $seconds s"
done

awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; print "task,worker,answer"; next }
	$at["answer"] == "taxa" { print $at["subject"] "," $at["volunteer"] "," $at["label"] }' "$work/classifications" >"$work/answers.csv"
timed refit build/topi consensus --answers "$work/answers.csv" --out "$work/labels.csv"
line refit "$seconds" "$peak" "$(size "$work/labels.csv")" \
	"with reading $(size "$work/answers.csv") GB of CSV; limits as above"
