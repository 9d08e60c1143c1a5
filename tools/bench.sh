#!/usr/bin/env bash
# tools/bench.sh NAME [ROW-SUBSTRING]: topi beside its peers on this machine, a line a row of tools/bench/NAME.tsv.
# A row has four columns, parted by tabs:
#   name    our command    peer command[;;peer command…]    bar
# A command runs in the repository's root and prints one number on its last line. The bar says which way is better:
# `>=1.25` wants rates, ours at least so many times the best peer's; `<=1.12` wants times, ours at most so many times
# the best peer's. All commands of a row take turns, BENCH_ROUNDS rounds (5), after a build of what they name under
# build/; a ratio is the median of the rounds' ratios, a number the median of its own. A command that exits with 77 is
# not to be had here and has said why: without ours the row is skipped, without any peer there is no ratio. This is a
# measurement and no test: the status is 0 whether a bar is reached or not, 1 when a command of ours fails.
set -uo pipefail
cd "$(dirname "$0")/.."

# What is no comparison of single numbers is a script of its own.
case ${1:-} in
core | crowds | refit | scale) exec bash "tools/bench/$1.sh" "${@:2}" ;;
esac

rounds=${BENCH_ROUNDS:-5}
table=tools/bench/${1:-}.tsv
[ -n "${1:-}" ] && [ -f "$table" ] || {
	echo "usage: tools/bench.sh NAME [ROW-SUBSTRING], where NAME is one of:" \
		"engine, core, crowds, refit, scale" >&2
	exit 2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -v '^#' "$table" | awk -F '\t' -v want="${2:-}" 'NF == 4 && index($1, want)' >"$work/rows"
[ -s "$work/rows" ] || {
	echo "bench: no row of $table has \"${2:-}\" in its name" >&2
	exit 2
}

mapfile -t targets < <(cut -f 2,3 "$work/rows" | grep -oE '\bbuild/[a-z0-9_]+' | sed 's|build/||' | sort -u)
if [ "${#targets[@]}" -gt 0 ]; then
	{ [ -f build/build.ninja ] || cmake --preset release; } >"$work/build" 2>&1 &&
		cmake --build build --target "${targets[@]}" >>"$work/build" 2>&1 || {
		tail -40 "$work/build" >&2
		echo "bench: the build failed" >&2
		exit 1
	}
fi

measure() { # FILE COMMAND: appends the command's number to FILE; its status
	local out status
	out=$(bash -c "$2" 2>"$work/said")
	status=$?
	out=$(tail -n 1 <<<"$out")
	if [ "$status" = 0 ] && ! [[ $out =~ ^[0-9.eE+-]+$ ]]; then
		echo "its last line is no number: $out" >>"$work/said"
		status=1
	fi
	[ "$status" = 0 ] && echo "$out" >>"$1"
	return "$status"
}

explain() { # WHO: what the last command said
	echo "bench: $name: $1: $(grep -v '^ *$' "$work/said" | tail -n 1)" >&2
}

run_row() { # ours and peers, in turns; sets result to "row", "skipped" or "failed"
	local round i status
	rm -f "$work"/n.*
	result=row
	for ((round = 0; round < rounds; round++)); do
		measure "$work/n.ours" "$ours" || {
			status=$?
			explain "$ours"
			[ "$status" = 77 ] && result=skipped || result=failed
			return
		}
		for i in "${!peers[@]}"; do
			measure "$work/n.$i" "${peers[$i]}" || {
				explain "${peers[$i]}"
				rm -f "$work/n.$i"
				unset "peers[$i]"
			}
		done
	done
}

# Columns: ours, then a peer each. Prints the median of ours, the best peer's median, the ratio and the verdict.
judge='
function median(values, n,    i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && values[j] < values[j - 1]; j--) { t = values[j]; values[j] = values[j - 1]; values[j - 1] = t }
	return n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
}
function number(x) { return x >= 100 ? sprintf("%.0f", x) : x >= 10 ? sprintf("%.1f", x) : sprintf("%.3f", x) }
{
	ours[NR] = $1
	best = $2
	for (i = 3; i <= NF; i++)
		if (bar ~ /^>/ ? $i > best : $i < best) best = $i
	peer[NR] = best
	ratio[NR] = NF > 1 && best > 0 ? $1 / best : 0
	has_peer = NF > 1
}
END {
	printf "%s\t", number(median(ours, NR))
	if (!has_peer) { printf "-\t-\t%s\tno peer\n", bar; exit }
	r = median(ratio, NR)
	want = substr(bar, 3) + 0
	good = bar ~ /^>/ ? r >= want : r <= want
	printf "%s\t%.2f\t%s\t%s\n", number(median(peer, NR)), r, bar, good ? "ok" : "short"
}'

line='%-38s %9s %9s %6s %7s  %s\n'
failed=0
# shellcheck disable=SC2059
printf "$line" name ours peer ratio bar ''
while IFS=$'\t' read -r name ours peer_list bar <&3; do
	mapfile -t peers < <(sed 's/;;/\n/g' <<<"$peer_list" | sed '/^ *-\{0,1\} *$/d')
	run_row
	if [ "$result" = row ]; then
		IFS=$'\t' read -r mine theirs ratio _ verdict < <(paste -d ' ' "$work"/n.ours $(ls "$work"/n.[0-9]* 2>/dev/null) |
			awk -v bar="$bar" "$judge")
	else
		mine=- theirs=- ratio=- verdict=$result
		[ "$result" = failed ] && failed=1
	fi
	# shellcheck disable=SC2059
	printf "$line" "$name" "$mine" "$theirs" "$ratio" "$bar" "$verdict"
done 3<"$work/rows"
exit "$failed"
