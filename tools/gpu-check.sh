#!/usr/bin/env bash
# For a machine with an NVIDIA card, nvcc and cuDNN 9: builds with the CUDA module, holds it to the reference on that
# card, and prints the table for docs/benchmarks.md. `tools/gpu-check.sh [DEVICE]`, DEVICE cuda (default) or cuda:N.
set -euo pipefail
cd "$(dirname "$0")/.."
device=${1:-cuda}

command -v nvidia-smi >/dev/null || { echo "gpu-check: no nvidia-smi: is NVIDIA's driver installed?" >&2; exit 1; }
card=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader) ||
	{ echo "gpu-check: the driver finds no card: $card" >&2; exit 1; }

cmake --preset release -DTOPI_CUDA=on
cmake --build --preset release --target topi topi_cuda test_cuda bench_engine

log=$(mktemp)
trap 'rm -f "$log"' EXIT
build/tests/test_cuda 2>&1 | tee "$log"
if grep -q 'SKIPPED.*card_' "$log"; then
	echo "gpu-check: the card's tests were skipped, so this says nothing about the card" >&2
	exit 1
fi

echo
echo "$(date +%F), $card, $(git describe --always --dirty):"
echo
build/bench_engine "$device"
