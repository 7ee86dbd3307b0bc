#!/usr/bin/env bash
# run.sh BUILD [ARGUMENT...]: pytest on the emulated device, with the core that CMake has built in
# BUILD. A sanitized core needs its runtime to come first.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
shift
export GRAPHCUT_EMULATED=$build PYTHONPATH=tests${PYTHONPATH:+:$PYTHONPATH}
export ASAN_OPTIONS=detect_leaks=0:${ASAN_OPTIONS:-} # Python's own
export UBSAN_OPTIONS=print_stacktrace=1
runtime=$(ldd "$build"/_core*.so | awk '/libasan|libclang_rt|libstdc/ {print $3}' | tr '\n' ' ')
if [[ $runtime == *asan* ]]; then export LD_PRELOAD=$runtime; fi
# What a sanitizer says goes to the terminal.
exec "${PYTHON:-.venv/bin/python}" -m pytest -q -p cuda_emulated.plugin -p no:cacheprovider \
  --capture=sys --timeout 900 "$@"
