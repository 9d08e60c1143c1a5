#!/usr/bin/env bash
# tools/bench.sh refit: ten passes of the full refit of 28,000 volunteers and 54 classes; limits for 10.8 M answers on one
# core are 60 s, 600 MB and an E step within 1.5 of the bare loop.
set -euo pipefail
cd "$(dirname "$0")/../.."
{ [ -f build/build.ninja ] || cmake --preset release; } >/dev/null
cmake --build build --target bench_refit >/dev/null
echo '| answers | columns | threads | 10 passes, s | E, s | M, s | one E, s | bare loop, s | ratio | peak, MiB | moved |'
echo '|---|---|---|---|---|---|---|---|---|---|---|'
for n in 1000000 3000000 10800000; do
	build/bench_refit "$n" 1
	build/bench_refit "$n" 2
done
