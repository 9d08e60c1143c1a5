#!/usr/bin/env bash
# tools/bench/predict.sh [single|half] [N]: subjects a second of `topi predict`, server, worker and all, over a project of N
# (10,000) subjects of one photograph each, whose renditions are there: what predicting a project again takes. The last line is
# the number. The project is made once, in build/bench-files/project.N (minutes).
set -euo pipefail
cd "$(dirname "$0")/../.."
precision=${1:-half}
n=${2:-10000}
world=build/bench-files/project.$n
mapfile -t codes < <(printf 'blank\n' && seq -f 'animal%g' 1 53)
if [ ! -f "$world/done" ]; then
	rm -rf "$world" && mkdir -p "$world/photos/d"
	build/bench_input write "$world/photos/d" "$n" 448 336 90
	{
		printf '{"slug": "p", "title": "P", "taxa": [{"code": "blank", "kind": "blank", "common_name": "nothing"}'
		printf ', {"code": "%s", "common_name": "%s", "scientific_name": "%s"}' \
			$(for code in "${codes[@]:1}"; do echo "$code $code $code"; done)
		printf ']}\n'
	} >"$world/project.json"
	awk -v n="$n" 'BEGIN {
		print "file,deployment,timestamp"
		for (i = 0; i < n; i++) # three minutes apart
			printf "d/%04d.jpg,d,2024-%02d-%02dT%02d:%02d:00+00:00\n", i, 1 + i / 12000, 1 + i / 480 % 25, i / 20 % 24, i * 3 % 60
	}' >"$world/manifest.csv"
	build/topi init "$world/data" >/dev/null
	build/topi project add "$world/data" "$world/project.json" >/dev/null
	build/topi import "$world/data" p "$world/photos" --manifest "$world/manifest.csv" --gap 1 --link >&2
	touch "$world/done"
fi

# Single precision is what a processor without bf16 runs.
[ "$precision" = half ] || export DNNL_MAX_CPU_ISA=AVX512_CORE_VNNI
name=again$(date +%s%N)
build/bench_model "$world/$name.safetensors" "$(date +%N)" "${codes[@]}"
build/topi model import "$world/data" p "$world/$name.safetensors" --name "$name" >/dev/null
rm "$world/$name.safetensors"
start=$(date +%s.%N)
build/topi predict "$world/data" p --model "$name" --device cpu >&2
end=$(date +%s.%N)
awk -v n="$n" -v a="$start" -v b="$end" 'BEGIN { printf "%.1f\n", n / (b - a) }'
