#!/usr/bin/env bash
# Everything that needs a GPU, in one call: build for this GPU, CUDA tests, GPU benchmarks with JSON
# (device and commit are in each), compute-sanitizer on the tests. What fails is named at the end,
# and what comes after it is run all the same. Needs CUDA torch, nvcc, compute-sanitizer,
# scikit-build-core, pybind11, cmake, ninja, pytest, hypothesis and SciPy in the Python
# given by GRAPHCUT_PYTHON. Results go to $OUT, or benchmarks/results.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${GRAPHCUT_PYTHON:-python3}
out=${OUT:-benchmarks/results}
mkdir -p "$out"
name=$("$python" -c "import torch; print(torch.cuda.get_device_name().replace(' ', '-').lower())") || exit
failed=()
step() { # step NAME COMMAND...: its output is kept
  local what=$1
  shift
  "$@" 2>&1 | tee "$out/$name-$what.log" || failed+=("$what")
}

"$python" -m pip install -q --no-build-isolation --no-deps \
  --config-settings=cmake.define.GRAPHCUT_CUDA=ON --config-settings=cmake.define.GRAPHCUT_WERROR=ON \
  --config-settings=cmake.define.CMAKE_CUDA_ARCHITECTURES=native -e . || exit
step tests "$python" -m pytest -q -m cuda tests/graphcut_ext tests/test_supervision_cuda.py \
  -p no:cacheprovider
step supervision "$python" -m benchmarks supervision --json "$out/$name-supervision.json"
step cut_gpu "$python" -m benchmarks cut_gpu --repeats 3 --json "$out/$name-cut_gpu.json"
step knn "$python" -m benchmarks knn --device cuda --json "$out/$name-knn.json"
step crf "$python" -m benchmarks crf --device cuda --json "$out/$name-crf.json"
ours=() # torch's kernels need no check
if compute-sanitizer --help 2>&1 | grep -q -- --kernel-name; then ours=(--kernel-name kns=graphcut); fi
for tool in memcheck racecheck synccheck; do
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 step "$tool" timeout 240 \
    compute-sanitizer --tool "$tool" "${ours[@]}" --target-processes all --error-exitcode 9 \
    "$python" -m pytest -q tests/graphcut_ext tests/test_supervision_cuda.py \
    -m "cuda and not slow" -k "not cuda_graph and not captured" -p no:cacheprovider # a capture needs torch's cache, which hides errors from memcheck
done
if ((${#failed[@]})); then
  echo "failed: ${failed[*]}"
  exit 1
fi
