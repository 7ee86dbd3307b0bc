#!/usr/bin/env bash
# Everything that needs a GPU, in one call: build with CUDA, CUDA tests, compute-sanitizer on them,
# GPU benchmarks with JSON. Needs CUDA torch, nvcc, scikit-build-core, pybind11, cmake, ninja, pytest
# and hypothesis in the Python given by GRAPHCUT_PYTHON. Results go to $OUT, or benchmarks/results.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${GRAPHCUT_PYTHON:-python3}
out=${OUT:-benchmarks/results}
mkdir -p "$out"
name=$("$python" -c "import torch; print(torch.cuda.get_device_name().replace(' ', '-').lower())")

"$python" -m pip install -q --no-build-isolation --no-deps \
  -C cmake.define.GRAPHCUT_CUDA=ON -C cmake.define.GRAPHCUT_WERROR=ON -e .
"$python" -m pytest -q -m cuda -p no:cacheprovider 2>&1 | tee "$out/$name-tests.log"
for tool in memcheck racecheck synccheck; do
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 timeout 240 compute-sanitizer --tool "$tool" \
    --target-processes all --error-exitcode 9 \
    "$python" -m pytest -q -m "cuda and not slow" -p no:cacheprovider 2>&1 \
    | tee "$out/$name-$tool.log"
done
"$python" -m benchmarks knn --device cuda --json "$out/$name-knn.json"
