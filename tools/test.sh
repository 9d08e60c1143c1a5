#!/usr/bin/env bash
# Installs what is missing, builds, runs every test: the release build with all of them, then the sanitizer build with
# those that end in time under it. `tools/test.sh --quick` leaves the sanitizer build out; `-L LABEL` runs one label.
# TOPI_REQUIRE_CUDA=1: fails where the CUDA module cannot be compiled and linked (nvcc, cuDNN, NCCL's header); else a
# build without them says what it leaves out.
set -euo pipefail
cd "$(dirname "$0")/.."

quick=0
select=()
while [ $# -gt 0 ]; do
	case "$1" in
	--quick) quick=1 ;;
	-L) [ $# -gt 1 ] || { echo "test: -L wants a label" >&2; exit 2; }; select=(-L "$2"); shift ;;
	*) echo "test: there is no option $1 (--quick, -L LABEL)" >&2; exit 2 ;;
	esac
	shift
done

tools/setup.sh
command -v ccache >/dev/null && export CMAKE_C_COMPILER_LAUNCHER=ccache
jobs=$(nproc) # a test a core: tests/CMakeLists.txt keeps their teams of threads from spinning

tests/lint.sh
cuda=auto
[ "${TOPI_REQUIRE_CUDA:-0}" = 1 ] && cuda=on
cmake --preset release -DTOPI_CUDA=$cuda | grep 'CUDA module'
cmake --build --preset release
ctest --test-dir build -j "$jobs" --output-on-failure "${select[@]}"

if [ "$quick" = 0 ]; then
	cmake --preset asan >/dev/null
	cmake --build --preset asan
	# oneDNN is not built for the sanitizers and browsers do not care: `slow` tests run in the release build alone.
	ctest --test-dir build-asan -j "$jobs" --output-on-failure "${select[@]}" -LE 'browser|slow|peer'
fi
