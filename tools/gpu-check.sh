#!/usr/bin/env bash
# tools/gpu-check.sh [--deps DIR] [--device cuda:N] [--only build|tests|bench]: for a machine with an NVIDIA card, nvcc and
# cuDNN 9, and no network. Builds the model engine alone (build-gpu/), runs every test of the CUDA module on the card and
# off it, then measures against PyTorch, where that is here, and prints one table. --only does one of these (and builds
# what is missing), for a machine that is lent by the quarter of an hour. DIR is what tools/gpu-deps.sh gathered elsewhere.
# Status 1 when something does not build, a test fails or the card's tests were skipped; the table's bars decide nothing.
set -uo pipefail
cd "$(dirname "$0")/.."
deps= device=cuda only=
usage() {
	echo "usage: tools/gpu-check.sh [--deps DIR] [--device cuda:N] [--only build|tests|bench]" >&2
	exit 2
}
while [ $# -gt 0 ]; do
	case "$1" in
	--deps) deps=$(cd "${2:?--deps wants a folder}" && pwd) || exit 2; shift ;;
	--device) device=${2:?--device wants cuda or cuda:N}; shift ;;
	--only) only=${2:-}; shift ;;
	*) usage ;;
	esac
	shift
done
case "$only" in '' | build | tests | bench) ;; *) usage ;; esac
say() { echo "gpu-check: $*" >&2; }

# Programs that a Python environment brings lie beside its python3.
python=$(command -v python3) && export PATH=$PATH:$(dirname "$(readlink -f "$python")"):$(dirname "$python")
export PATH=$PATH:/usr/local/cuda/bin:/opt/cuda/bin
for program in cc c++ cmake nvcc; do
	command -v $program >/dev/null || { say "there is no $program: a C and C++ compiler, CMake and CUDA's nvcc are wanted"; exit 1; }
done
command -v ninja >/dev/null || command -v make >/dev/null || { say "there is neither ninja nor make"; exit 1; }
command -v nvidia-smi >/dev/null || { say "there is no nvidia-smi, so no NVIDIA driver"; exit 1; }
card=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>&1 | head -n 1) ||
	{ say "the driver finds no card: $card"; exit 1; }

# cuDNN, cuBLAS and NCCL of the system, or those that came with a Python package of their own.
options=()
toolkit=$(dirname "$(readlink -f "$(command -v nvcc)")")/..
site=$(python3 -c 'import nvidia; print(list(nvidia.__path__)[0])' 2>/dev/null)
found() { find "$site" -maxdepth 4 -name "$1" 2>/dev/null | head -n 1; }
has() { # HEADER: the system has it
	local folder
	for folder in "$toolkit" /usr/local/cuda /usr "/usr/include/$(uname -m)-linux-gnu"; do
		[ -e "$folder/include/$1" ] || [ -e "$folder/$1" ] && return
	done
	return 1
}
give() { # OPTION FILE: hands a found file's place to CMake
	[ -n "$2" ] && options+=("-D$1=$2")
}
give_header() { # OPTION HEADER
	local header
	header=$(found "$2")
	give "$1" "${header%/"$2"}"
}
if [ -n "$site" ]; then
	has cudnn.h || { give_header TOPI_CUDNN_INCLUDE cudnn.h; give TOPI_CUDNN "$(found 'libcudnn.so.9')"; }
	has nccl.h || give_header TOPI_NCCL_INCLUDE nccl.h
	has cublasLt.h || {
		give_header TOPI_CUBLAS_INCLUDE cublasLt.h
		give TOPI_CUBLAS "$(found 'libcublas.so.1[0-9]')"
		give TOPI_CUBLASLT "$(found 'libcublasLt.so.1[0-9]')"
	}
fi
nccl=$(found 'libnccl.so.2')
[ -n "$nccl" ] && export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$(dirname "$nccl")

generator=()
command -v ninja >/dev/null && generator=(-G Ninja)
cmake -S . -B build-gpu "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DTOPI_ENGINE_ONLY=ON -DTOPI_CUDA=on \
	-DTOPI_DEPS="$deps" "${options[@]}" && cmake --build build-gpu -j "$(nproc)" || { say "the build failed"; exit 1; }

[ "$only" = build ] && exit 0
failed=0
[ "$only" = bench ] || for test in build-gpu/tests/test_cuda_*; do
	[ -x "$test" ] || continue
	"$test" 2>&1 | grep -v '^\[ RUN' | tail -n 40
	case "${PIPESTATUS[0]}" in
	0) echo "$(basename "$test"): passed" ;;
	77) say "$(basename "$test") was skipped, so this says nothing about the card"; failed=1 ;;
	*) say "$(basename "$test") failed"; failed=1 ;;
	esac
done

[ "$only" = tests ] && exit "$failed"

# Work, bar against the peer, bar in images a second.
works=(infer:resnet50:256 train:resnet50:256 infer:resnet18:256 train:resnet18:256 infer:resnet50:32)
bars=(1.5 1.2 1.5 1.2 -)
least=(20000 - - - -)
declare -A first second peer how
ours() { # WORK: images a second, or -
	local kind net batch
	IFS=: read -r kind net batch <<<"$1"
	build-gpu/bench_cuda "$kind" "$net" "$batch" "$device" || echo -
}
for work in "${works[@]}"; do first[$work]=$(ours "$work"); done
while read -r work rate compiled; do
	peer[$work]=$rate
	how[$work]=$compiled
done < <(timeout 300 python3 tests/peer/torch_gpu.py "${works[@]}")
for work in "${works[@]}"; do second[$work]=$(ours "$work"); done

echo
echo "$(date +%F), $card, $(git describe --always --dirty 2>/dev/null); 224 px, images a second; ours before and after the peer:"
echo
line='%-22s %9s %9s %9s %-8s %6s  %-18s %s\n'
# shellcheck disable=SC2059
printf "$line" name ours again PyTorch '' ratio bar ''
for i in "${!works[@]}"; do
	work=${works[i]}
	awk -v name="$work" -v a="${first[$work]}" -v b="${second[$work]}" -v p="${peer[$work]:--}" \
		-v how="${how[$work]:--}" -v bar="${bars[i]}" -v least="${least[i]}" -v line="$line" 'BEGIN {
		ours = (a + b) / 2
		ratio = p > 0 ? ours / p : 0
		wanted = (bar == "-" ? "" : ">=" bar) (least == "-" ? "" : " and >=" least)
		verdict = a == "-" || b == "-" ? "failed" : wanted == "" ? "" : ratio == 0 && bar != "-" ? "no peer" : \
			(bar == "-" || ratio >= bar + 0) && (least == "-" || ours >= least + 0) ? "ok" : "short"
		sub(/\\n$/, "\n", line)
		shown = ratio ? sprintf("%.2f", ratio) : "-"
		printf line, name, a, b, p, how, shown, wanted, verdict
	}'
	[ "${first[$work]}" = - ] && failed=1
done
exit "$failed"
