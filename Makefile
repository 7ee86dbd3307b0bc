# Every target sets up .venv by itself; when nothing changed that takes no time.
PYTHON ?= python3
BIN := .venv/bin
CORE := CMakeLists.txt pyproject.toml $(shell find csrc -type f)
PACKAGES := graphcut_ext python/dgcn tests benchmarks
CORE_TESTS := $(shell find tests/core -name '*.cpp' -o -name '*.hpp' -o -name '*.h' -o -name '*.cuh')
# Ends in the setting whether to build the CUDA kernels. The long option serves pip before 23.1 too.
INSTALL = $(BIN)/python -m pip install -q -c constraints.txt --no-build-isolation \
  --config-settings=cmake.define.GRAPHCUT_CUDA
# Two of a wheel's seven; others are compiled by the driver from the first.
CUDA_ARCHITECTURES := 75;90
CPP := $(CORE_TESTS) tests/cuda_emulated/torch_device.cpp $(shell find csrc -name '*.cpp' -o -name '*.hpp' -o -name '*.cu' -o -name '*.cuh')

.PHONY: demo test lint format docs sanitize sanitize-python emulated-core cuda-emulated fuzz mutants bench cuda-check gpu-check dist notebooks wheel-check clean

demo: .venv/demo  ## the whole chain on the embedded data: numbers and a picture
	$(BIN)/dgcn demo

test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not cuda" -n auto --maxprocesses 8

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest graphcut_ext._core --ignore-missing-stub \
	  --allowlist tests/stubs_allowed.txt
	$(BIN)/clang-format --dry-run --Werror $(CPP)
	$(BIN)/python -c "import json, glob; print(*sorted({c['file'] for p in glob.glob('build/*/compile_commands.json') for c in json.load(open(p)) if '/csrc/' in c['file'] and c['file'].endswith('.cpp')}))" \
	  | tr ' ' '\n' | xargs -P 2 -n 1 $(BIN)/clang-tidy --quiet -p $$(ls -d build/cp*/ | head -1)
	printf '%s\n' $(filter %.cpp,$(CORE_TESTS)) | xargs -P 2 -I FILE $(BIN)/clang-tidy --quiet \
	  '--checks=-bugprone-exception-escape,-clang-analyzer-*' FILE -- -std=c++20 -Itests/core/cuda -Itests/core -Icsrc

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP)

docs: .venv/installed  ## the site, in build/site/index.html; needs no network
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

sanitize: sanitize-address,undefined sanitize-thread  ## the core's own tests, no Python

sanitize-%: .venv/requirements
	$(BIN)/cmake -G Ninja -S tests/core -B build/$@ -D GRAPHCUT_SANITIZE=$* \
	  -D CMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja
	$(BIN)/cmake --build build/$@
	$(BIN)/ctest --test-dir build/$@ --output-on-failure --timeout 300 -j 2

SANITIZED := build/sanitize-address,undefined
emulated-core: .venv/installed  # the Python module under sanitizers, its CUDA kernels for the CPU
	$(BIN)/cmake -G Ninja -S tests/core -B $(SANITIZED) -D GRAPHCUT_SANITIZE=address,undefined \
	  -D CMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja -D Python_EXECUTABLE=$(CURDIR)/$(BIN)/python
	$(BIN)/cmake --build $(SANITIZED) --target cuda_core torch_device

cuda-emulated: emulated-core  ## the tests that need a GPU on a CPU that plays one
	bash tests/cuda_emulated/run.sh $(CURDIR)/$(SANITIZED)/cuda_emulated \
	  tests/cuda_emulated tests/graphcut_ext tests/test_supervision_cuda.py

sanitize-python: emulated-core  ## operators and bindings, called with odd arguments
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
	  LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so)" \
	  $(BIN)/python tests/odd_calls.py -core=$(SANITIZED)/cuda_emulated -runs=4000

fuzz: SECONDS := 60
fuzz: .venv/installed sanitize-address,undefined  ## SECONDS=60 each: the core, then all readers
	mkdir -p build/fuzz
	for target in crf knn mincut moves; do $(SANITIZED)/$${target}_fuzz -max_total_time=$(SECONDS) \
	  -timeout=60 -artifact_prefix=build/fuzz/$$target- || exit 1; done
	$(BIN)/python tests/fuzz_readers.py -max_total_time=$(SECONDS) -artifact_prefix=build/fuzz/
	$(BIN)/python -m pip install -q -c constraints.txt atheris
	$(BIN)/python tests/fuzz_dimacs.py -max_total_time=$(SECONDS) -timeout=10 -artifact_prefix=build/fuzz/dimacs- \
	  -rss_limit_mb=8192  # atheris' own bookkeeping grows by some KB per input

mutants: .venv/installed  ## errors put into the program, which tests must find; an hour and more
	$(BIN)/python tests/mutants.py

bench: .venv/installed
	$(BIN)/python -m benchmarks maxflow

cuda-check: .venv/installed  ## the CUDA sources compiled (no GPU needed)
	$(BIN)/python -c "import graphcut_ext as gx; i = gx.build_info(); assert i['cuda'], 'built without CUDA: nvcc was not found'; print('CUDA', i['cuda'], 'for', i['cuda_architectures'])"

gpu-check:  ## on a machine with a GPU, CUDA torch, nvcc and the build tools installed
	GRAPHCUT_PYTHON="$(PYTHON)" bash benchmarks/gpu_check.sh

dist: .venv/installed
	$(BIN)/python -m build

notebooks: .venv/installed  ## the examples, executed
	$(BIN)/python examples/make_notebooks.py

wheel-check: .venv/installed  ## source archive, wheel, new environment without a compiler
	PYTHON=$(BIN)/python bash tests/wheel_check.sh

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/requirements: constraints.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install -q -c constraints.txt torch numpy pybind11 scikit-build-core cmake ninja
	touch $@

# What the demo needs and no more, built without CUDA; or the whole, where that is installed already.
.venv/demo: .venv/requirements $(CORE)
	if [ -e .venv/installed ]; then $(MAKE) .venv/installed; else $(INSTALL)=OFF -e '.[train]'; fi
	touch $@

.venv/installed: .venv/requirements $(CORE)
	$(BIN)/python -m pip install -q -c constraints.txt \
	  PyMaxflow "pydensecrf2; python_version < '3.13'"  # may be built from source, in isolation
	$(INSTALL)=AUTO --config-settings=cmake.define.GRAPHCUT_WERROR=ON \
	  --config-settings='cmake.define.CMAKE_CUDA_ARCHITECTURES=$(CUDA_ARCHITECTURES)' -e '.[train,bench,dev,docs]'
	touch $@

clean:
	rm -rf build dist .venv
