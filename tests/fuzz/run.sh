#!/usr/bin/env bash
# The fuzz targets on clang's libFuzzer, with ASan and UBSan: coverage leads the way, which the driver of ctest has not.
#   tests/fuzz/run.sh [SECONDS [TARGET...]]     60 seconds a target, all of them
# Corpora stay in build-fuzz/corpus/TARGET; an input that crashed is left in build-fuzz/. Needs Debian's clang.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
shift || true
top=$PWD
safe=(-fsanitize=address,undefined -fno-sanitize-recover=undefined)
CC=clang cmake -S . -B build-fuzz -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTOPI_CUDA=off \
	-DCMAKE_C_FLAGS="-fsanitize=fuzzer-no-link ${safe[*]}" -DCMAKE_EXE_LINKER_FLAGS="${safe[*]}" >/dev/null
cmake --build build-fuzz --target core
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cd tests/fuzz && ls fuzz_*.c | sed 's/\.c$//')
cd build-fuzz

# What a target is made of: itself, photographs, the core, and the one part of the engine that reads files.
build() { # target, program, more...
	local target=$1 program=$2
	shift 2
	clang -std=gnu17 -g -O1 -D_GNU_SOURCE -DTOPI_SOURCE_DIR="\"$top\"" "${safe[@]}" -I"$top/core" -I"$top/gpu" -I"$top/tests" \
		-I"$top/tests/fuzz" -Ischema "$@" "$top/tests/fuzz/$target.c" "$top/tests/support_photo.c" \
		"$top/gpu/safetensors.c" -o "$program" core/libcore.a core/libbase.a $(ls schema/*.a) \
		$(pkg-config --libs sqlite3 jansson libsodium libjpeg) -lcmocka -lpthread -lm
}

failed=0
for target in "${targets[@]}"; do
	mkdir -p "corpus/$target"
	build "$target" "$target-seeds" "$top/tests/fuzz/driver.c"
	build "$target" "$target" -fsanitize=fuzzer
	ASAN_OPTIONS=detect_leaks=0 "./$target-seeds" --seeds "corpus/$target"
	echo "== $target, $seconds s"
	"./$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
		-print_final_stats=1 "corpus/$target" >"$target.log" 2>&1 || failed=1
	grep -E "ERROR|SUMMARY|runtime error|Test unit written|number_of_executed|peak_rss|^#.*DONE" "$target.log" || tail -5 "$target.log"
done
exit $failed
