#!/usr/bin/env bash
# tools/bench.sh crowds [FOLDER]: answers of crowds that nobody here made, task,worker,answer,truth; the shared folder beside
# the source unless another is named.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-../shared/data/crowd}
ls "$folder"/*.csv >/dev/null 2>&1 || {
	echo "skipped: there are no answer sets in ${1:-../shared/data/crowd}"
	exit 0
}
{ [ -f build/build.ninja ] || cmake --preset release; } >/dev/null
cmake --build build --target bench_crowds >/dev/null
exec build/bench_crowds "$folder"/*.csv
